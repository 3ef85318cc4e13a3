// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// `completion_params`: the model and how to sample from it, with whatever else the caller put there.
public struct CompletionParameters: Sendable, Hashable {
    public var model: String
    /// Every member but `model`, in order.
    public var additional: JSONObject

    public init(model: String, additional: JSONObject = [:]) {
        self.model = model
        self.additional = additional
    }

    /// Where the model is to be called in the end; travels in the tagged path and never in a model call.
    public var baseURL: String? { additional["base_url"]?.string }

    /// The parameters that belong into a chat completions request: no `base_url`, no nulls.
    public var forModel: JSONObject {
        var object: JSONObject = ["model": .string(model)]
        for member in additional.members where member.key.text != "base_url" && member.value != .null {
            object.append(member.key.text, member.value)
        }
        return object
    }
}

extension CompletionParameters: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        model = try reader["model"].nonEmptyString()
        additional = object.removing(["model"])
    }

    public var json: JSONValue {
        var object: JSONObject = ["model": .string(model)]
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
