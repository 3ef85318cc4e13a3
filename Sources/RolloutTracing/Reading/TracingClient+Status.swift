// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import WireJSON

extension TracingClient {
    /// The status of a rollout now, or, with `wait`, as soon as it is terminal or `wait` has passed.
    ///
    /// A gateway that keeps the code alone is asked for the line behind a terminal code, too. One that cannot wait
    /// answers at once: see ``RolloutStatus/knowsAttempts``; whoever polls it has to pause between two calls.
    ///
    /// - Parameters:
    ///   - wait: 60 s at most.
    ///   - attempt: The attempt meant; without it the newest.
    /// - Throws: ``TracingClientError``.
    public func status(
        of rolloutID: String, wait: Duration? = nil, attempt: AttemptID? = nil
    ) async throws -> RolloutStatus {
        var query = [("rollout_id", rolloutID)]
        let wait = wait.map { max(.zero, min($0, .seconds(60))) }
        if let wait, wait > .zero { query.append(("wait_seconds", Self.seconds(wait))) }
        if let attempt { query.append(("attempt", attempt.description)) }
        let (_, value) = try await getEither(
            \.status, ["/v1/status", "/status"], query, timeout: .seconds(15) + (wait ?? .zero), tries: 1)
        var status = RolloutStatus(rolloutID: rolloutID, value)
        if status.status?.isTerminal == true, value["status"]?["message"] == nil {
            try await complete(&status)
        }
        return status
    }

    /// Adds to a status of which only the code is known what the line says that carried it.
    private func complete(_ status: inout RolloutStatus) async throws {
        let lines = try await logs(of: status.rolloutID, hoursBack: 24)
        guard let line = lines.first(where: { $0.status?.code == status.status?.code }) else { return }
        status.status = line.status
        status.extras = line.extras
    }

    /// The duration in seconds, in tenths where it is not whole.
    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded(.up))
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}

extension RolloutStatus {
    /// Reads an answer; a code that is none of the contract's counts as no status, as the contract has it.
    init(rolloutID: String, _ value: JSONValue) {
        let status: Status? =
            if let code = value["status"]?["code"]?.int.flatMap(StatusCode.init) {
                Status(
                    code: code, message: value["status"]?["message"]?.string ?? "",
                    details: value["status"]?["details"]?.array?.filter { $0.object != nil } ?? [])
            } else { nil }
        let attempt = value["attempt"]
        self.init(
            rolloutID: rolloutID, status: status, extras: value["extras"]?.object, attemptNumber: attempt?.int,
            attempt: attempt?.string.flatMap(AttemptID.init), current: value["current"]?.bool,
            knowsAttempts: attempt != nil)
    }
}
