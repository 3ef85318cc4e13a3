// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import Logging

/// Which rollout a line belongs to, found out from all that could tell.
package struct LineOrigin: Sendable, Equatable {
    /// The line's tags: the rollout's first.
    package var tags: [String]
    package var attempt: AttemptID?
    package var destination: LogDestination?

    /// Metadata that becomes tags and therefore does not stand among the extras.
    package static let metadataKeys = ["rollout_id", "rollout_ids", "experiment_id", "run_id"]

    /// `nil` for a line outside any rollout.
    ///
    /// - Parameters:
    ///   - call: The metadata of the log call.
    ///   - task: The rollout that the task works for.
    ///   - own: The metadata of the handler and its provider.
    ///   - rollout: The handler's rollout.
    ///   - configuredRolloutID: The rollout of the whole process.
    package init?(
        call: Logger.Metadata, task: RolloutContext?, own: Logger.Metadata, rollout: RolloutContext?,
        configuredRolloutID: String?
    ) {
        if Self.primaryID(call) != nil {
            self.init(call, known: [task, rollout])
            return
        }
        if let task {
            self.init(task)
        } else if Self.primaryID(own) != nil {
            self.init(own, known: [rollout])
        } else if let rollout {
            self.init(rollout)
        } else if let configuredRolloutID {
            self.init(tags: ["rollout_id:\(configuredRolloutID)"])
        } else {
            return nil
        }
        // The call may still say more about the line than its rollout: members of a group, another experiment.
        refine(with: call)
    }

    private init(tags: [String], attempt: AttemptID? = nil, destination: LogDestination? = nil) {
        self.tags = tags
        self.attempt = attempt
        self.destination = destination
    }

    private init(_ context: RolloutContext) {
        self.init(tags: context.metadata.logTags, attempt: context.attempt, destination: context.destination)
    }

    /// Takes the ids from metadata; what it does not tell of a rollout that is known, that rollout tells.
    private init(_ metadata: Logger.Metadata, known contexts: [RolloutContext?]) {
        let rolloutID = Self.primaryID(metadata) ?? ""
        let contexts = contexts.compactMap { $0 }
        if let context = contexts.first(where: { $0.rolloutID == rolloutID }) {
            self.init(context)
        } else {
            // Another rollout's gateway is most likely the one that this process uses now.
            self.init(tags: ["rollout_id:\(rolloutID)"], destination: contexts.first?.destination)
        }
        refine(with: metadata)
    }

    private mutating func refine(with metadata: Logger.Metadata) {
        for name in ["experiment_id", "run_id"] {
            guard let id = Self.id(name, in: metadata) else { continue }
            tags.removeAll { $0.hasPrefix("\(name):") }
            tags.append("\(name):\(id)")
        }
        for id in Self.groupIDs(metadata) where !tags.contains("rollout_id:\(id)") { tags.append("rollout_id:\(id)") }
    }

    private static func primaryID(_ metadata: Logger.Metadata) -> String? {
        id("rollout_id", in: metadata) ?? groupIDs(metadata).first
    }

    private static func id(_ name: String, in metadata: Logger.Metadata) -> String? {
        guard let text = metadata[name]?.description, !text.isEmpty else { return nil }
        return text
    }

    private static func groupIDs(_ metadata: Logger.Metadata) -> [String] {
        guard case .array(let ids)? = metadata["rollout_ids"] else { return [] }
        return ids.map(\.description).filter { !$0.isEmpty }
    }
}
