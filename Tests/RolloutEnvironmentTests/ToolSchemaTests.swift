// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import RolloutEnvironment
import Testing
import WireJSON

@Suite("RolloutEnvironment: schemas of tool arguments") struct ToolSchemaTests {
    enum Unit: String, Decodable, CaseIterable { case celsius, fahrenheit }
    enum Level: Int, Decodable, CaseIterable { case low = 1, high = 2 }
    struct Place: Decodable, Sendable { var city: String; var zip: Int? }

    struct Everything: ToolArguments {
        var place: Place
        var unit: Unit
        var level: Level?
        var days: [Int]
        var places: [Place]?
        var factor: Double
        var isShort: Bool?
        var notes: [String: String]
        var anything: JSONValue
        static let descriptions = ["unit": "The scale.", "place.city": "Its name."]
    }

    @Test("properties, optionals, nesting, arrays, enumerations and dictionaries are found") func everything() throws {
        let expected: JSONValue = [
            "type": "object",
            "properties": [
                "place": [
                    "type": "object",
                    "properties": [
                        "city": ["type": "string", "description": "Its name."], "zip": ["type": "integer"],
                    ],
                    "required": ["city"], "additionalProperties": false,
                ],
                "unit": ["type": "string", "enum": ["celsius", "fahrenheit"], "description": "The scale."],
                "level": ["type": "integer", "enum": [1, 2]],
                "days": ["type": "array", "items": ["type": "integer"]],
                "places": [
                    "type": "array",
                    "items": [
                        "type": "object", "properties": ["city": ["type": "string"], "zip": ["type": "integer"]],
                        "required": ["city"], "additionalProperties": false,
                    ],
                ],
                "factor": ["type": "number"],
                "isShort": ["type": "boolean"],
                "notes": ["type": "object", "additionalProperties": ["type": "string"]],
                "anything": [:],
            ],
            "required": ["place", "unit", "days", "factor", "notes", "anything"],
            "additionalProperties": false,
        ]
        #expect(JSONValue.object(try Everything.schema()) == expected)
    }

    struct Nothing: ToolArguments {}

    @Test("arguments without properties are an empty object") func nothing() throws {
        #expect(try Nothing.schema()["type"] == "object")
    }

    final class Endless: ToolArguments { let next: Endless }

    struct Hidden: ToolArguments {
        init(from decoder: any Decoder) throws { _ = try decoder.unkeyedContainer() }
    }

    struct Picky: ToolArguments {
        init(from decoder: any Decoder) throws {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no"))
        }
    }

    @Test("types without a schema to be found are refused with a sentence") func refused() {
        for type in [Endless.self, Hidden.self, Picky.self] as [any ToolArguments.Type] {
            let error = #expect(throws: ToolError.self) { try type.schema() }
            #expect(error?.description.contains("schema() yourself") == true)
        }
    }
}
