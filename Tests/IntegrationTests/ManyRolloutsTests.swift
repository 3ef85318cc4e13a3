// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Logging
import NIOCore
import NIOHTTP1
import RolloutEnvironment
import RolloutProcessor
import TestSupport
import Testing
import WireJSON

@Suite("Integration: many rollouts")
struct ManyRolloutsTests {
    @Test("a thousand rollouts at once end with their own statuses, trajectories and logs")
    func thousandAtOnce() async throws {
        let count = 1_000
        try await Loop.with(model: ModelAnswers.echo) { rollout in
            let marker = rollout.messages.last?.text ?? ""
            let answer = try await rollout.model.complete(rollout.messages)
            rollout.logger.info("logged \(marker) and \(answer.message.text)")
            return .finished()
        } run: { loop in
            let tasks = AsyncThrowingStream<RolloutTask, any Error> { continuation in
                for number in 0..<count {
                    let row = EvaluationRow(
                        messages: [.user(Self.marker(number))], groundTruth: .number(JSONNumber(number)))
                    continuation.yield(RolloutTask(row: row, parameters: CompletionParameters(model: "scripted")))
                }
                continuation.finish()
            }
            var configuration = RolloutProcessor.Configuration(
                environmentURL: loop.environmentURL, gatewayURL: loop.gatewayURL)
            configuration.timeout = .seconds(120)
            let rows = try await RolloutProcessor.with(configuration) { processor in
                var rows: [Int: EvaluationRow] = [:]
                for try await row in processor.process(tasks, concurrency: count) {
                    rows[try #require(row.groundTruth?.int)] = row
                }
                return rows
            }
            #expect(rows.count == count)
            var ids: Set<String> = []
            for (number, row) in rows {
                let marker = Self.marker(number)
                #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
                #expect(row.messages.map(\.text) == [marker, "echo: \(marker)"])
                #expect(Self.markers(in: row.json.description) == [number])
                ids.insert(try #require(row.executionMetadata.rolloutID))
            }
            #expect(ids.count == count)
            try await expectOwnLogs(rows, loop)
        }
    }

    /// Every rollout's log holds its own marker and nobody else's.
    private func expectOwnLogs(_ rows: [Int: EvaluationRow], _ loop: Loop) async throws {
        for (number, row) in rows {
            let id = try #require(row.executionMetadata.rolloutID)
            var request = HTTPClientRequest(url: "\(loop.gatewayURL)/logs?tags=rollout_id:\(id)&limit=100")
            request.headers.add(name: "accept", value: "application/json")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
            #expect(Self.markers(in: text) == [number], "\(text)")
        }
    }

    private static func marker(_ number: Int) -> String { "marker<\(number)>" }

    private static func markers(in text: String) -> Set<Int> {
        Set(text.matches(of: /marker<(\d+)>/).compactMap { Int($0.1) })
    }
}
