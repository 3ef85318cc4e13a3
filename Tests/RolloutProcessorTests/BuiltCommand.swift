// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// The built `rollcall`, run as a process of its own.
struct BuiltCommand {
    struct Outcome: Sendable {
        var code: Int32
        var output: String
        var errors: String

        /// The lines of the output.
        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// Beside the test bundle, where the build puts all products.
    private static var path: String {
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("rollcall").path
    }

    /// - Parameter variables: The whole environment of the process.
    static func run(_ arguments: [String], variables: [String: String] = [:]) async throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = variables
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        async let printed = readAll(output)
        async let noted = readAll(errors)
        try process.run()
        // The writing ends belong to the process now; the readers wait for their end.
        try output.fileHandleForWriting.close()
        try errors.fileHandleForWriting.close()
        let texts = await (printed, noted)
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                process.waitUntilExit()
                continuation.resume()
            }
        }
        return Outcome(code: process.terminationStatus, output: texts.0, errors: texts.1)
    }

    private static func readAll(_ pipe: Pipe) async -> String {
        // On threads of its own: the global queue's are those that all tasks run on.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    returning: String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
            }
        }
    }
}
