// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOHTTP1
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: the description") struct DescriptionTests {
    private static func environment(keys: [String] = []) -> RolloutEnvironment {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.acceptedAPIKeys = keys
        return RolloutEnvironment(configuration) { _ in .finished() }
    }

    @Test("has every route and what it refers to; each path takes the method that is described, and names it to others")
    func complete() async throws {
        try await ServedEnvironment.with(Self.environment()) { environment in
            let document = try #require(try await environment.send(.GET, "/openapi.json").json)
            #expect(document["openapi"] == "3.1.0")
            #expect(faults(ofDescription: document).isEmpty)
            let expected: [String: String] = [
                "/init": "post", "/cancel": "post", "/status": "get", "/health": "get", "/metrics": "get",
                "/openapi.json": "get",
                "/": "get, post",
            ]
            var found: [String: String] = [:]
            for path in document["paths"]?.object?.members ?? [] {
                found[path.key.text] = path.value.object?.keys.sorted().joined(separator: ", ")
            }
            #expect(found == expected)
            for (path, described) in expected {
                for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
                    let answer = try await environment.send(HTTPMethod(rawValue: method), path)
                    let taken = described.uppercased().split(separator: ", ").map(String.init)
                    if taken.contains(method) {
                        #expect([200, 400].contains(answer.status), "\(method) \(path)")
                    } else {
                        #expect(answer.status == (method == "OPTIONS" ? 204 : 405), "\(method) \(path)")
                        let allowed = answer.headers.first(name: "allow")?.split(separator: ", ").map(String.init) ?? []
                        #expect(Set(allowed) == Set(taken + ["OPTIONS"]))
                    }
                }
            }
        }
    }

    @Test("needs no key, and says what does") func keys() async throws {
        try await ServedEnvironment.with(Self.environment(keys: ["secret"])) { environment in
            let document = try #require(try await environment.send(.GET, "/openapi.json").json)
            #expect(document["security"] == [["bearer": []]])
            for (path, isOpen) in [("/health", true), ("/openapi.json", true), ("/status", false)] {
                #expect((document["paths"]?[path]?["get"]?["security"] == []) == isOpen)
                let status = try await environment.send(.GET, path).status
                #expect((status != 401) == isOpen)
            }
        }
        try await ServedEnvironment.with(Self.environment()) { environment in
            let document = try await environment.send(.GET, "/openapi.json").json
            #expect(document?["security"] == [[:], ["bearer": []]])
        }
    }
}
