// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import TracingGateway
import WireJSON

@Suite("TracingGateway: logs") struct LogTests {
    @Test("a line comes back as it was posted, with its time and severity") func roundTrip() async throws {
        let line = """
            {"program":"p","message":"hä \\ud83d","tags":["rollout_id:r","a:b:c","rollout_id:r"],
             "status":{"code":101,"message":null,"more":[1,1.0,true]},
             "extras":{"one":1,"float":1.0,"yes":true,"level":"WARNING","timestamp":"2026-01-31T12:00:00.000000Z"}}
            """
        try await GatewayFixture.with { gateway in
            #expect(try await gateway.post("/logs", line).status == 200)
            for route in ["/logs", "/v1/logs"] {
                let response = try await gateway.get("\(route)?tags=rollout_id:r")
                let entries = response.json["entries"]?.array ?? []
                #expect(entries.count == 1)
                let entry = entries.first ?? .null
                #expect(entry["severity"]?.string == "WARNING")
                #expect(entry["program"]?.string == "p")
                #expect(entry["tags"]?.array?.map(\.string) == ["rollout_id:r", "a:b:c"])
                #expect(entry["status"]?.description == #"{"code":101,"message":null,"more":[1,1.0,true]}"#)
                #expect(entry["extras"]?.description.contains(#""one":1,"float":1.0,"yes":true"#) == true)
                #expect(entry["timestamp"]?.string?.hasSuffix("Z") == true)
            }
        }
    }

    @Test("newest first, the limit keeps the newest, program and all tags filter") func searching() async throws {
        try await GatewayFixture.with { gateway in
            for index in 1...5 { try await gateway.log("r", message: "m\(index)") }
            try await gateway.log("other", message: "not mine")
            let few = try await gateway.get("/logs?tags=rollout_id:r&limit=2").json["entries"]?.array
            #expect(few?.map { $0["message"]?.string } == ["m5", "m4"])
            let both = try await gateway.get(
                "/logs?tags=rollout_id:r&tags=run_id:r1&hours_back=24&program=eval_protocol")
            #expect(both.json["entries"]?.array?.count == 5)
            for query in ["tags=rollout_id:r&tags=run_id:r2", "tags=rollout_id:r&program=x", "tags=rollout_id:unknown"]
            {
                let none = try await gateway.get("/logs?\(query)")
                #expect(none.status == 200)
                #expect(none.json["entries"] == .array([]), "\(query)")
            }
            #expect(try await gateway.get("/logs?tags=run_id:r1").json["entries"]?.array?.count == 6)
        }
    }

    @Test("an answer ends early where its lines are too many bytes, and has the line of the status all the same")
    func bytes() async throws {
        try await GatewayFixture.with(configure: { $0.routes.logAnswerBytes = 50_000 }) { gateway in
            try await gateway.log("r", code: 100, message: "the end")
            let text = String(repeating: "x", count: 20_000)
            for number in 1...5 { try await gateway.log("r", message: "\(number)\(text)") }
            let entries = try await gateway.get("/logs?tags=rollout_id:r&limit=1000").json["entries"]?.array
            #expect(entries?.compactMap { $0["message"]?.string?.first } == ["5", "4", "t"])
        }
    }

    @Test("line and status become visible together, for every rollout tag; the attempt is the first one's")
    func everyTag() async throws {
        let line = """
            {"tags":["rollout_id:a","rollout_id:b"],"message":"m","status":{"code":100,"message":"done","details":[]},
             "extras":{"rollcall":{"attempt":"x"}}}
            """
        try await GatewayFixture.with { gateway in
            let posted = try await gateway.post("/logs", line)
            #expect(posted.json == ["attempt": 1, "current": true, "final": 100])
            for (rollout, attempt) in [("a", "x"), ("b", nil)] as [(String, String?)] {
                #expect(try await gateway.status(rollout)["attempt"]?.string == attempt)
            }
            for rollout in ["a", "b"] {
                #expect(try await gateway.status(rollout)["status"]?["code"]?.int == 100)
                #expect(try await gateway.get("/logs?tags=rollout_id:\(rollout)").json["entries"]?.array?.count == 1)
            }
        }
    }

