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
    /// Shown to the environment as bearer.
    let key: String?
    /// Never shown in what an environment echoes.
    private let secrets: [String]

    /// - Parameters:
    ///   - baseURL: It may have a secret in its path, and is shown without it.
    ///   - modelKey: The key that goes along in the body of `/init`.
    init(http: HTTPClient, baseURL: String, key: String?, modelKey: String?) {
        self.http = http
        self.baseURL = baseURL
        self.key = key
        secrets = [key, modelKey].compactMap(\.self).filter { !$0.isEmpty }
    }

    /// Sends `/init`, which an inline environment may answer only at its rollout's end.
    func trigger(_ body: [UInt8], within timeout: Duration) async -> RolloutLifecycle.Event {
        do {
            let response = try await http.execute(request("/init", body), timeout: TimeAmount(timeout))
            let code = Int(response.status.code)
            let text = await text(of: response.body)
            let retryAfter = response.headers.first(name: "Retry-After").flatMap { Double($0) }
                .flatMap { $0 >= 0 && $0 < 86_400 ? Duration.seconds($0) : nil }
            return .answered(code: code, text: code >= 400 ? readable(text) : "", retryAfter: retryAfter)
        } catch {
            let failure = TransportFailure(error)
            return .lost(reason: "\(failure.reason) (\(BaseURL.shown(baseURL))/init)", sent: failure.sent)
        }
    }

    /// Asks the environment to stop; whether it can is its own affair.
    func cancel(_ execution: RolloutExecution, within timeout: Duration) async {
        var body: JSONObject = ["rollout_id": .string(execution.rolloutID)]
        if let attempt = execution.attempt { body.append("attempt", attempt.json) }
        let request = request("/cancel", JSONValue.object(body).serialized())
        // An environment that knows no such route answers 404, one that is gone nothing: both change nothing here.
        guard let response = try? await http.execute(request, timeout: TimeAmount(timeout)) else { return }
        _ = await text(of: response.body)
    }

    private func request(_ path: String, _ body: [UInt8]) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "rollcall")
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
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

    /// The sentence in an error body of a common form, else the body; without a key, should one have been echoed.
    private func readable(_ text: String) -> String {
        var message = text.trimmed()
        if let value = try? JSONValue(parsing: Array(text.utf8)) {
            let candidates = [value["error"]?["message"], value["error"], value["detail"], value["message"]]
            if let found = candidates.lazy.compactMap({ $0?.string }).first { message = found }
        }
        for secret in secrets { message = message.replacing(secret, with: "[redacted]") }
        return message.count > 2_000 ? "\(message.prefix(2_000))…" : message
    }
}
