// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import TraceStore

/// How a gateway stands at a moment, for somebody who watches it.
package struct GatewayFigures: Sendable {
    package var callsInFlight: Int
    package var totals: CommittedTotals
    package var pendingRecords: Int
    package var storeBytes: Int
    package var health: StoreHealth

    package init(
        callsInFlight: Int, totals: CommittedTotals, pendingRecords: Int, storeBytes: Int, health: StoreHealth
    ) {
        self.callsInFlight = callsInFlight
        self.totals = totals
        self.pendingRecords = pendingRecords
        self.storeBytes = storeBytes
        self.health = health
    }
}
