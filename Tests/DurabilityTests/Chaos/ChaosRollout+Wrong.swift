// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import WireJSON

/// Requests that are wrong, each in a way that its answer has to name.
extension ChaosRollout {
    /// Requests, the status they have to get, and what the answer has to name.
    private static func wrong(
        _ rollout: String
    ) -> [(method: String, path: String, body: String?, status: Int, name: String)] {
        let path = "/rollout_id/\(rollout)/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
        return [
            ("POST", "/logs", #"{"message":"wrong"}"#, 400, "tags"),
            ("POST", "/logs", #"{"message":"wrong","tags":["rollout_id:\#(rollout)",7]}"#, 400, "tags[1]"),
            ("POST", "/logs", #"{"message":"wrong","tags":["rollout_id:\#(rollout)"],"status":5}"#, 400, "status"),
            ("POST", "/v1/logs", #"{"message":7,"tags":["rollout_id:\#(rollout)"]}"#, 400, "message"),
            ("POST", "/attempt/a%20b/logs", #"{"message":"wrong","tags":["rollout_id:\#(rollout)"]}"#, 400, "attempt"),
            ("POST", "/v1/rollouts", #"[{"metadata":"#, 400, "JSON"),
            ("GET", "/v1/status", nil, 422, "rollout_id"),
            ("GET", "/v1/status?rollout_id=\(rollout)&wait_seconds=61", nil, 422, "wait_seconds"),
            ("GET", "/v1/traces", nil, 422, "tags"),
            ("GET", "/v1/traces?tags=rollout_id:\(rollout)&limit=x", nil, 422, "limit"),
            ("GET", "/v1/events", nil, 400, "experiment_id"),
            ("GET", "/v1/rollouts/\(rollout)/traces?requests=x", nil, 422, "requests"),
            ("POST", path, #"{"model":"m","messages":[{"role""#, 400, "JSON"),
            ("POST", path.replacing(rollout, with: "%FF"), "{}", 400, "UTF-8"),
        ]
    }

    mutating func badRequest() async {
        guard let wrong = Self.wrong(place.rollout).randomElement(using: &random) else { return }
        let outcome = await gateway.exchange(
            ChaosRequest(wrong.method, wrong.path, account: place.account, body: wrong.body), .whole)
        guard case .answered(let response) = outcome, response.status != 503 else { return }
        ledger.count("bad requests answered")
        let detail = response.json["detail"]?.string ?? ""
        if response.status != wrong.status || !detail.contains(wrong.name) {
            ledger.fault("\(wrong.method) \(wrong.path) \(wrong.body ?? ""): \(response.status) \(response.text)")
        }
    }
}
