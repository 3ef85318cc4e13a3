// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Synchronization

/// The values of one metric with one set of dimensions.
protocol Series: AnyObject, Sendable {
    func write(_ name: String, _ dimensions: String, to text: inout String)
}

final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.add(amount, ordering: .relaxed) }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(_ name: String, _ dimensions: String, to text: inout String) {
        text += "\(name)\(dimensions) \(value.load(ordering: .relaxed))\n"
    }
}

final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ new: Int64) { set(Double(new)) }

    func set(_ new: Double) { value.withLock { $0 = new } }

    func increment(by amount: Double) { value.withLock { $0 += amount } }

    func decrement(by amount: Double) { value.withLock { $0 -= amount } }

    func record(_ new: Int64) { set(new) }

    func record(_ new: Double) { set(new) }

    func write(_ name: String, _ dimensions: String, to text: inout String) {
        text += "\(name)\(dimensions) \(PrometheusText.number(value.withLock { $0 }))\n"
    }
}

final class HistogramSeries: Series, TimerHandler, RecorderHandler {
    /// From a cached answer to a model that thinks for minutes.
    static let seconds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]
    static let counts: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

    private struct State {
        /// How many lie at or below each bound and above the one before; the last: above all.
        var counts: [Int]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func write(_ name: String, _ dimensions: String, to text: inout String) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var total = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            total += count
            let labels = PrometheusText.dimensions(dimensions, adding: "le", PrometheusText.number(bound))
            text += "\(name)_bucket\(labels) \(total)\n"
        }
        text += "\(name)_sum\(dimensions) \(PrometheusText.number(sum))\n"
        text += "\(name)_count\(dimensions) \(total)\n"
    }
}
