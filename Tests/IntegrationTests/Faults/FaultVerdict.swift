// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import WireJSON

/// Compares what the gateway has recorded with the test's own ledger and table.
struct FaultVerdict {
    typealias Execution = FaultLedger.Execution

    /// What an end may take beyond the deadline or the lease.
    static let allowance = 2.0

    let stage: FaultStage
    private let outages: [FaultLedger.Outage]

    init(_ stage: FaultStage) {
        self.stage = stage
        outages = stage.ledger.contents.outages
    }

    /// What is wrong with executions, and how the rollouts they belong to are recorded.
    func faults(of executions: [Execution]) async throws -> [String] {
        var faults: [String] = []
        for execution in executions { faults += endingFaults(execution) + delayFaults(execution) }
        for (rollout, executions) in Dictionary(grouping: executions, by: \.role.rollout) {
            faults += try await recordFaults(rollout, executions)
            faults += try await traceFaults(rollout)
        }
        return faults
    }

    // MARK: Endings

    private func endingFaults(_ execution: Execution) -> [String] {
        guard let ending = execution.ending else { return ["\(execution.role), has no end"] }
        let disturbances = disturbances(of: execution)
        guard !FaultTable.endings(of: execution, with: disturbances).contains(ending) else { return [] }
        return ["\(execution.role), ended with \(ending) after \(disturbances)"]
    }

    private func outages(in execution: Execution) -> [FaultLedger.Outage] {
        outages.filter { $0.to >= execution.asked && $0.from <= execution.ended ?? .now }
    }

    private func disturbances(of execution: Execution) -> Set<FaultTable.Disturbance> {
        Set(
            outages(in: execution).map { outage in
                outage.target == .gateway ? .gatewayDown : outage.isKill ? .environmentKilled : .environmentStopped
            })
    }

    // MARK: Times

    /// How many seconds after its deadline or its lease an execution ended, and after what a gateway that was away adds.
    func delay(of execution: Execution) -> Double? {
        guard let ended = execution.ended else { return nil }
        // What was before its acceptance cost it no time after that.
        let outages = outages(in: execution).filter { $0.to >= execution.accepted }
        var due = execution.role.deadline
        // The one that accepted it ends once; it has accepted nothing after that.
        let ends = outages.filter { $0.target == .environment && $0.from >= execution.accepted }
        if let end = ends.min(by: { $0.from < $1.from }) {
            let gone = (end.from - execution.accepted) / .seconds(1)
            // One that is told to end lets its rollouts go on for a while.
            due = end.isKill ? gone + FaultStage.lease : min(due, gone + FaultStage.grace + 1)
        }
        let away = outages.filter { $0.target == .gateway }
        for outage in away { due += (outage.to - outage.from) / .seconds(1) }
        if !away.isEmpty { due += FaultStage.lease }
        return (ended - execution.accepted) / .seconds(1) - due
    }

    /// An execution, how it ended, and how late.
    func summary(of execution: Execution) -> String {
        let delay = String(format: "%.2f", delay(of: execution) ?? 0)
        let ending = execution.ending?.description ?? "no end"
        let disturbances = disturbances(of: execution).map { "\($0)" }.sorted().joined(separator: ", ")
        return
            "\(execution.role), ended with \(ending) \(delay) s after its time\(disturbances.isEmpty ? "" : ", ")\(disturbances)"
    }

    private func delayFaults(_ execution: Execution) -> [String] {
        guard let delay = delay(of: execution), delay > Self.allowance else { return [] }
        return ["too late: \(summary(of: execution))"]
    }

    // MARK: Record

    private func get(_ path: String) async throws -> JSONValue {
        guard let answer = await stage.get(.gateway, path), answer.status == 200 else {
            throw NeverHappened(description: "The gateway did not answer GET \(path).")
        }
        return answer.json
    }

    /// Each accepted attempt has one terminal status that counts, the one that its caller was told; the newest attempt
    /// has one even if its caller does not know of it; and each line is of the attempt that wrote it.
    private func recordFaults(_ rollout: String, _ executions: [Execution]) async throws -> [String] {
        var faults: [String] = []
        guard let page = await stage.get(.gateway, "/v1/rollouts/\(rollout)"), page.status == 200 else {
            return ["\(rollout) is not known to the gateway"]
        }
        if [nil, 101].contains(page.json["status"]?["code"]?.int) { faults.append("\(rollout) still runs") }
        var names: [Int: String] = [:]
        for attempt in page.json["attempts"]?.array ?? [] {
            if let number = attempt["number"]?.int { names[number] = attempt["attempt"]?.string }
        }
        var terminal: [String: [Int]] = [:]
        for (number, attempt) in names {
            let path = "/logs?tags=rollout_id:\(rollout)&attempt=\(attempt)&limit=10000"
            for line in try await get(path)["entries"]?.array ?? [] {
                if line["attempt"]?.int != number { faults.append("\(rollout): a line of another attempt, \(line)") }
                if let code = line["status"]?["code"]?.int, code != 101, line["superseded"] != true {
                    terminal[attempt, default: []].append(code)
                }
                faults += lineFaults(line, mark: "<\(rollout) \(attempt)>").map { "\(rollout): \($0)" }
            }
        }
        for execution in executions where terminal[execution.attempt] != [execution.ending?.code ?? 0] {
            faults.append(
                "\(execution.role), has the terminal statuses \(terminal[execution.attempt] ?? []) in \(execution.attempt)"
            )
        }
        return faults
    }

    private func lineFaults(_ line: JSONValue, mark: String) -> [String] {
        let message = line["message"]?.string ?? ""
        let isAgents = line["extras"]?["stream"] != nil || line["extras"]?["told"] != nil
        // One that is ended while it writes may leave the beginning of a line.
        if isAgents, !message.hasPrefix(mark), !mark.hasPrefix(message) {
            return ["the line '\(message.prefix(100))' is foreign to \(mark)"]
        }
        // In statuses, too, the agent's last lines may stand.
        for text in [message, line["status"]?["message"]?.string ?? "", line["extras"]?["said"]?.string ?? ""] {
            let foreign = " \(text)".split(separator: "<").dropFirst().first { part in
                guard part.hasPrefix("calm-") || part.hasPrefix("storm-") else { return false }
                return !mark.hasPrefix("<\(part.prefix { $0 != ">" && $0 != "\n" })")
            }
            if let foreign { return ["'\(foreign.prefix(100))' is foreign to \(mark)"] }
        }
        return []
    }

    private func traceFaults(_ rollout: String) async throws -> [String] {
        // None of them is answered 404, as the contract wants it.
        guard let answer = await stage.get(.gateway, "/v1/traces?tags=rollout_id:\(rollout)&attempt=all") else {
            throw NeverHappened(description: "The gateway did not answer for traces.")
        }
        return (answer.json["traces"]?.array ?? []).compactMap { trace in
            let text = trace["input"]?.description ?? ""
            let own = #"\"rollout\":\"\#(rollout)\""#
            return text.replacing(" ", with: "").contains(own) ? nil : "\(rollout): a foreign call, \(text.prefix(200))"
        }
    }
}
