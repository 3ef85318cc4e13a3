// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Why an agent stopped, as Eval Protocol names it.
public enum TerminationReason: String, Sendable, Hashable, CaseIterable {
    case stop
    case length
    case toolCalls = "tool_calls"
    case maxSteps = "max_steps"
    case controlPlaneSignal = "control_plane_signal"
    case userStop = "user_stop"
    case skippableError = "skippable_error"
    case nonSkippableError = "non_skippable_error"
}
