// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import UnixSignals
import WireJSON

/// `rollcall environment --once`: one request in, one rollout, and an exit code that tells how it ended.
struct OneRollout: Sendable {
    /// The request is none.
    static let badRequest: Int32 = 65
    /// Nothing was started, and the same may be tried again: the gateway cannot be reached.
    static let unavailable: Int32 = 69
    /// It ran, but its end could not be delivered.
    static let undelivered: Int32 = 75

    let environment: RolloutEnvironment
    let file: String?

    func run() async throws -> Int32 {
        let body: [UInt8]
        do {
            body = try request()
        } catch {
            StandardStreams.note("rollcall environment: \(file ?? "standard input") cannot be read: \(error)\n")
            return Self.badRequest
        }
        // Trapped before anything starts: a signal must not end this process with the command left alone.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let outcome = await environment.runAlone(body) {
            for await _ in signals { return }
        }
        switch outcome {
        case .refused(let answer):
            let message = (try? JSONValue(parsing: answer.body))?["error"]?["message"]?.string
            StandardStreams.note("rollcall environment: \(message ?? "the request was refused")\n")
            return answer.status < 500 ? Self.badRequest : Self.unavailable
        case .ended(let rolloutID, let attempt, let status, let undelivered):
            let line: JSONValue = [
                "event": "ended", "rollout_id": .string(rolloutID), "attempt": attempt?.json ?? .null,
                "status": status.json, "undelivered": .number(undelivered),
            ]
            StandardStreams.print(line.description)
            guard undelivered == 0 else {
                StandardStreams.note(
                    "rollcall environment: \(undelivered) lines or statuses could not be delivered to the gateway\n")
                return Self.undelivered
            }
            return Self.code(of: status)
        }
    }

    /// 0 for a rollout that counts as finished, else the status's own code.
    static func code(of status: Status) -> Int32 {
        status.isSuccess ? 0 : Int32(status.code.rawValue)
    }

    private func request() throws -> [UInt8] {
        guard let file, file != "-" else {
            return Array(try FileHandle.standardInput.readToEnd() ?? Data())
        }
        return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
    }
}
