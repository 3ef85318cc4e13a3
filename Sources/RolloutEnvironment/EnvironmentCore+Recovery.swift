// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import NIOPosix
import RolloutTracing

extension EnvironmentCore {
    /// Ends what the process before this one left behind, and reports how its rollouts ended.
    func recover(_ records: [JournalRecord]) async {
        await endCommands(of: records)
        let unreported = records.filter { !$0.isReported }
        for record in unreported where record.hasBegun || record.gatewayKey != .caller {
            let status = Self.end(of: record)
            let context = context(of: record)
            if record.end == nil { configuration.logger.ended(record.key, status) }
            journal?.append(.ended(record.key, status))
            if record.gatewayKey == .caller {
                // The caller's key is gone; a gateway that wants it would refuse the status for ever.
                Task { await reportWithoutKey(status, for: context, record) }
            } else {
                reporter.reportEnd(status, for: context)
            }
        }
        // Whoever asks for one of these again begins it, and an end that comes after that would be taken for its own.
        await withTaskGroup { group in
            for record in unreported where !record.hasBegun && record.gatewayKey == .caller {
                group.addTask { await self.reportUnbegun(record) }
            }
        }
        let lost = records.count { $0.end == nil && !$0.isReported }
        let again = records.count { $0.end != nil && !$0.isReported }
        configuration.logger.warning(
            "the environment was killed before: \(lost) rollouts are lost and reported as UNAVAILABLE, and \(again) ends are reported again"
        )
    }

    /// Ends the commands that were left behind, and puts away what they had.
    private func endCommands(of records: [JournalRecord]) async {
        let commands = records.flatMap(\.commands)
        // Whoever waits for these rollouts hears of them within a second.
        let left = await ProcessFamily(left: commands).end(grace: .milliseconds(300), limit: .milliseconds(300))
        try? await NIOThreadPool.singleton.runIfActive {
            for command in commands { try? RolloutFolder(leftAt: command.folder)?.remove() }
        }
        if !left.isEmpty {
            let numbers = left.map(String.init).joined(separator: ", ")
            configuration.logger.error(
                "processes of lost rollouts could not be ended, the system holds them: \(numbers)")
        }
        for record in records {
            for command in record.commands { journal?.append(.commandEnded(record.key, marker: command.marker)) }
        }
    }

    /// The status that was on its way, or that of a rollout that is lost.
    static func end(of record: JournalRecord) -> Status {
        record.end
            ?? FailureReason.environmentRestarted.status(
                "The environment was killed while the rollout ran, and has started again without it.")
    }

    private func context(of record: JournalRecord) -> RolloutContext {
        let ownKey = configuration.gatewayAPIKey ?? configuration.variable("FIREWORKS_API_KEY")
        return RolloutContext(
            metadata: record.metadata, attempt: record.attempt,
            destination: LogDestination(
                gatewayURL: record.gatewayURL, apiKey: record.gatewayKey == .own ? ownKey : nil))
    }

    /// Reports an attempt that had not begun, without its caller's key and now or never: a gateway that has heard of it all
    /// the same ends it with its lease.
    private func reportUnbegun(_ record: JournalRecord) async {
        let status = Self.end(of: record)
        _ = await delivery.deliver(status, for: context(of: record), within: .seconds(2))
        journal?.append(.forgotten(record.key))
    }

    private func reportWithoutKey(_ status: Status, for context: RolloutContext, _ record: JournalRecord) async {
        let result = await delivery.deliver(
            status, for: context, extras: status.extras.removing(["rollcall"]), within: .seconds(5))
        switch result {
        case .acknowledged: break
        case .unreachable:
            reporter.reportEnd(status, for: context)
        case .refused(let code, let reason):
            journal?.append(.forgotten(record.key))
            configuration.logger.warning(
                "the gateway \(record.gatewayURL) refuses the end of a lost rollout without its caller's key, which is not kept; its lease ends it (\(code): \(reason))",
                metadata: record.key.logMetadata)
        }
    }
}
