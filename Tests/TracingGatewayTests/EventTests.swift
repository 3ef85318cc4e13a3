// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import TestSupport
import Testing
import TracingGateway
import WireJSON

@Suite("TracingGateway: events") struct EventTests {
    struct Event: Equatable {
        var name: String
        var id: String?
        var data: JSONValue

        var rollout: String? { data["rollout_id"]?.string }
        var code: Int? { data["status"]?["code"]?.int }
    }

    /// A reader of `/v1/events`.
    struct Reader {
        let connection: RawConnection

        init(_ gateway: GatewayFixture, _ query: String, last: String? = nil, headers: [String] = []) async throws {
            connection = try await RawConnection.open(gateway.port)
            var head = "GET /v1/events?\(query) HTTP/1.1\r\nhost: x\r\n"
            if let last { head += "last-event-id: \(last)\r\n" }
            for header in headers { head += header + "\r\n" }
            try await connection.send(head + "\r\n")
        }

        var events: [Event] {
            connection.chunkedText.components(separatedByBlankLine: ()).compactMap { block in
                var event = Event(name: "", id: nil, data: .null)
                for line in block.split(separator: "\n") {
                    if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
                    if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
                    if line.hasPrefix("data: ") {
                        event.data = (try? JSONValue(parsing: Array(line.dropFirst(6).utf8))) ?? .null
                    }
                }
                return event.name.isEmpty ? nil : event
            }
        }

        func wait(for count: Int) async throws -> [Event] {
            try await eventually("\(count) events, there are \(events.count)") { events.count >= count }
            return events
        }
    }

