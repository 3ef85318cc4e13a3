// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import WireJSON

/// A status that a gateway's event stream tells.
public struct StatusEvent: Sendable, Hashable {
    public var rolloutID: String
    /// The attempt that has the status, when it has a name.
    public var attempt: AttemptID?
    public var status: Status
    /// The extras of the line that carried the status.
    public var extras: JSONObject
    /// The event's place in the stream; `nil` for a status that was current when the stream began.
    public var id: String?

    public init(
        rolloutID: String, attempt: AttemptID? = nil, status: Status, extras: JSONObject = [:], id: String? = nil
    ) {
        self.rolloutID = rolloutID
        self.attempt = attempt
        self.status = status
        self.extras = extras
        self.id = id
    }

    /// Reads an event's data; `nil` when it is not that of a status.
    init?(data: [UInt8], id: String?) {
        guard let value = try? JSONValue(parsing: data), let rolloutID = value["rollout_id"]?.string else { return nil }
        let answer = RolloutStatus(rolloutID: rolloutID, value)
        guard let status = answer.status else { return nil }
        self.init(
            rolloutID: rolloutID, attempt: answer.attempt, status: status, extras: answer.extras ?? [:], id: id)
    }
}

/// Which rollouts an event stream tells about: those with any of the ids of every kind that is not empty.
public struct EventFilter: Sendable, Hashable {
    public var experimentIDs: [String]
    public var runIDs: [String]
    public var invocationIDs: [String]
    public var rolloutIDs: [String]

    public init(
        experimentIDs: [String] = [], runIDs: [String] = [], invocationIDs: [String] = [], rolloutIDs: [String] = []
    ) {
        self.experimentIDs = experimentIDs
        self.runIDs = runIDs
        self.invocationIDs = invocationIDs
        self.rolloutIDs = rolloutIDs
    }

    var query: [(String, String)] {
        experimentIDs.map { ("experiment_id", $0) } + runIDs.map { ("run_id", $0) }
            + invocationIDs.map { ("invocation_id", $0) } + rolloutIDs.map { ("rollout_id", $0) }
    }
}
