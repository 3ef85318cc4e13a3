// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TestSupport
import WireJSON

/// The caller of one rollout, who asks until it is accepted, and waits until it has ended.
struct FaultCaller {
    typealias Instant = ContinuousClock.Instant

    /// Longer than any rollout and all outages.
    private static let patience = Duration.seconds(120)

    let role: FaultRole
    let stage: FaultStage
    var random: SeededGenerator

    private var ledger: FaultLedger { stage.ledger }

    init(_ role: FaultRole, _ stage: FaultStage, seed: UInt64) {
        self.role = role
        self.stage = stage
        random = SeededGenerator(seed: seed)
    }

    mutating func run() async {
        for _ in 0...role.retries {
            guard let number = await begin() else { return ledger.fault("\(role), was never accepted") }
            let execution = ledger.contents.executions[number]
            let cancels = role.behaviour == .waits
            let pause = Duration.milliseconds(.random(in: 0...1_500, using: &random))
            async let cancelled: Void = cancels ? cancel(number, after: pause) : ()
            let ending = await end(of: execution, number)
            await cancelled
            // What the Python client tries again.
            guard let ending, [2, 4, 5, 7, 8, 14, 16, 103].contains(ending.code) else { return }
        }
    }

    // MARK: Beginning

    /// - Returns: Where the accepted execution stands in the ledger.
    private func begin() async -> Int? {
        let first = Instant.now
        var attempt = role.namesAttempts ? AttemptID.random() : nil
        while Instant.now - first < Self.patience {
            let request = role.request(gatewayURL: stage.gatewayURL, attempt: attempt)
            let answer = await stage.post(.environment, "/init", request.json)
            guard let answer else {
                ledger.count("/init without an answer")
                await pause(50)
                continue
            }
            switch answer.status {
            case 200..<300:
                guard let name = answer.json["attempt"]?.string else {
                    ledger.fault("\(role), was accepted without an attempt: \(answer.json)")
                    return nil
                }
                if let attempt, attempt.description != name {
                    ledger.fault("\(role), was accepted as \(name) instead of \(attempt)")
                }
                ledger.count("/init \(answer.json["status"]?.string ?? "?")")
                return ledger.note(
                    FaultLedger.Execution(role: role, attempt: name, asked: first, accepted: .now))
            case 500...:
                ledger.count("/init refused")
                if role.namesAttempts { attempt = .random() }
                await pause(150)
            default:
                ledger.fault("\(role), was refused with \(answer.status): \(answer.json)")
                return nil
            }
        }
        return nil
    }

    private func pause(_ milliseconds: Int) async { try? await Task.sleep(for: .milliseconds(milliseconds)) }

    // MARK: Ending

    /// Waits for the end, from one gateway to the next.
    private func end(of execution: FaultLedger.Execution, _ number: Int) async -> FaultLedger.Ending? {
        let path = "/v1/status?rollout_id=\(role.rollout)&attempt=\(execution.attempt)&wait_seconds=20"
        while Instant.now - execution.accepted < Self.patience {
            let answer = await stage.get(.gateway, path)?.json
            guard let status = answer?["status"], let code = status["code"]?.int, code != 101 else {
                await pause(30)
                continue
            }
            let ended = Instant.now
            let ending = FaultLedger.Ending(code: code, reason: status["details"]?[0]?["reason"]?.string)
            ledger.change(number) { execution in
                execution.ended = ended
                execution.ending = ending
            }
            return ending
        }
        ledger.fault("\(role), did not end as \(execution.attempt)")
        return nil
    }

    /// Asks the environment to cancel it, until there is an answer or the rollout has ended.
    private func cancel(_ number: Int, after pause: Duration) async {
        try? await Task.sleep(for: pause)
        while ledger.contents.executions[number].ended == nil {
            ledger.change(number) { $0.wasCancelled = true }
            let answer = await stage.post(.environment, "/cancel", ["rollout_id": .string(role.rollout)])
            if let result = answer?.json["results"]?[0]?["result"]?.string {
                ledger.count("/cancel \(result)")
                return ledger.change(number) { $0.cancellation = result }
            }
            await self.pause(50)
        }
    }
}
