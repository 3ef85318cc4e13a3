// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
package import WireJSON

/// A command of `rollcall` as it was built, or another program beside it, started by a test: a server, if it is to be asked
/// for something.
package final class RollcallProcess: Sendable {
    private struct State {
        var output = ""
        var errors = ""
        var exitCode: Int32?
        var openPipes = 2
        var port = 0
    }

    private let process: Process
    /// Outlives the test's own reference: the readers hold it until the process has closed its ends.
    private let shared = Shared()

    private final class Shared: Sendable { let state = Mutex(State()) }

    /// - Parameter launcher: A command that becomes the program that is behind it.
    package convenience init(
        _ command: String, _ arguments: [String], variables: [String: String] = [:], launcher: [String] = []
    ) throws {
        try self.init(program: "rollcall", [command] + arguments, variables: variables, launcher: launcher)
    }

    package init(
        program: String, _ arguments: [String], variables: [String: String] = [:], launcher: [String] = []
    ) throws {
        process = Process()
        let path = Bundle.main.executableURL?.deletingLastPathComponent().appending(path: program).path ?? ""
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = launcher + [path] + arguments
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("ROLLCALL_") }
        process.environment = inherited.merging(variables) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        let shared = shared
        process.terminationHandler = { process in
            // Killed by a signal counts as an exit of its own.
            let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
            shared.state.withLock { $0.exitCode = code }
        }
        try process.run()
        Self.read(output, into: shared) { $0.output += $1 }
        Self.read(errors, into: shared) { $0.errors += $1 }
    }

    /// Reads to the end on a thread of its own, which blocks nobody and keeps the pipe open as long as it is read.
    private static func read(
        _ pipe: Pipe, into shared: Shared, _ append: @escaping @Sendable (inout State, String) -> Void
    ) {
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread {
            while true {
                let data = handle.availableData
                if data.isEmpty { break }
                shared.state.withLock { append(&$0, String(decoding: data, as: UTF8.self)) }
            }
            shared.state.withLock { $0.openPipes -= 1 }
        }
    }

    deinit { end() }

    /// Ends it, should it still run: for tests that fail while tasks of theirs hold it.
    package func end() { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    package var identifier: Int32 { process.processIdentifier }

    package var output: String { shared.state.withLock { $0.output } }
    package var errors: String { shared.state.withLock { $0.errors } }

    /// The line that says where the server is.
    package func ready() async throws -> JSONValue {
        try await eventually("ready line; standard error: \(errors)") {
            shared.state.withLock { $0.output.contains("\n") || $0.exitCode != nil }
        }
        let line = try JSONValue(parsing: Array((output.split(separator: "\n").first ?? "").utf8))
        shared.state.withLock { $0.port = line["port"]?.int ?? 0 }
        return line
    }

    package func signal(_ signal: Int32) { kill(process.processIdentifier, signal) }

    package func exitCode() async throws -> Int32 {
        try await eventually("exit") {
            shared.state.withLock { $0.exitCode != nil && $0.openPipes == 0 }
        }
        return shared.state.withLock { $0.exitCode } ?? -1
    }

    package func request(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> RawResponse {
        let connection = try await RawConnection.open(shared.state.withLock { $0.port })
        var head = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        for header in headers { head += header + "\r\n" }
        if let body { head += "content-length: \(body.utf8.count)\r\n" }
        try await connection.send(head + "\r\n" + (body ?? ""))
        let response = try await connection.response()
        await connection.close()
        return response
    }
}
