// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

// An agent that imports RolloutEnvironment works with messages, statuses, JSON and a logger; it should not have to
// know which modules they live in.
@_exported public import EvalProtocol
@_exported public import Logging
@_exported public import WireJSON
