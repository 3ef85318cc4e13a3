// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

extension TracingClient {
    /// The recorded model calls of a rollout as a tree: which call continues which, what each adds, what was answered.
    /// A Rollcall gateway can tell; ``traces(of:includePayloads:limit:attempt:)`` works with others too.
    ///
    /// - Parameters:
    ///   - attempt: The calls of that attempt; without it those of the newest.
    ///   - includeRequests: Whether each call comes with its whole request as it was sent, too.
    /// - Returns: `nil` when the gateway does not know the rollout or has no such route.
    /// - Throws: ``TracingClientError`` when the gateway cannot be reached, refuses, or answers something else.
    public func conversation(
        of rolloutID: String, attempt: AttemptID? = nil, includeRequests: Bool = false
    ) async throws -> RolloutConversation? {
        var query: [(String, String)] = []
        if let attempt { query.append(("attempt", attempt.description)) }
        if includeRequests { query.append(("requests", "full")) }
        let url = url("/v1/rollouts/\(PercentEncoding.encoded(rolloutID))/traces", query)
        let answer = try await get(url, timeout: .seconds(300), tries: 3)
        if [404, 405, 501].contains(answer.code) { return nil }
        guard answer.isSuccess else {
            throw TracingClientError(.refused(answer.code), url: url, answer.errorMessage ?? "it gave no reason")
        }
        do {
            return try RolloutConversation(lines: answer.body)
        } catch {
            throw TracingClientError(.unreadable, url: url, "\(error)")
        }
    }
}
