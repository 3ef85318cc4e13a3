// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// Arguments of a ``Tool``, or an answer asked for in a form. Their JSON schema is found by decoding: stored
/// properties become properties, optional ones are not required, nesting, arrays, dictionaries with `String` keys and
/// enumerations that are `CaseIterable` and `RawRepresentable` are understood.
public protocol ToolArguments: Decodable, Sendable {
    /// What properties mean, for the model. Keys are names of properties, `outer.inner` for nested ones.
    static var descriptions: [String: String] { get }

    /// The JSON schema. Write it yourself for what decoding cannot show.
    ///
    /// - Throws: ``ToolError`` when it cannot be found.
    static func schema() throws -> JSONObject
}

extension ToolArguments {
    public static var descriptions: [String: String] { [:] }

    public static func schema() throws -> JSONObject {
        try SchemaProbe.schema(of: Self.self, descriptions: descriptions)
    }
}
