// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// What is wrong with a description in OpenAPI by its own rules: references that lead nowhere, components that nothing
/// refers to, variables of paths without a parameter and the reverse, ids that are not unique.
package func faults(ofDescription document: JSONValue) -> [String] {
    var faults: [String] = []
    let references = Set(references(in: document))
    var components: Set<String> = []
    for kind in ["schemas", "responses"] {
        for name in document["components"]?[kind]?.object?.keys ?? [] {
            components.insert("#/components/\(kind)/\(name)")
        }
    }
    faults += references.subtracting(components).map { "\($0) leads nowhere" }
    faults += components.subtracting(references).map { "nothing refers to \($0)" }
    var ids: Set<String> = []
    for path in document["paths"]?.object?.members ?? [] {
        let variables = path.key.text.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            $0.dropFirst().dropLast()
        }
        for operation in path.value.object?.members ?? [] {
            let place = "\(operation.key.text) \(path.key.text)"
            let id = operation.value["operationId"]?.string ?? ""
            if id.isEmpty || !ids.insert(id).inserted {
                faults.append("\(place): the id '\(id)' is empty or not its own")
            }
            let parameters = operation.value["parameters"]?.array ?? []
            let named = parameters.filter { $0["in"] == "path" }.compactMap { $0["name"]?.string }
            if named.sorted() != variables.map(String.init).sorted() { faults.append("\(place) describes \(named)") }
        }
    }
    return faults.sorted()
}

private func references(in value: JSONValue) -> [String] {
    switch value {
    case .array(let elements): elements.flatMap(references)
    case .object(let object):
        object.members.flatMap { member in
            member.key.text == "$ref" ? [member.value.string].compactMap { $0 } : references(in: member.value)
        }
    default: []
    }
}
