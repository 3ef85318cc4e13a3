// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdCore
import TraceStore
import WireJSON

/// Whether the gateway lives, and whether it can take records.
struct HealthRoutes {
    let ledger: TraceLedger

    func add(to table: inout RouteTable) {
        table.add(.get, ["/health"], .health) { _, _ in
            Response(json: JSONValue.object(["status": "healthy", "service": "rollcall-gateway"]).serialized())
        }
        table.add(.get, ["/ready"], .readiness) { _, _ in
            switch ledger.health {
            case .healthy: return Response(json: JSONValue.object(["status": "ready"]).serialized())
            case .unhealthy(let sentence): throw Problem.unavailable(sentence)
            }
        }
    }
}
