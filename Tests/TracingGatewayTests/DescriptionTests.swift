// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import ModelProxy
import TestSupport
import Testing
import TracingGateway
import WireJSON

@Suite("TracingGateway: the description") struct DescriptionTests {
    private static func description(_ gateway: GatewayFixture) async throws -> JSONValue {
        let answer = try await gateway.get("/openapi.json")
        try #require(answer.status == 200)
        return answer.json
    }

    @Test("is whole: what it refers to is there, and what is there is referred to") func references() async throws {
        try await GatewayFixture.with { gateway in
            let document = try await Self.description(gateway)
            #expect(document["openapi"] == "3.1.0")
            #expect(faults(ofDescription: document).isEmpty)
        }
    }

    /// What clients rely on; a route that goes, or comes, is seen here.
    private static let routes: [String: [String]] = [
        "/logs": ["GET", "POST"], "/v1/logs": ["GET", "POST"], "/attempt/{attempt}/logs": ["POST"],
        "/attempt/{attempt}/v1/logs": ["POST"], "/v1/logs/batch": ["POST"],
        "/attempt/{attempt}/v1/logs/batch": ["POST"], "/v1/status": ["GET"], "/status": ["GET"],
        "/v1/events": ["GET"], "/traces": ["GET"], "/traces/pointwise": ["GET"], "/v1/traces": ["GET"],
        "/v1/traces/pointwise": ["GET"], "/project_id/{project}/traces": ["GET"],
        "/project_id/{project}/traces/pointwise": ["GET"], "/v1/project_id/{project}/traces": ["GET"],
        "/v1/project_id/{project}/traces/pointwise": ["GET"], "/v1/rollouts": ["DELETE", "POST"],
        "/v1/scores": ["POST"],
        "/v1/rollouts/{rollout_id}": ["DELETE", "GET"], "/v1/rollouts/{rollout_id}/traces": ["GET"], "/health": ["GET"],
        "/ready": ["GET"], "/metrics": ["GET"],
        "/openapi.json": ["GET"], "/v1/models/{model}": ["GET"], "/models/{model}": ["GET"],
    ]

    private static let tags =
        "/rollout_id/{rollout_id}/invocation_id/{invocation_id}/experiment_id/{experiment_id}/run_id/{run_id}"
        + "/row_id/{row_id}"
    private static let modelForms = [
        "", "/v1", tags, "/attempt/{attempt}" + tags, "/project_id/{project_id}" + tags,
        tags + "/encoded_base_url/{encoded_base_url}",
    ]

    @Test("has every route, and no other") func complete() async throws {
        var expected = Self.routes
        for form in Self.modelForms {
            expected[form + "/chat/completions"] = ["POST"]
            expected[form + "/embeddings"] = ["POST"]
            expected[form + "/models"] = ["GET"]
        }
        try await GatewayFixture.with { [expected] gateway in
            let paths = try #require(try await Self.description(gateway)["paths"]?.object)
            let described = Dictionary(
                uniqueKeysWithValues: paths.members.map {
                    ($0.key.text, ($0.value.object?.keys ?? []).map { $0.uppercased() }.sorted())
                })
            #expect(described == expected)
        }
    }

    @Test("each path takes the methods that are described, names them to any other, and tells a request id")
    func methods() async throws {
        try await GatewayFixture.with { gateway in
            let paths = try #require(try await Self.description(gateway)["paths"]?.object)
            for path in paths.members {
                let described = (path.value.object?.keys ?? []).map { $0.uppercased() }
                let example = path.key.text.replacing("{encoded_base_url}", with: "aHR0cDovL3g").replacing(
                    "{", with: ""
                )
                .replacing("}", with: "")
                for method in described {
                    let answer = try await gateway.request(method, example)
                    #expect(![405, 500].contains(answer.status), "\(method) \(example): \(answer.text)")
                    #expect(answer.json["error"]?["code"] != "not_found", "\(method) \(example)")
                    #expect(answer.header("x-rollcall-request-id") != nil, "\(method) \(example)")
                }
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
                where !described.contains(method) {
                    let answer = try await gateway.request(method, example)
                    #expect(answer.status == 405, "\(method) \(example): \(answer.text)")
                    #expect(answer.header("x-rollcall-request-id") != nil, "\(method) \(example)")
                    let allowed = answer.header("allow")?.split(separator: ", ").map(String.init) ?? []
                    #expect(
                        allowed.filter { $0 != "HEAD" } == described.sorted(), "\(method) \(example) takes \(allowed)")
                }
            }
        }
    }

    @Test("needs no key, and says what does") func keys() async throws {
        try await GatewayFixture.with(keys: KeyRing(list: "secret")) { gateway in
            let document = try await Self.description(gateway)
            #expect(document["security"] == [["bearer": []]])
            for path in document["paths"]?.object?.members ?? [] where !path.key.text.contains("{") {
                for operation in path.value.object?.members ?? [] {
                    let isOpen = operation.value["security"] == []
                    let method = operation.key.text.uppercased()
                    let answer = try await gateway.request(method, path.key.text)
                    #expect((answer.status != 401) == isOpen, "\(method) \(path.key.text): \(answer.status)")
                    if !isOpen { #expect(answer.header("www-authenticate") == "Bearer") }
                }
            }
        }
        try await GatewayFixture.with { gateway in
            let document = try await Self.description(gateway)
            #expect(document["security"] == [[:], ["bearer": []]])
        }
    }

    @Test("speaks of the limits that this gateway has") func limits() async throws {
        try await GatewayFixture.with {
            $0.routes.batchItems = 7
            $0.routes.waitSeconds = 3
        } _: { gateway in
            let paths = try await Self.description(gateway)["paths"]
            let batch = paths?["/v1/logs/batch"]?["post"]?["requestBody"]?["content"]?["application/json"]?["schema"]
            #expect(batch?["maxItems"] == 7)
            let wait = paths?["/v1/status"]?["get"]?["parameters"]?.array?.first { $0["name"] == "wait_seconds" }
            #expect(wait?["schema"]?["maximum"] == 3)
        }
    }
}
