// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import Foundation
import NIOHTTP1
import WireJSON

extension TracingClient {
    /// Deletes a rollout whole, with its calls, lines and statuses. A Rollcall gateway can do that.
    ///
    /// - Returns: Whether there was one.
    /// - Throws: ``TracingClientError`` when the gateway cannot be reached or refuses.
    public func delete(_ rolloutID: String) async throws -> Bool {
        try await deleteRollouts([("rollout_id", rolloutID)]) > 0
    }

    /// Deletes the rollouts of any of these experiments and runs, where both are given of both, whole.
    ///
    /// - Parameter silentSince: Only those of which nothing has come since; alone, of all experiments.
    /// - Returns: How many there were.
    /// - Throws: ``TracingClientError`` when the gateway cannot be reached or refuses, as it does when all are empty.
    public func deleteRollouts(
        experimentIDs: [String] = [], runIDs: [String] = [], silentSince: Date? = nil
    ) async throws -> Int {
        var query = experimentIDs.map { ("experiment_id", $0) } + runIDs.map { ("run_id", $0) }
        if let silentSince { query.append(("silent_since", silentSince.formatted(.iso8601))) }
        return try await deleteRollouts(query)
    }

    private func deleteRollouts(_ query: [(String, String)]) async throws -> Int {
        let url = url("/v1/rollouts", query)
        let answer = try await request(.DELETE, url, body: nil, timeout: .seconds(600), tries: 3)
        guard let count = try json(answer, url)["deleted"]?.int else {
            throw TracingClientError(.unreadable, url: url, "the answer does not say how many it deleted")
        }
        return count
    }
}
