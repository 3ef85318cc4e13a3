// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import WireJSON

/// What whoever operates the gateway asks it.
extension APIOperation {
    static let health = gateway(
        "getHealth", tag: "Operation", "Whether the gateway lives",
        answers: [
            APIAnswer(200, "It does.", .object(["status": .constant("healthy"), "service": .string()]))
        ], isOpen: true)

    static let readiness = gateway(
        "getReadiness", tag: "Operation", "Whether the gateway takes records",
        answers: [
            APIAnswer(200, "It does.", .object(["status": .constant("ready")])),
            .later(503, "It does not, and why."),
        ], isOpen: true)

    static let metrics = gateway(
        "getMetrics", tag: "Operation", "What happens, for Prometheus",
        answers: [APIAnswer(200, "Prometheus' text format 0.0.4.", .string(), type: "text/plain")])

    static let description = gateway(
        "getDescription", tag: "Operation", "This description",
        answers: [APIAnswer(200, "OpenAPI 3.1.", .object(["openapi": .string(), "paths": .object([:])]))],
        isOpen: true)
}
