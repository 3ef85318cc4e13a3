// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// A rollout's own folder for temporary files, which nobody else can read, with the request in a file.
///
/// Its path is chosen before it is made, so that the path can be noted first.
struct RolloutFolder: Sendable {
    private static let prefix = "rollcall-rollout-"

    let path: String
    var requestFile: String { path + "/init.json" }

    /// One that is still to be made.
    init() {
        let number = String(UInt64.random(in: .min ... .max), radix: 36)
        path = Self.parent + "/" + Self.prefix + number
    }

    /// One that was made by another process; `nil` when no such folder can be at this path.
    init?(leftAt path: String) {
        guard path.hasPrefix("/"), path.split(separator: "/").last?.hasPrefix(Self.prefix) == true else { return nil }
        self.path = path
    }

    /// Makes the folder. Blocks; to be called on a thread that may.
    func make(request: [UInt8]) throws {
        guard mkdir(path, 0o700) == 0 else { throw FolderError(what: "make the folder \(path)") }
        do {
            try write(request)
        } catch {
            try? remove()
            throw error
        }
    }

    private static let parent = FileManager.default.temporaryDirectory.path

    private func write(_ request: [UInt8]) throws {
        let file = open(requestFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FolderError(what: "make \(requestFile)") }
        defer { close(file) }
        var rest = request[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FolderError(what: "write \(requestFile)") }
            rest = rest.dropFirst(count)
        }
    }

    /// Blocks, too.
    func remove() throws {
        // Most commands leave nothing else in it.
        unlink(requestFile)
        if rmdir(path) == 0 { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch  where FileManager.default.fileExists(atPath: path) {
            // Folders that were made unwritable keep their contents.
            makeWritable()
            try FileManager.default.removeItem(atPath: path)
        }
    }

    private func makeWritable() {
        chmod(path, 0o700)
        guard let items = FileManager.default.enumerator(atPath: path) else { return }
        for case let item as String in items where items.fileAttributes?[.type] as? FileAttributeType == .typeDirectory
        {
            chmod(path + "/" + item, 0o700)
        }
    }

    private struct FolderError: Error, CustomStringConvertible {
        let description: String

        init(what: String) { description = "cannot \(what): \(String(cString: strerror(errno)))" }
    }
}