    @Test("a post is answered with attempt, current and final") func receipts() async throws {
        try await GatewayFixture.with { gateway in
            let plain = try await gateway.log("plain", code: 101)
            #expect(plain == ["attempt": nil, "current": nil, "final": nil])
            let lines: [(code: Int?, attempt: String, number: JSONValue, current: Bool, final: JSONValue)] = [
                (101, "a", 1, true, nil), (100, "a", 1, true, 100), (101, "b", 2, true, nil), (nil, "a", 1, false, 100),
            ]
            for line in lines {
                let answer = try await gateway.log("r", code: line.code, attempt: line.attempt)
                #expect(answer == ["attempt": line.number, "current": .bool(line.current), "final": line.final])
            }
        }
    }

    @Test("the path's attempt beats the body's") func pathAttempt() async throws {
        try await GatewayFixture.with { gateway in
            for route in ["/attempt/p1/logs", "/attempt/p2/v1/logs"] {
                let response = try await gateway.post(route, GatewayFixture.line("r", code: 101, attempt: "body"))
                #expect(response.json["current"]?.bool == true)
            }
            let batch = try await gateway.post(
                "/attempt/p3/v1/logs/batch", [GatewayFixture.line("r", code: 101, attempt: "body")])
            #expect(batch.json["results"]?[0]?["attempt"]?.int == 3)
            #expect(try await gateway.status("r")["attempt"]?.string == "p3")
        }
    }

    @Test("a batch keeps its order, and a repeat of account, id and content changes nothing") func batch() async throws
    {
        @Sendable func item(_ id: String, _ message: String) -> JSONValue {
            var line = GatewayFixture.line("r", message: message).object ?? [:]
            line.append("id", .string(id))
            return .object(line)
        }
        try await GatewayFixture.with { gateway in
            let first = try await gateway.post("/v1/logs/batch", [item("1", "one"), item("2", "two")])
            #expect(first.status == 200)
            #expect(first.json["results"]?.array?.map { $0["duplicate"]?.bool } == [false, false])
            let again = try await gateway.post(
                "/v1/logs/batch", [item("2", "two"), item("1", "other"), item("3", "three")])
            #expect(again.json["results"]?.array?.map { $0["duplicate"]?.bool } == [true, false, false])
            let entries = try await gateway.get("/logs?tags=rollout_id:r").json["entries"]?.array
            #expect(entries?.map { $0["message"]?.string } == ["three", "other", "two", "one"])
            #expect(try await gateway.post("/v1/logs/batch", "[]").json["results"] == .array([]))
        }
    }

    @Test("older attempts and superseded lines are left out unless asked for") func attempts() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 101, message: "a running", attempt: "a")
            try await gateway.log("r", code: 13, message: "a failed", attempt: "a")
            try await gateway.log("r", code: 100, message: "a too late", attempt: "a")
            try await gateway.log("r", code: 101, message: "b running", attempt: "b")
            @Sendable func messages(_ query: String) async throws -> [String?] {
                let entries = try await gateway.get("/logs?tags=rollout_id:r\(query)").json["entries"]?.array ?? []
                return entries.map { $0["message"]?.string }
            }
            #expect(try await messages("") == ["b running"])
            #expect(try await messages("&attempt=all") == ["b running", "a too late", "a failed", "a running"])
            let late = try await gateway.get("/logs?tags=rollout_id:r&attempt=all").json["entries"]?[1]
            #expect(late?["superseded"]?.bool == true)
            #expect(try await messages("&attempt=b") == ["b running"])
        }
    }

    @Test("the line that set the status is there whatever the limit") func statusLine() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 101, message: "running", attempt: "a")
            try await gateway.log("r", code: 100, message: "done", attempt: "a")
            for index in 1...5 { try await gateway.log("r", message: "m\(index)", attempt: "a") }
            for (limit, count) in [(0, 1), (1, 1), (2, 2), (100, 7)] {
                let entries = try await gateway.get("/logs?tags=rollout_id:r&limit=\(limit)").json["entries"]?.array
                #expect(entries?.count == count && entries?.contains { $0["message"]?.string == "done" } == true)
            }
        }
    }
}
