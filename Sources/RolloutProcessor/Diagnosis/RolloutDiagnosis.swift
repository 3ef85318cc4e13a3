// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// What is known about a rollout that seems to stand still, and what to look at.
public struct RolloutDiagnosis: Sendable, Hashable {
    /// The model calls that the gateway has seen under the rollout's tagged URL.
    public struct Calls: Sendable, Hashable {
        public var started: Int
        public var recorded: Int
        public var failed: Int
        public var cut: Int
        public var unrecorded: Int

        public init(started: Int = 0, recorded: Int = 0, failed: Int = 0, cut: Int = 0, unrecorded: Int = 0) {
            self.started = started
            self.recorded = recorded
            self.failed = failed
            self.cut = cut
            self.unrecorded = unrecorded
        }

        var seen: Int { max(started, recorded + failed + cut + unrecorded) }
        var open: Int { max(0, started - recorded - failed - cut) }
    }

    public var rolloutID: String
    public var environmentURL: String
    public var gatewayURL: String
    /// Whether `/init` was sent, and whether it was answered.
    public var triggered: Bool
    public var accepted: Bool
    /// `nil`: the gateway does not tell.
    public var calls: Calls?
    /// Log lines that the gateway has of the rollout; `nil`: it does not tell.
    public var logs: Int?
    public var status: Status?
    /// Why the gateway could not be asked.
    public var gatewayFailure: String?

    public init(
        rolloutID: String, environmentURL: String, gatewayURL: String, triggered: Bool, accepted: Bool,
        calls: Calls? = nil, logs: Int? = nil, status: Status? = nil, gatewayFailure: String? = nil
    ) {
        self.rolloutID = rolloutID
        self.environmentURL = environmentURL
        self.gatewayURL = gatewayURL
        self.triggered = triggered
        self.accepted = accepted
        self.calls = calls
        self.logs = logs
        self.status = status
        self.gatewayFailure = gatewayFailure
    }
}

extension RolloutDiagnosis: CustomStringConvertible {
    public var description: String {
        "rollout \(rolloutID): \(observations.joined(separator: ", ")). \(advice)"
    }

    /// What has been seen, in the order in which a rollout goes.
    public var observations: [String] {
        var seen = ["/init \(accepted ? "accepted" : triggered ? "sent, not answered" : "not sent")"]
        if let calls {
            seen.append(
                calls.seen == 0
                    ? "no model call"
                    : "model calls: \(calls.seen) seen, \(calls.recorded) recorded, \(calls.failed) failed, "
                        + "\(calls.open) running")
        }
        if let logs { seen.append(logs == 0 ? "no log line" : "\(logs) log \(logs == 1 ? "line" : "lines")") }
        seen.append(status.map { "status \($0.code.name)" } ?? "no status")
        return seen
    }

    /// The most likely reason and the variable or flag to check.
    public var advice: String {
        if let gatewayFailure {
            return "The gateway at \(gatewayURL) could not be asked (\(gatewayFailure)): check --gateway or "
                + "EP_MODEL_BASE_URL, and EP_REMOTE_API_KEY or FIREWORKS_API_KEY if it has keys"
        }
        if let status, status.isTerminal { return "It has ended; its result is about to be read" }
        guard triggered else {
            return "The gateway at \(gatewayURL) has not taken it yet: check --gateway or EP_MODEL_BASE_URL"
        }
        let callsSeen = calls?.seen ?? 0
        if let calls, calls.open > 0 { return "A model call is running: the upstream takes its time" }
        if let calls, calls.failed > 0, calls.recorded == 0 {
            return "Every model call failed: check the gateway's --upstream and its key, or --model and --model-url"
        }
        let logsSeen = (logs ?? 0) > 0 || status != nil
        switch (accepted, callsSeen > 0, logsSeen) {
        case (false, false, false):
            return "The environment at \(environmentURL) has shown no sign: check --environment, and that it answers "
                + "/init while its agent works"
        case (_, true, false):
            return "Its model calls arrive but no log line does: set FW_TRACING_GATEWAY_BASE_URL=\(gatewayURL) in the "
                + "environment's process, and its log level to INFO"
        case (true, false, false):
            return "Nothing of it has reached the gateway: set FW_TRACING_GATEWAY_BASE_URL=\(gatewayURL) in the "
                + "environment's process, and let its agent call the model at /init's model_base_url"
        case (_, false, true) where calls != nil:
            return "It logs but calls no model through the gateway: let the agent use /init's model_base_url and "
                + "api_key, or wait if it is busy with something else"
        default:
            return "It is working, or its environment forgot the terminal status: look at its logs at "
                + "\(gatewayURL)/v1/rollouts/\(rolloutID)"
        }
    }
}
