// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What has been committed since the start.
package struct CommittedTotals: Sendable, Hashable {
    package var recordedCalls = 0
    /// Failed ones, and those that were cut short.
    package var failedCalls = 0
    package var lines = 0

    package init() {}

    mutating func add(_ records: some Collection<StoreRecord>) {
        for record in records {
            switch record {
            case .call(let call): if call.value.state == .recorded { recordedCalls += 1 } else { failedCalls += 1 }
            case .log, .verdict: lines += 1
            case .amendment, .registration, .score, .deletion: break
            }
        }
    }
}
