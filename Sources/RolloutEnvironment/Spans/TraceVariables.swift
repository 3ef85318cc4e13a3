// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Tracing

/// Writes the trace of the current task into the variables of a process: `TRACEPARENT` and others, as OpenTelemetry has it
/// (<https://opentelemetry.io/docs/specs/otel/context/env-carriers/>).
struct TraceVariables: Injector {
    static var current: [String: String] {
        var variables: [String: String] = [:]
        if let context = InstrumentationContext.current {
            InstrumentationSystem.instrument.inject(context, into: &variables, using: TraceVariables())
        }
        return variables
    }

    func inject(_ value: String, forKey key: String, into variables: inout [String: String]) {
        variables[String(key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })] = value
    }
}
