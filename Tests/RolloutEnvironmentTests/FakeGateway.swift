// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import Synchronization
import TestSupport
import WireJSON

/// A gateway that takes log lines one by one and answers model calls.
final class FakeGateway: Sendable {
    typealias Response = ScriptedHTTPServer.Response

    struct Line: Sendable {
        let rolloutID: String
        let attempt: String?
        let code: StatusCode?
        let message: String
        let authorization: String?
        let json: JSONValue
    }

    private struct State {
        var lines: [Line] = []
        var answerLine: @Sendable (Line) async -> Response = { _ in FakeGateway.taken }
        var answerCall: @Sendable (ScriptedHTTPServer.Request) async -> Response = { _ in FakeGateway.completion("ok") }
    }

    private let state = Mutex(State())
    private let running = Mutex<ScriptedHTTPServer?>(nil)

    /// What a gateway that knows attempts says of a good line.
    static let taken = Response.json(["attempt": 1, "current": true, "final": nil])
    /// What another gateway says.
    static let takenPlain = Response.json(["status": "ok"])

    static func completion(_ text: String) -> Response {
        .json([
            "id": "c", "object": "chat.completion", "model": "m",
            "choices": [
                ["index": 0, "message": ["role": "assistant", "content": .string(text)], "finish_reason": "stop"]
            ],
            "usage": ["prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4],
        ])
    }

    static func with<Result: Sendable>(_ body: (FakeGateway) async throws -> Result) async throws -> Result {
        let gateway = FakeGateway()
        let server = try await ScriptedHTTPServer.start { request in await gateway.answer(request) }
        gateway.running.withLock { $0 = server }
        do {
            let result = try await body(gateway)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    var server: ScriptedHTTPServer { running.withLock { $0! } }
    var url: String { server.url }
    var lines: [Line] { state.withLock { $0.lines } }

    func lines(of rolloutID: String) -> [Line] { lines.filter { $0.rolloutID == rolloutID } }
    func codes(of rolloutID: String) -> [StatusCode] { lines(of: rolloutID).compactMap(\.code) }
    func terminal(of rolloutID: String) -> [StatusCode] { codes(of: rolloutID).filter(\.isTerminal) }

    /// The model calls' paths.
    var callPaths: [String] { server.requests.map(\.path).filter { $0.hasSuffix("/chat/completions") } }

    func onLine(_ answer: @escaping @Sendable (Line) async -> Response) { state.withLock { $0.answerLine = answer } }

    func onCall(_ answer: @escaping @Sendable (ScriptedHTTPServer.Request) async -> Response) {
        state.withLock { $0.answerCall = answer }
    }

    private func answer(_ request: ScriptedHTTPServer.Request) async -> Response {
        if request.path.hasSuffix("/chat/completions") { return await state.withLock { $0.answerCall }(request) }
        guard request.path == "/logs", let json = request.json else { return .json(["detail": "no"], status: 404) }
        let line = Line(
            rolloutID: String(json["tags"]?[0]?.string?.dropFirst("rollout_id:".count) ?? ""),
            attempt: json["extras"]?["rollcall"]?["attempt"]?.string,
            code: json["status"]?["code"]?.int.flatMap(StatusCode.init(rawValue:)),
            message: json["message"]?.string ?? "", authorization: request.headers.first(name: "authorization"),
            json: json)
        let answer = state.withLock { $0.answerLine }
        let response = await answer(line)
        if response.status == 200 { state.withLock { $0.lines.append(line) } }
        return response
    }
}
