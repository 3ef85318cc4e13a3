// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import Foundation

/// The variables that a rollout's command gets: a few of the environment's own, those configured, and the rollout's.
package struct ProcessVariables: Sendable {
    /// What the command inherits.
    static let inherited = ["PATH", "HOME", "LANG"]
    /// The variable by which a rollout's processes are known wherever they go.
    package static let marker = "ROLLCALL_PROCESS_MARKER"
    /// Variables that nobody can configure, since each rollout has its own.
    private static let own: Set<String> = ["FIREWORKS_API_KEY", "FW_TRACING_GATEWAY_BASE_URL", "TMPDIR"]
    private static let ownPrefixes = ["EP_", "ROLLCALL_"]

    /// Why `name` cannot be configured, if it cannot.
    package static func objection(to name: String) -> String? {
        if name.isEmpty || name.contains("=") || name.contains("\0") || name.first?.isNumber == true {
            return "\"\(name)\" is no name of a variable"
        }
        guard own.contains(name) || ownPrefixes.contains(where: name.hasPrefix) else { return nil }
        return "\(name) is set for each rollout and cannot be configured"
    }

    package var metadata: RolloutMetadata
    package var attempt: AttemptID
    package var model: String
    /// Where the command calls its model; without it, what is configured counts.
    package var modelURL: String?
    package var modelKey: String?
    package var relayURL: String
    package var relayToken: String
    package var folder: String
    package var requestFile: String
    package var markerValue: String
    package var deadline: Date?
    /// What continues the rollout's trace.
    package var trace: [String: String]

    package init(
        metadata: RolloutMetadata, attempt: AttemptID, model: String, modelURL: String?, modelKey: String?,
        relayURL: String, relayToken: String, folder: String, requestFile: String, markerValue: String,
        deadline: Date?, trace: [String: String] = [:]
    ) {
        self.metadata = metadata
        self.attempt = attempt
        self.model = model
        self.modelURL = modelURL
        self.modelKey = modelKey
        self.relayURL = relayURL
        self.relayToken = relayToken
        self.folder = folder
        self.requestFile = requestFile
        self.markerValue = markerValue
        self.deadline = deadline
        self.trace = trace
    }

    package func all(environment: [String: String], configured: [String: String]) -> [String: String] {
        var variables = ["PYTHONUNBUFFERED": "1"]
        for name in Self.inherited { variables[name] = environment[name] }
        variables.merge(configured) { $1 }
        variables.merge(trace) { $1 }
        variables["OPENAI_BASE_URL"] = modelURL ?? variables["OPENAI_BASE_URL"]
        // The client libraries refuse to start without any.
        variables["OPENAI_API_KEY"] = modelKey ?? variables["OPENAI_API_KEY"] ?? "none"
        variables["FW_TRACING_GATEWAY_BASE_URL"] = relayURL
        variables["FIREWORKS_API_KEY"] = relayToken
        variables["EP_ROLLOUT_ID"] = metadata.rolloutID
        variables["EP_INVOCATION_ID"] = metadata.invocationID
        variables["EP_EXPERIMENT_ID"] = metadata.experimentID
        variables["EP_RUN_ID"] = metadata.runID
        variables["EP_ROW_ID"] = metadata.rowID
        variables["ROLLCALL_ATTEMPT"] = attempt.description
        variables["ROLLCALL_MODEL"] = model
        variables["ROLLCALL_INIT_FILE"] = requestFile
        variables["ROLLCALL_DEADLINE"] = deadline.map { String(format: "%.3f", $0.timeIntervalSince1970) }
        variables["TMPDIR"] = folder
        variables[Self.marker] = markerValue
        return variables.mapValues { value in
            // Ids are any text, and the system's end at NUL.
            value.utf8.contains(0) ? value.replacingOccurrences(of: "\0", with: "\u{FFFD}") : value
        }
    }
}
