// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import TracingGateway
import WireJSON

@Suite("TracingGateway: status") struct StatusTests {
    @Test("an unknown rollout is 200 with null, by both routes") func unknown() async throws {
        try await GatewayFixture.with { gateway in
            for route in ["/v1/status", "/status"] {
                let response = try await gateway.get("\(route)?rollout_id=nobody%20here")
                #expect(response.status == 200)
                #expect(
                    response.json == [
                        "rollout_id": "nobody here", "status": nil, "extras": nil, "attempt": nil, "current": nil,
                    ])
            }
        }
    }

    @Test("without attempts the latest line wins") func latestWins() async throws {
        try await GatewayFixture.with { gateway in
            for code in [101, 13, 100, 101, 14] {
                try await gateway.log("r", code: code)
                #expect(try await gateway.status("r")["status"]?["code"]?.int == code)
            }
            let status = try await gateway.status("r")
            #expect(status["status"] == ["code": 14, "message": "status 14", "details": []])
            #expect(status["extras"]?["level"]?.string == "INFO")
        }
    }

    @Test("a RUNNING that was sent before the terminal line does not undo it") func lateRunning() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 100, timestamp: "2026-01-31T12:00:01Z")
            try await gateway.log("r", code: 101, timestamp: "2026-01-31T12:00:00Z")
            #expect(try await gateway.status("r")["status"]?["code"]?.int == 100)
            try await gateway.log("r", code: 101, timestamp: "2026-01-31T12:00:02Z")
            #expect(try await gateway.status("r")["status"]?["code"]?.int == 101)
        }
    }

    @Test("within an attempt the first terminal status is final") func firstTerminal() async throws {
        try await GatewayFixture.with { gateway in
            for code in [101, 13, 100, 101] { try await gateway.log("r", code: code, attempt: "a") }
            let status = try await gateway.status("r")
            #expect(status["status"]?["code"]?.int == 13)
            #expect(status["attempt"]?.string == "a")
            #expect(status["current"]?.bool == true)
        }
    }

    @Test("the newest attempt counts; an older one is told apart") func attempts() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 101, attempt: "a")
            try await gateway.log("r", code: 14, attempt: "a")
            try await gateway.log("r", code: 101, attempt: "b")
            #expect(try await gateway.status("r")["status"]?["code"]?.int == 101)
            let old = try await gateway.status("r", "&attempt=a")
            #expect(old["status"]?["code"]?.int == 14)
            #expect(old["current"]?.bool == false)
            let unknown = try await gateway.status("r", "&attempt=c")
            #expect(unknown["status"] == .null)
            #expect(unknown["current"] == .null)
        }
    }

    @Test("a waiting poll is answered as soon as the status is terminal") func waiting() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 101)
            async let polled = gateway.status("r", "&wait_seconds=60")
            async let unknown = gateway.status("new", "&wait_seconds=60")
            try await gateway.log("r", code: 101)
            try await gateway.log("r", code: 100)
            try await gateway.log("new", code: 13)
            #expect(try await polled["status"]?["code"]?.int == 100)
            #expect(try await unknown["status"]?["code"]?.int == 13)
        }
    }

    @Test("a waiting poll ends after its seconds with what is") func waitEnds() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 101)
            let begin = ContinuousClock.now
            #expect(try await gateway.status("r", "&wait_seconds=0.2")["status"]?["code"]?.int == 101)
            #expect(ContinuousClock.now - begin >= .milliseconds(200))
        }
    }

    @Test("an unknown attempt waits; a superseded one is answered at once; a new attempt goes on waiting")
    func waitingForAttempts() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 101, attempt: "a")
            async let second = gateway.status("r", "&wait_seconds=60&attempt=b")
            async let first = gateway.status("r", "&wait_seconds=60&attempt=a")
            async let newest = gateway.status("r", "&wait_seconds=60")
            try await gateway.log("r", code: 101, attempt: "b")
            #expect(try await first["current"]?.bool == false)
            // What comes of an older attempt wakes nobody.
            try await gateway.log("r", code: 13, attempt: "a")
            try await gateway.log("r", code: 100, attempt: "b")
            #expect(try await second["status"]?["code"]?.int == 100)
            let last = try await newest
            #expect(last["attempt"]?.string == "b" && last["status"]?["code"]?.int == 100)
            #expect(try await gateway.status("r", "&wait_seconds=60&attempt=a")["current"]?.bool == false)
        }
    }

    @Test("more waiting polls than the bound are told to come back") func bound() async throws {
        try await GatewayFixture.with(configure: { $0.routes.waiting = 1 }) { gateway in
            var polls: [RawConnection] = []
            for _ in 0..<2 {
                let poll = try await RawConnection.open(gateway.port)
                try await poll.send("GET /status?rollout_id=r&wait_seconds=60 HTTP/1.1\r\nhost: x\r\n\r\n")
                polls.append(poll)
            }
            // Which of the two came first is open.
            try await eventually("refusal") { polls.contains { !$0.received.isEmpty } }
            let refusedFirst = !polls[0].received.isEmpty
            let refused = try await polls[refusedFirst ? 0 : 1].response()
            #expect(refused.status == 503)
            #expect(refused.header("retry-after") == "1")
            try await gateway.log("r", code: 100)
            let answered = try await polls[refusedFirst ? 1 : 0].response()
            #expect(answered.json["status"]?["code"]?.int == 100)
            for poll in polls { await poll.close() }
        }
    }
}
