// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// A command that cannot be run as it is configured.
public struct ProcessCommandError: Error, Sendable, CustomStringConvertible {
    /// One sentence: what is wrong, and what to do.
    public let description: String
}

/// A command as it is started: its program found, and the limits of its memory and processor time before it.
package struct ProcessCommand: Sendable, Hashable {
    package let executable: String
    /// What the program sees as its own name.
    package let name: String
    package let arguments: [String]

    /// - Parameters:
    ///   - words: The program and its arguments. A program with a slash is a path, from the working directory.
    ///   - searchPath: Where programs are looked for, as in `PATH`.
    package init(
        _ words: [String], workingDirectory: String, searchPath: String, memoryMegabytes: Int?, cpuSeconds: Int?
    ) throws {
        guard let name = words.first, !name.isEmpty else {
            throw ProcessCommandError(description: "there is no command to run")
        }
        if let word = words.first(where: { $0.contains("\0") }) {
            throw ProcessCommandError(
                description: "\"\(word.prefix { $0 != "\0" })…\" holds a NUL, which no argument may")
        }
        let program = try Self.find(name, workingDirectory: workingDirectory, searchPath: searchPath)
        guard memoryMegabytes != nil || cpuSeconds != nil else {
            executable = program
            self.name = name
            arguments = Array(words.dropFirst())
            return
        }
        do {
            executable = try Self.find("prlimit", workingDirectory: workingDirectory, searchPath: searchPath)
        } catch {
            throw ProcessCommandError(
                description:
                    "limits of memory and processor time need the command prlimit of util-linux, which is not in "
                    + searchPath)
        }
        self.name = "prlimit"
        var limits = ["--core=0"]
        // Not the address space: Node and the JVM reserve far more of that than they use.
        if let memoryMegabytes { limits.append("--data=\(memoryMegabytes << 20)") }
        // SIGXCPU at the first, SIGKILL at the second.
        if let cpuSeconds { limits.append("--cpu=\(cpuSeconds):\(cpuSeconds + 1)") }
        arguments = limits + ["--", program] + words.dropFirst()
    }

    private static func find(_ name: String, workingDirectory: String, searchPath: String) throws -> String {
        if name.contains("/") {
            let path = name.hasPrefix("/") ? name : workingDirectory + "/" + name
            guard FileManager.default.fileExists(atPath: path) else {
                throw ProcessCommandError(description: "there is no \(path)")
            }
            guard isProgram(path) else {
                throw ProcessCommandError(
                    description: "\(path) cannot be executed; make it executable, or name its interpreter first")
            }
            return path
        }
        let folders = searchPath.split(separator: ":").filter { $0.hasPrefix("/") }
        guard let path = folders.map({ "\($0)/\(name)" }).first(where: isProgram) else {
            throw ProcessCommandError(description: "the command \(name) was not found in \(searchPath)")
        }
        return path
    }

    private static func isProgram(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
            && FileManager.default.isExecutableFile(atPath: path)
    }
}
