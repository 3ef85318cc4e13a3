// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import RolloutProcessor

/// How far many rollouts are: one line that is written over on a terminal, a line now and then elsewhere.
struct ProgressLine {
    private let isTerminal: Bool
    private let total: Int?
    private let begun = ContinuousClock.now
    private var lastWritten: ContinuousClock.Instant?
    private var lastText = ""
    private var isShown = false

    init(total: Int?, isTerminal: Bool) {
        self.total = total
        self.isTerminal = isTerminal
    }

    mutating func show(_ monitor: RolloutMonitor) {
        let now = ContinuousClock.now
        let pause: Duration = isTerminal ? .milliseconds(100) : .seconds(5)
        // Elsewhere than on a terminal short work passes without a line.
        guard now - (lastWritten ?? (isTerminal ? now - pause : begun)) >= pause else { return }
        let text = text(monitor, elapsed: now - begun)
        guard text != lastText else { return }
        lastWritten = now
        lastText = text
        StandardStreams.note(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n")
        isShown = isTerminal
    }

    /// Takes the line away, for other text to stand in its place.
    mutating func clear() {
        guard isShown else { return }
        StandardStreams.note("\r\u{1B}[K")
        isShown = false
        lastText = ""
        lastWritten = nil
    }

    private func text(_ monitor: RolloutMonitor, elapsed: Duration) -> String {
        var parts = ["\(monitor.ended)\(total.map { "/\($0)" } ?? "") done"]
        if monitor.failed > 0 { parts.append("\(monitor.failed) failed") }
        parts.append("\(monitor.inFlight) in flight")
        if monitor.retries > 0 { parts.append("\(monitor.retries) tried again") }
        parts.append(DurationText.seconds(elapsed.inSeconds.rounded(.down)))
        return parts.joined(separator: " · ")
    }
}
