// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// A server's description in OpenAPI 3.1.
package struct APIDocument: Sendable {
    /// An operation and where it stands; variables of the path in braces.
    package struct Place: Sendable {
        package let method: String
        package let path: String
        package let operation: APIOperation

        package init(method: String, path: String, operation: APIOperation) {
            self.method = method
            self.path = path
            self.operation = operation
        }
    }

    package let json: JSONValue

    /// - Parameters:
    ///   - root: Where the paths begin, seen from where the description is.
    ///   - needsKey: Whether operations that are not open need a bearer key; otherwise any or none will do.
    ///   - places: In the order in which they are to be shown.
    package init(
        title: String, details: String, root: String = "/", needsKey: Bool, keyDetails: String, places: [Place]
    ) {
        var paths = JSONObject()
        var schemas: [String: JSONObject] = [:]
        var answers: [String: JSONObject] = [:]
        var ids: Set<String> = []
        for place in places {
            let operation = place.operation
            for schema in operation.schemas { Schema.merge(schema.named, into: &schemas) }
            for answer in operation.answers {
                if let name = answer.name { Schema.merge([name: answer.json], into: &answers) }
            }
            var id = operation.id
            if !ids.insert(id).inserted {
                id += "_" + Self.words(of: place.path).joined(separator: "_")
                precondition(ids.insert(id).inserted, "two operations are called \(id)")
            }
            var item = paths[place.path]?.object ?? JSONObject()
            item[place.method.lowercased()] = operation.json(at: place.path, id: id)
            paths[place.path] = .object(item)
        }
        var tags: [String] = []
        for place in places where !tags.contains(place.operation.tag) { tags.append(place.operation.tag) }
        let bearer: JSONValue = ["bearer": []]
        json = [
            "openapi": "3.1.0",
            "info": [
                "title": .string(title), "version": "1", "description": .string(details),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": .string(root)]],
            "security": needsKey ? [bearer] : [[:], bearer],
            "tags": .array(tags.map { ["name": .string($0)] }),
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "bearer": ["type": "http", "scheme": "bearer", "description": .string(keyDetails)]
                ],
                "responses": Self.sorted(answers), "schemas": Self.sorted(schemas),
            ],
        ]
    }

    private static func sorted(_ components: [String: JSONObject]) -> JSONValue {
        .object(JSONObject(components.sorted { $0.key < $1.key }.map { (JSONString($0.key), .object($0.value)) }))
    }

    private static func words(of path: String) -> [String] {
        path.split(separator: "/").map { $0.filter { $0 != "{" && $0 != "}" } }
    }
}
