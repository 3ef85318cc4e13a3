// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1
import WireJSON

/// The caller's calls to an environment.
struct EnvironmentClient: Sendable {
    private static let maximumErrorText = 64 << 10

    let http: HTTPClient
    let baseURL: String
    /// Never shown in what an environment echoes.
    let secret: String?

    /// Sends `/init`, which an inline environment may answer only at its rollout's end.
    func trigger(_ body: [UInt8], within timeout: Duration) async -> RolloutLifecycle.Event {
        var request = HTTPClientRequest(url: baseURL + "/init")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "rollcall")
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await http.execute(request, timeout: TimeAmount(timeout))
            let code = Int(response.status.code)
            let text = await text(of: response.body)
            let retryAfter = response.headers.first(name: "Retry-After").flatMap { Double($0) }
                .flatMap { $0 >= 0 && $0 < 86_400 ? Duration.seconds($0) : nil }
            return .answered(code: code, text: code >= 400 ? readable(text) : "", retryAfter: retryAfter)
        } catch {
            let failure = TransportFailure(error)
            return .lost(reason: "\(failure.reason) (\(baseURL)/init)", sent: failure.sent)
        }
    }

    /// Asks the environment to stop; whether it can is its own affair.
    func cancel(_ execution: RolloutExecution, within timeout: Duration) async {
        var body: JSONObject = ["rollout_id": .string(execution.rolloutID)]
        if let attempt = execution.attempt { body.append("attempt", attempt.json) }
        var request = HTTPClientRequest(url: baseURL + "/cancel")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: JSONValue.object(body).serialized()))
        // An environment that knows no such route answers 404, one that is gone nothing: both change nothing here.
        guard let response = try? await http.execute(request, timeout: TimeAmount(timeout)) else { return }
        _ = await text(of: response.body)
    }

    /// What a body says, up to a bound; a body that breaks off says what came before.
    private func text(of body: HTTPClientResponse.Body) async -> String {
        var bytes: [UInt8] = []
        do {
            for try await piece in body {
                bytes.append(contentsOf: piece.readableBytesView.prefix(Self.maximumErrorText - bytes.count))
                if bytes.count >= Self.maximumErrorText { break }
            }
        } catch {}
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The sentence in an error body of a common form, else the body; without the key, should it have been echoed.
    private func readable(_ text: String) -> String {
        var message = text.trimmed()
        if let value = try? JSONValue(parsing: Array(text.utf8)) {
            let candidates = [value["error"]?["message"], value["error"], value["detail"], value["message"]]
            if let found = candidates.lazy.compactMap({ $0?.string }).first { message = found }
        }
        if let secret, !secret.isEmpty { message = message.replacing(secret, with: "[redacted]") }
        return message.count > 2_000 ? "\(message.prefix(2_000))…" : message
    }
}
