// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import WireJSON

/// `rollcall gateway` as it was built, started by a test.
final class GatewayProcess: Sendable {
    private struct State {
        var output = ""
        var errors = ""
        var exitCode: Int32?
        var port = 0
    }

    private let process: Process
    private let state = Mutex(State())

    init(_ arguments: [String], variables: [String: String] = [:]) throws {
        process = Process()
        process.executableURL = Bundle.main.executableURL?.deletingLastPathComponent().appending(path: "rollcall")
        process.arguments = ["gateway"] + arguments
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("ROLLCALL_") }
        process.environment = inherited.merging(variables) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        read(output) { $0.output += $1 }
        read(errors) { $0.errors += $1 }
        process.terminationHandler = { [weak self] process in
            // Killed by a signal counts as an exit of its own.
            let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
            self?.state.withLock { $0.exitCode = code }
        }
        try process.run()
    }

    private func read(_ pipe: Pipe, _ append: @escaping @Sendable (inout State, String) -> Void) {
        pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty { return handle.readabilityHandler = nil }
            self?.state.withLock { append(&$0, String(decoding: data, as: UTF8.self)) }
        }
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    var output: String { state.withLock { $0.output } }
    var errors: String { state.withLock { $0.errors } }

    /// The line that says where the gateway is.
    func ready() async throws -> JSONValue {
        try await eventually("ready line; standard error: \(errors)") {
            state.withLock { $0.output.contains("\n") || $0.exitCode != nil }
        }
        let line = try JSONValue(parsing: Array((output.split(separator: "\n").first ?? "").utf8))
        state.withLock { $0.port = line["port"]?.int ?? 0 }
        return line
    }

    func signal(_ signal: Int32) { kill(process.processIdentifier, signal) }

    func exitCode() async throws -> Int32 {
        try await eventually("exit") { state.withLock { $0.exitCode } != nil }
        return state.withLock { $0.exitCode } ?? -1
    }

    func request(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> RawResponse {
        let connection = try await RawConnection.open(state.withLock { $0.port })
        var head = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        for header in headers { head += header + "\r\n" }
        if let body { head += "content-length: \(body.utf8.count)\r\n" }
        try await connection.send(head + "\r\n" + (body ?? ""))
        let response = try await connection.responseOrEnd()
        await connection.close()
        return response
    }
}
