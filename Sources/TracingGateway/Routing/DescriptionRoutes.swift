// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Hummingbird
import HummingbirdCore
import ModelProxy
import OpenAPI
import WireJSON

/// `GET /openapi.json`: all that the gateway serves, model calls and itself included.
struct DescriptionRoutes {
    let keys: KeyRing

    /// To be added last: what comes later is not in the description.
    func add(to table: inout RouteTable) {
        let path = "/openapi.json"
        let places =
            ModelOperations.places + table.places
            + [APIDocument.Place(method: "GET", path: path, operation: .description)]
        let document = APIDocument(
            title: "Rollcall gateway",
            details: "Forwards model calls and records them; takes logs and statuses of rollouts, and gives them back. "
                + "Errors have OpenAI's shape, and every answer a request id.",
            needsKey: !keys.isOpen,
            keyDetails: keys.isOpen
                ? "This gateway takes any key, and requests without one."
                : "One of the gateway's keys. What belongs to another account is not seen.",
            places: places)
        let bytes = document.json.serialized()
        table.add(.get, [path], .description) { _, _ in Response(json: bytes) }
    }
}
