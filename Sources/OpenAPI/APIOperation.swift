// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// What a route takes and answers.
package struct APIOperation: Sendable {
    /// A name for programs, unique in its document. On a second path it gets that path at its end.
    package var id: String
    /// The group it is shown in.
    package var tag: String
    package var summary: String
    package var details: String?
    /// Those in the path are left out where the path does not have them.
    package var parameters: [APIParameter] = []
    /// Of the JSON body; `nil` where there is none.
    package var body: Schema?
    package var answers: [APIAnswer]
    /// Whether it is answered without a key, where others are not.
    package var isOpen = false

    package init(_ id: String, tag: String, _ summary: String, details: String? = nil, answers: [APIAnswer]) {
        self.id = id
        self.tag = tag
        self.summary = summary
        self.details = details
        self.answers = answers
    }

    func json(at path: String, id: String) -> JSONValue {
        var object: JSONObject = [
            "operationId": .string(id), "tags": [.string(tag)], "summary": .string(summary),
        ]
        if let details { object.append("description", .string(details)) }
        let parameters = parameters.filter { $0.place != .path || path.contains("{\($0.name)}") }
        if !parameters.isEmpty { object.append("parameters", .array(parameters.map(\.json))) }
        if let body {
            object.append(
                "requestBody",
                ["required": true, "content": ["application/json": ["schema": .object(body.json)]]])
        }
        object.append(
            "responses", .object(JSONObject(answers.map { (JSONString($0.status), .object($0.shownJSON)) })))
        if isOpen { object.append("security", []) }
        return .object(object)
    }

    var schemas: [Schema] {
        parameters.map(\.schema) + [body].compactMap { $0 } + answers.flatMap { $0.content.map(\.schema) }
    }
}

/// A value outside the body.
package struct APIParameter: Sendable {
    package enum Place: String, Sendable { case path, query, header }

    package let name: String
    package let place: Place
    package let details: String
    package let schema: Schema
    package let isRequired: Bool

    private init(_ name: String, _ place: Place, _ details: String, _ schema: Schema, isRequired: Bool) {
        self.name = name
        self.place = place
        self.details = details
        self.schema = schema
        self.isRequired = isRequired
    }

    package static func path(_ name: String, _ details: String, _ schema: Schema) -> APIParameter {
        APIParameter(name, .path, details, schema, isRequired: true)
    }

    /// An array is a parameter that is repeated: `name=a&name=b`.
    package static func query(
        _ name: String, _ details: String, _ schema: Schema, isRequired: Bool = false
    ) -> APIParameter {
        APIParameter(name, .query, details, schema, isRequired: isRequired)
    }

    package static func header(_ name: String, _ details: String, _ schema: Schema) -> APIParameter {
        APIParameter(name, .header, details, schema, isRequired: false)
    }

    var json: JSONValue {
        [
            "name": .string(name), "in": .string(place.rawValue), "description": .string(details),
            "required": .bool(isRequired), "schema": .object(schema.json),
        ]
    }
}

/// One status that an operation answers with.
package struct APIAnswer: Sendable {
    /// Three digits, or `default` for all others.
    package let status: String
    package let details: String
    package var content: [(type: String, schema: Schema)]
    package var headers: [(name: String, details: String, schema: Schema, isRequired: Bool)] = []
    /// What several operations refer to it by.
    package private(set) var name: String?

    package init(_ status: Int, _ details: String, _ schema: Schema, type: String = "application/json") {
        self.init(String(status), details, [(type, schema)])
    }

    package init(_ status: String, _ details: String, _ content: [(type: String, schema: Schema)]) {
        self.status = status
        self.details = details
        self.content = content
    }

    package func header(_ name: String, _ details: String, _ schema: Schema, isRequired: Bool = true) -> APIAnswer {
        var answer = self
        answer.headers.append((name, details, schema, isRequired))
        return answer
    }

    /// The answer under a name of its own, to be referred to.
    package func named(_ name: String) -> APIAnswer {
        var answer = self
        answer.name = name
        return answer
    }

    /// Where it is one of an operation's.
    var shownJSON: JSONObject { name.map { ["$ref": .string("#/components/responses/\($0)")] } ?? json }

    var json: JSONObject {
        var object: JSONObject = ["description": .string(details)]
        if !headers.isEmpty {
            let pairs = headers.map { header -> (JSONString, JSONValue) in
                (
                    JSONString(header.name),
                    [
                        "description": .string(header.details), "required": .bool(header.isRequired),
                        "schema": .object(header.schema.json),
                    ]
                )
            }
            object.append("headers", .object(JSONObject(pairs)))
        }
        let pairs = content.map { (JSONString($0.type), JSONValue.object(["schema": .object($0.schema.json)])) }
        object.append("content", .object(JSONObject(pairs)))
        return object
    }
}
