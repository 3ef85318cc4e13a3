// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
import Synchronization

/// A backend of swift-metrics that shows what it has been told in Prometheus' text format.
///
/// A timer becomes a histogram of seconds, an aggregating recorder one of its numbers, everything else a counter or a
/// gauge. Handles for the same name and dimensions share a series, and series stay for as long as the registry does.
package final class PrometheusRegistry: MetricsFactory, Sendable {
    private struct Family: Sendable {
        let kind: Kind
        /// By the text of their dimensions, such as `{code="14"}`.
        var series: [String: any Series] = [:]
    }

    private struct State: Sendable {
        var families: [String: Family] = [:]
        var help: [String: String] = [:]
        var count = 0
    }

    enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// What many dimensions could otherwise make of memory and of each scrape.
    private static let maximumSeries = 2000

    private let state = Mutex(State())

    package init() {}

    /// Says what a metric tells, in a sentence for the operator.
    package func describe(_ name: String, _ help: String) { state.withLock { $0.help[name] = help } }

    /// All series, in Prometheus' text format, version 0.0.4.
    package func text() -> String {
        let (families, help) = state.withLock { ($0.families, $0.help) }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            if let help = help[name] { text += "# HELP \(name) \(PrometheusText.escaped(help: help))\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (dimensions, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name, dimensions, to: &text)
            }
        }
        return text
    }

    /// The series of this name and these dimensions; one that nobody sees where the name is of another kind, or where
    /// there are too many.
    private func series<Kept: Series>(
        _ label: String, _ dimensions: [(String, String)], _ kind: Kind, _ make: () -> Kept
    ) -> Kept {
        let name = PrometheusText.name(label)
        let key = PrometheusText.dimensions(dimensions)
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            if let known = family.series[key] { return known as? Kept ?? make() }
            let new = make()
            guard family.kind == kind, state.count < Self.maximumSeries else { return new }
            family.series[key] = new
            state.families[name] = family
            state.count += 1
            return new
        }
    }

    // MARK: MetricsFactory

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterSeries() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries() }
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { GaugeSeries() } }
        return series(label, dimensions, .histogram) { HistogramSeries(bounds: HistogramSeries.counts) }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram) { HistogramSeries(bounds: HistogramSeries.seconds) }
    }

    // Series outlive their handles: a counter that began again would look like a restart.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}
