// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import WireJSON

extension APIOperation {
    static func postScores(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "postScores", tag: "Rollouts", "Takes what scorers made of rollouts",
            details: "The latest result of each scorer counts for each attempt. To repeat one changes nothing.",
            body: .array(of: .preferably(.scoreBody(limits)), maximum: limits.batchItems),
            answers: [APIAnswer(200, "What became of each; `id` is the rollout's.", .batchAnswer)])
    }
}

extension Schema {
    fileprivate static func scoreBody(_ limits: RouteLimits) -> Schema {
        .object(
            [
                "rollout_id": .rolloutID,
                "scorer": .string(minimum: 1).described(
                    "Its name, of at most \(ScoreRoutes.maximumScorerBytes) bytes."),
                "evaluation_result": .object(["score": .number()]).described("Kept as it comes."),
            ],
            optional: ["attempt": .any(of: [.attemptID, .null]).described("Without it the rollout's newest.")]
        ).named("Score")
    }
}
