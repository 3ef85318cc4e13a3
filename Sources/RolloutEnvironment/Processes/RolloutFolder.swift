// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// A rollout's own folder for temporary files, which nobody else can read, with the request in a file.
struct RolloutFolder: Sendable {
    let path: String
    var requestFile: String { path + "/init.json" }

    /// Blocks; to be called on a thread that may.
    init(request: [UInt8]) throws {
        var template = Array((Self.parent + "/rollcall-rollout-XXXXXX").utf8CString)
        let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
        guard made else { throw FolderError(what: "make a folder in \(Self.parent)") }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
