// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import TestSupport
import Testing
import WireJSON

@Suite("OpenAPI: the document") struct APIDocumentTests {
    private static let leaf = Schema.string(minimum: 1).named("Leaf")
    private static let tree = Schema.object(["leaf": leaf], optional: ["more": .array(of: leaf)]).named("Tree")

    private static func operation(_ id: String) -> APIOperation {
        var operation = APIOperation(
            id, tag: "t", "Does it",
            answers: [APIAnswer(200, "Done.", tree), .problem(400, "Wrong.").named("Wrong")])
        operation.parameters = [.path("a", "An a.", .string()), .query("q", "A q.", .integer(minimum: 0))]
        return operation
    }

    private static func document(needsKey: Bool = true, _ places: [(String, String, APIOperation)]) -> JSONValue {
        APIDocument(
            title: "x", details: "y", needsKey: needsKey, keyDetails: "z",
            places: places.map { APIDocument.Place(method: $0.0, path: $0.1, operation: $0.2) }
        ).json
    }

    @Test("holds every schema that is referred to, those within others too") func components() {
        let document = Self.document([("GET", "/a/{a}", Self.operation("get"))])
        #expect(document["components"]?["schemas"]?.object?.keys == ["Error", "Leaf", "Tree"])
        #expect(document["components"]?["responses"]?.object?.keys == ["Wrong"])
        #expect(faults(ofDescription: document).isEmpty)
    }

    @Test("an operation on two paths has two ids, and only the variables of the path") func paths() {
        let document = Self.document([
            ("GET", "/x", Self.operation("get")), ("GET", "/v1/x/{a}", Self.operation("get")),
            ("POST", "/x", Self.operation("post")),
        ])
        let paths = document["paths"]
        #expect(paths?.object?.keys == ["/x", "/v1/x/{a}"])
        #expect(paths?["/x"]?.object?.keys == ["get", "post"])
        #expect(paths?["/x"]?["get"]?["operationId"] == "get")
        #expect(paths?["/v1/x/{a}"]?["get"]?["operationId"] == "get_v1_x_a")
        #expect(paths?["/x"]?["get"]?["parameters"]?.array?.compactMap { $0["name"]?.string } == ["q"])
        #expect(paths?["/v1/x/{a}"]?["get"]?["parameters"]?.array?.compactMap { $0["name"]?.string } == ["a", "q"])
    }

    @Test("says who needs a key") func security() {
        var open = Self.operation("get")
        open.isOpen = true
        let places = [("GET", "/open", open), ("GET", "/closed", Self.operation("other"))]
        let keyed = Self.document(places)
        #expect(keyed["security"] == [["bearer": []]])
        #expect(keyed["paths"]?["/open"]?["get"]?["security"] == [])
        #expect(keyed["paths"]?["/closed"]?["get"]?["security"] == nil)
        #expect(Self.document(needsKey: false, places)["security"] == [[:], ["bearer": []]])
    }

    @Test("null is added to a type, and to what has none") func null() {
        let text: JSONObject = ["type": ["string", "null"], "minLength": 2]
        #expect(Schema.string(minimum: 2).orNull.json == text)
        let leaf: JSONObject = ["anyOf": [["$ref": "#/components/schemas/Leaf"], ["type": "null"]]]
        #expect(Self.leaf.orNull.json == leaf)
    }
}
