// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import WireJSON

/// The built gateway as a process of its own, with limits set by flags, before an upstream of the test's.
struct LimitedGateway: Sendable {
    static let call = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#

    let process: RollcallProcess
    let upstream: ScriptedHTTPServer
    let port: Int

    /// - Parameter folder: To be used again by another gateway; without one, the store goes with this one.
    static func with(
        _ flags: [String], folder: TemporaryFolder? = nil,
        answer: @escaping ScriptedHTTPServer.Answer = { _ in .json(GatewayFixture.completion("hello")) },
        _ body: (LimitedGateway) async throws -> Void
    ) async throws {
        let folder = try folder ?? TemporaryFolder()
        try await ScriptedHTTPServer.with(answer) { upstream in
            let process = try RollcallProcess(
                "gateway",
                ["--port", "0", "--store", "sqlite:\(folder.path)/s.sqlite", "--upstream", upstream.url] + flags)
            defer { process.end() }
            let port = try await process.ready()["port"]?.int ?? 0
            try await body(LimitedGateway(process: process, upstream: upstream, port: port))
            process.signal(SIGTERM)
            guard try await process.exitCode() == 0 else { throw NeverHappened(description: process.errors) }
        }
    }

    static func path(_ rollout: String) -> String {
        "/rollout_id/\(rollout)/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
    }

    func call(_ rollout: String = "r", headers: [String] = [], body: String = call) async throws -> RawResponse {
        try await process.request("POST", Self.path(rollout), headers: headers, body: body)
    }

    func log(_ rollout: String = "r", code: Int? = nil, tags: Int = 0) async throws -> RawResponse {
        let all = ["rollout_id:\(rollout)"] + (0..<tags).map { "t:\($0)" }
        var line: JSONObject = ["message": "m", "tags": .array(all.map { .string($0) })]
        if let code { line.append("status", ["code": .number(code), "message": "s", "details": []]) }
        return try await process.request("POST", "/logs", body: JSONValue.object(line).description)
    }

    /// A connection on which a request has been sent, or its beginning.
    func open(_ text: String, reads: Bool = true) async throws -> RawConnection {
        let connection = try await RawConnection.open(port, autoRead: reads)
        try await connection.send(text)
        return connection
    }

    func get(_ path: String) async throws -> RawConnection { try await open("GET \(path) HTTP/1.1\r\nhost: x\r\n\r\n") }
}

/// What answers wait behind until the test opens it.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func open() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            state.isOpen = true
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// A folder that is removed when nobody holds it any more.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension RawResponse {
    /// Whether it is this error, and its sentence, which is there twice, has all of these words.
    func isError(_ status: Int, _ code: String, _ words: String...) -> Bool {
        let message = json["error"]?["message"]?.string ?? ""
        return self.status == status && json["error"]?["code"]?.string == code && message == json["detail"]?.string
            && words.allSatisfy { message.contains($0) } && header("x-rollcall-request-id") != nil
    }
}
