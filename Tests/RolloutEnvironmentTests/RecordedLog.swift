// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Logging

/// A log that is kept.
final class RecordedLog: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: Logger.Metadata
    }

    private let kept = Mutexed<[Line]>([])

    var lines: [Line] { kept.value }

    func lines(of level: Logger.Level) -> [Line] { lines.filter { $0.level == level } }

    var logger: Logger { Logger(label: "recorded") { _ in Handler(log: kept) } }

    private struct Handler: LogHandler {
        let log: Mutexed<[Line]>
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            log.append(Line(level: event.level, message: "\(event.message)", metadata: all))
        }
    }
}