    @Test("first the current statuses without ids, then ready with one, then live") func live() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("a", code: 101)
            try await gateway.log("b", code: 100)
            let reader = try await Reader(gateway, "experiment_id=e1")
            let first = try await reader.wait(for: 3)
            #expect(Set(first.prefix(2).map(\.rollout)) == ["a", "b"])
            #expect(first.prefix(2).allSatisfy { $0.name == "status" && $0.id == nil })
            #expect(first[2].name == "ready")
            #expect(first[2].id != nil)
            try await gateway.log("c", code: 101)
            try await gateway.log("a", message: "no status")
            try await gateway.log("a", code: 100)
            let all = try await reader.wait(for: 5)
            #expect(all[3...].map(\.rollout) == ["c", "a"])
            #expect(all[3...].map(\.code) == [101, 100])
            #expect(all[4].data["status"]?["message"]?.string == "status 100")
            #expect(all[4].data["extras"]?["level"]?.string == "INFO")
            #expect(all[4].data.object?.keys == ["rollout_id", "attempt", "status", "extras"])
            #expect(all[3...].allSatisfy { $0.id != nil })
            let head = reader.connection.text.lowercased()
            #expect(head.contains("content-type: text/event-stream"))
            #expect(head.contains("x-rollcall-request-id"))
        }
    }

    @Test("a reader with an id goes on where it was") func resuming() async throws {
        try await GatewayFixture.with { gateway in
            let reader = try await Reader(gateway, "experiment_id=e1")
            _ = try await reader.wait(for: 1)
            for code in [101, 13, 100] { try await gateway.log("r", code: code) }
            let seen = try await reader.wait(for: 4)
            await reader.connection.close()
            try await gateway.log("s", code: 101)
            let again = try await Reader(gateway, "experiment_id=e1", last: seen[2].id)
            let rest = try await again.wait(for: 2)
            #expect(rest.map(\.rollout) == ["r", "s"])
            #expect(rest.map(\.code) == [100, 101])
            let fromReady = try await Reader(gateway, "experiment_id=e1", last: seen[0].id)
            #expect(try await fromReady.wait(for: 4).map(\.code) == [101, 13, 100, 101])
        }
    }

    @Test("an id that is unknown, or newer than any: reset, the current statuses, ready") func reset() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 100)
            for id in ["99999999999999999", "nonsense", "-5", "12"] {
                let reader = try await Reader(gateway, "experiment_id=e1", last: id)
                let events = try await reader.wait(for: 3)
                #expect(events.map(\.name) == ["reset", "status", "ready"], "\(id)")
                await reader.connection.close()
            }
        }
    }

    @Test("the same name is either of, different names are both") func filters() async throws {
        @Sendable func line(_ rollout: String, _ experiment: String, _ run: String) -> JSONValue {
            [
                "message": "m", "status": ["code": 101],
                "tags": [
                    .string("rollout_id:\(rollout)"), .string("experiment_id:\(experiment)"), .string("run_id:\(run)"),
                ],
            ]
        }
        try await GatewayFixture.with { gateway in
            for (rollout, experiment, run) in [("1", "x", "u"), ("2", "y", "u"), ("3", "x", "v"), ("4", "z", "u")] {
                #expect(try await gateway.post("/logs", line(rollout, experiment, run)).status == 200)
            }
            for (query, expected) in [
                ("experiment_id=x&experiment_id=y", ["1", "2", "3"]), ("experiment_id=x&run_id=u", ["1"]),
                ("rollout_id=2&rollout_id=4", ["2", "4"]), ("run_id=u&rollout_id=3", []),
            ] {
                let reader = try await Reader(gateway, query)
                try await eventually("ready") { reader.events.last?.name == "ready" }
                #expect(reader.events.compactMap(\.rollout).sorted() == expected, "\(query)")
                await reader.connection.close()
            }
        }
    }

    @Test("only the newest attempt's lines are told") func attempts() async throws {
        try await GatewayFixture.with { gateway in
            let reader = try await Reader(gateway, "rollout_id=r")
            _ = try await reader.wait(for: 1)
            try await gateway.log("r", code: 101, attempt: "a")
            try await gateway.log("r", code: 101, attempt: "b")
            try await gateway.log("r", code: 14, attempt: "a")
            try await gateway.log("r", code: 100, attempt: "b")
            try await gateway.log("r", code: 13, attempt: "b")
            try await gateway.log("r2", code: 100)
            try await gateway.log("r", code: 101, attempt: "c")
            let events = try await reader.wait(for: 5)
            #expect(events[1...].map { $0.data["attempt"]?.string } == ["a", "b", "b", "c"])
            #expect(events[1...].map(\.code) == [101, 101, 100, 101])
        }
    }

    @Test("a rollout whose experiment becomes known is told at once") func membership() async throws {
        try await GatewayFixture.with { gateway in
            let bare: JSONValue = ["message": "m", "status": ["code": 100], "tags": ["rollout_id:r"]]
            #expect(try await gateway.post("/logs", bare).status == 200)
            let reader = try await Reader(gateway, "experiment_id=late")
            #expect(try await reader.wait(for: 1).map(\.name) == ["ready"])
            let ids: JSONValue = [
                "invocation_id": "i", "experiment_id": "late", "rollout_id": "r", "run_id": "u", "row_id": "w",
            ]
            #expect(try await gateway.post("/v1/rollouts", [["metadata": ids]]).status == 200)
            let events = try await reader.wait(for: 2)
            #expect(events[1].rollout == "r")
            #expect(events[1].code == 100)
        }
    }

    @Test("a silent stream gets a comment every 15 seconds") func comments() async throws {
        #expect(RouteLimits().comment == .seconds(15))
        try await GatewayFixture.with(configure: { $0.routes.comment = .milliseconds(20) }) { gateway in
            let reader = try await Reader(gateway, "experiment_id=e1")
            try await eventually("comments") {
                reader.connection.chunkedText.split(separator: "\n").filter { $0.hasPrefix(":") }.count > 2
            }
        }
    }

    @Test("a reader that does not read is cut off, others go on") func slowReader() async throws {
        try await GatewayFixture.with(configure: { $0.routes.unreadEvent = .seconds(1) }) { gateway in
            let slow = try await RawConnection.open(gateway.port, autoRead: false)
            try await slow.send("GET /v1/events?experiment_id=e1 HTTP/1.1\r\nhost: x\r\n\r\n")
            let quick = try await Reader(gateway, "experiment_id=e1")
            _ = try await quick.wait(for: 1)
            let large = String(repeating: "x", count: 1 << 20)
            for _ in 0..<24 {
                let line: JSONValue = [
                    "message": "m", "tags": ["rollout_id:r", "experiment_id:e1"],
                    "status": ["code": 101, "message": .string(large)],
                ]
                #expect(try await gateway.post("/logs", line).status == 200)
            }
            try await gateway.log("last", code: 100)
            try await eventually("last event for the quick reader") {
                quick.connection.tail.contains("\"rollout_id\":\"last\"")
            }
            try await eventually("failure to write to the slow reader") {
                do {
                    try await slow.send("x")
                    return false
                } catch { return true }
            }
        }
    }

    @Test("a graceful shutdown ends the stream cleanly") func shutdown() async throws {
        try await GatewayFixture.with { gateway in
            let reader = try await Reader(gateway, "experiment_id=e1")
            _ = try await reader.wait(for: 1)
            await gateway.stop()
            try await reader.connection.waitForEnd()
            #expect(reader.connection.text.hasSuffix("0\r\n\r\n"))
        }
    }
}

extension String {
    fileprivate func components(separatedByBlankLine: Void) -> [Substring] {
        var blocks: [Substring] = []
        var start = startIndex
        while let range = self[start...].firstRange(of: "\n\n") {
            blocks.append(self[start..<range.lowerBound])
            start = range.upperBound
        }
        return blocks
    }
}
