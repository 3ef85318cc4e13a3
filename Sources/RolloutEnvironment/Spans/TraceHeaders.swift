// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Tracing

/// Continues a caller's trace, which it tells in headers such as `traceparent`.
enum TraceHeaders {
    /// Runs `operation` within the trace that `headers` name, unless something in front, such as a middleware, has
    /// continued it already.
    static func continuing<Result: Sendable>(
        _ headers: HTTPFields, _ operation: () async -> Result
    ) async -> Result {
        guard InstrumentationContext.current == nil else { return await operation() }
        var context = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(headers, into: &context, using: HeaderExtractor())
        guard !context.isEmpty else { return await operation() }
        return await InstrumentationContext.withValue(context) { await operation() }
    }
}

private struct HeaderExtractor: Extractor {
    func extract(key: String, from headers: HTTPFields) -> String? {
        HTTPField.Name(key).flatMap { headers[$0] }
    }
}

/// Writes a trace into the headers of a request.
struct HeaderInjector: Injector {
    func inject(_ value: String, forKey key: String, into headers: inout [(name: String, value: String)]) {
        headers.append((key.lowercased(), value))
    }
}
