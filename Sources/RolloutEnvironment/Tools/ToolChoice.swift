// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Which tools a model may call, or must.
public enum ToolChoice: Sendable, Hashable {
    /// Any, or none, as it likes.
    case auto
    /// None, though it is shown them: the API's `none`.
    case never
    /// At least one.
    case required
    /// The one of this name.
    case tool(String)

    /// As the chat completions API has it.
    var json: JSONValue {
        switch self {
        case .auto: "auto"
        case .never: "none"
        case .required: "required"
        case .tool(let name): ["type": "function", "function": ["name": .string(name)]]
        }
    }
}
