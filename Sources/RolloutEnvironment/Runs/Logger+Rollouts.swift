// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging

/// The lines of the environment's own log that there is one of for each rollout; programs read their metadata.
extension Logger {
    func accepted(_ key: RolloutRegistry.Key) { info("accepted a rollout", metadata: key.logMetadata) }

    /// - Parameter durations: How long the agent worked, and how long the rollout waited for it.
    func ended(_ key: RolloutRegistry.Key, _ status: Status, _ durations: Logger.Metadata = [:]) {
        var metadata = key.logMetadata.merging(durations) { $1 }
        metadata["code"] = "\(status.code.rawValue)"
        metadata["status"] = "\(status.code.name)"
        if !status.isSuccess {
            metadata["reason"] = "\(status.errorInfos.first { $0.reason != "EXTRA_INFO" }?.reason ?? "")"
            metadata["details"] = "\(status.message)"
        }
        // A caller that cancels gets what it wants.
        let level = status.isSuccess || status.code == .cancelled ? Level.info : .warning
        log(level: level, "a rollout has ended", metadata: metadata)
    }

    /// - Parameter rollout: What the request says of it, if it can be read.
    func refused(_ rollout: RolloutMetadata?, _ answer: InitAnswer, after duration: Duration) {
        var metadata: Logger.Metadata = [
            "code": "\(answer.status)", "duration_seconds": "\(duration / .seconds(1))",
        ]
        if let rollout {
            // Nobody has vouched for these yet.
            metadata["rollout_id"] = "\(rollout.rolloutID.prefix(200))"
            if let attempt = rollout.attempt { metadata["attempt"] = "\(attempt)" }
        }
        if let problem = answer.problem {
            metadata["reason"] = "\(problem.code)"
            metadata["details"] = "\(problem.message)"
        }
        if let id = answer.headers.first(where: { $0.name == "x-rollcall-request-id" })?.value {
            metadata["request_id"] = "\(id)"
        }
        notice("refused a request", metadata: metadata)
    }
}

extension RolloutRegistry.Key {
    var logMetadata: Logger.Metadata { ["rollout_id": "\(rolloutID)", "attempt": "\(attempt)"] }
}
