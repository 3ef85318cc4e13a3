// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TraceStore
import TracingGateway

/// What a gateway does, in one line for a person at a terminal.
struct GatewayFiguresLine {
    private struct Sample {
        var at: ContinuousClock.Instant
        var calls: Int
        var lines: Int
    }

    /// The latest, over which rates are taken, so that they do not jump.
    private var samples: [Sample] = []
    private static let window = 6

    /// `3 in flight · 1.5 calls/s · 204 recorded · 1 failed · 12 logs/s · store 4.2 MB · 2 pending · healthy`
    mutating func text(_ figures: GatewayFigures, at now: ContinuousClock.Instant, width: Int) -> String {
        let calls = figures.totals.recordedCalls + figures.totals.failedCalls
        samples.append(Sample(at: now, calls: calls, lines: figures.totals.lines))
        if samples.count > Self.window { samples.removeFirst() }
        let first = samples[0]
        let seconds = (now - first.at) / .seconds(1)
        func rate(_ count: Int) -> String {
            let rate = seconds > 0 ? Double(count) / seconds : 0
            return rate >= 9.95 || rate == 0 ? String(Int(rate.rounded())) : String(format: "%.1f", rate)
        }
        let health =
            switch figures.health {
            case .healthy: "healthy"
            case .unhealthy(let reason): "NOT READY: \(reason)"
            }
        let parts = [
            "\(figures.callsInFlight) in flight", "\(rate(calls - first.calls)) calls/s",
            "\(figures.totals.recordedCalls) recorded", "\(figures.totals.failedCalls) failed",
            "\(rate(figures.totals.lines - first.lines)) logs/s", "store \(ByteCount(figures.storeBytes))",
            "\(figures.pendingRecords) pending", health,
        ]
        let text = parts.joined(separator: " · ")
        // A line that is wrapped could not be taken away again.
        return text.count < width ? text : text.prefix(max(1, width - 2)) + "…"
    }

    /// Keeps `line` fresh, once a second, until the task is cancelled.
    static func run(on line: StandingLine, _ figures: @escaping @Sendable () -> GatewayFigures) async {
        var text = GatewayFiguresLine()
        repeat {
            line.show(text.text(figures(), at: .now, width: StandardStreams.noteWidth))
        } while (try? await Task.sleep(for: .seconds(1))) != nil
        line.show("")
    }
}
