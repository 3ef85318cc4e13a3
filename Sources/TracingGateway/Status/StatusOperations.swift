// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import WireJSON

extension APIOperation {
    static func status(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "getStatus", tag: "Status", "Shows how a rollout stands",
            details: "A rollout that nothing is known of has no status, and that is no error.",
            parameters: [
                .query("rollout_id", "The rollout.", .rolloutID, isRequired: true),
                .query("attempt", "One of its attempts; without it the newest.", .attemptID),
                .query(
                    "wait_seconds", "Waits so long for a terminal status before it answers.",
                    .number(minimum: 0, maximum: Int(limits.waitSeconds)).byDefault(0)),
            ],
            answers: [APIAnswer(200, "The status, or null.", .statusAnswer)])
    }
}

extension Schema {
    fileprivate static let statusAnswer = Schema.object([
        "rollout_id": .string(), "status": .any(of: [.status, .null]),
        "extras": .object([:]).orNull.described("Those of the line that set the status."),
        "attempt": .string().orNull,
        "current": .boolean.orNull.described("Whether the attempt is the newest; null if there is none."),
    ]).named("RolloutStatus")
}
