// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import Logging
import RolloutEnvironment
package import RolloutTracing
import Synchronization
package import WireJSON

/// Keeps a rollout's statuses and lines in memory.
package final class RecordingReporter: RolloutReporter {
    private struct State {
        var statuses: [Status] = []
        var lines: [RolloutRecording.Line] = []
    }

    private let state = Mutex(State())

    package init() {}

    var statuses: [Status] { state.withLock { $0.statuses } }
    var lines: [RolloutRecording.Line] { state.withLock { $0.lines } }

    fileprivate func append(_ line: RolloutRecording.Line) { state.withLock { $0.lines.append(line) } }

    package var isOverloaded: Bool { false }

    package func knowsAttempts(origin: String) -> Bool { true }

    package func deliver(
        _ status: Status, for context: RolloutContext, message: String, within limit: Duration
    ) async -> DeliveryResult {
        state.withLock { $0.statuses.append(status) }
        return .acknowledged(LogAnswer())
    }

    package func report(_ status: Status, for context: RolloutContext, message: String, extras: JSONObject) {
        state.withLock { $0.statuses.append(status) }
    }

    package func send(_ line: LogLine, for context: RolloutContext) {
        let level = line.extras["level"]?.string.flatMap { Logger.Level(rawValue: $0.lowercased()) } ?? .info
        append(RolloutRecording.Line(level: level, message: line.message, metadata: [:]))
    }

    package func waitForLines(of context: RolloutContext, within limit: Duration) async {}

    package func logHandler(for context: RolloutContext, label: String, level: Logger.Level) -> any LogHandler {
        RecordingLogHandler(reporter: self, logLevel: .trace)
    }
}

private struct RecordingLogHandler: LogHandler {
    let reporter: RecordingReporter
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        reporter.append(RolloutRecording.Line(level: event.level, message: "\(event.message)", metadata: all))
    }
}
