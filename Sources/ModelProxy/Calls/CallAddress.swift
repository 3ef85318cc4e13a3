// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore

/// What a model call's URI says: whose call it is, what for, and where the upstream has that.
///
/// A class, for it is handed on from one part of the request to the next.
final class CallAddress: Sendable {
    let path: ModelPath
    let query: Substring
    let target: Result<UpstreamTarget, GatewayProblem>

    /// - Returns: `nil` for a URI that is none of the model API's.
    /// - Throws: when it is, but has an id, an attempt or a URL that cannot be used.
    init?(_ uri: String, _ configuration: ProxyConfiguration) throws(ModelPathError) {
        let mark = uri.utf8.firstIndex(of: UInt8(ascii: "?"))
        let path = try ModelPath(
            parsing: mark.map { String(uri[..<$0]) } ?? uri, maximumIDBytes: configuration.maximumIDBytes)
        guard let path else { return nil }
        self.path = path
        query = mark.map { uri[uri.utf8.index(after: $0)...] } ?? ""
        target = configuration.upstreams.resolve(baseURL: path.upstreamBaseURL, suffix: path.apiSuffix)
    }
}

/// Reads addresses, and remembers the latest: an agent's calls all go to one.
struct CallAddresses {
    private let configuration: ProxyConfiguration
    private var known = BoundedCache<ExactText, CallAddress>(maximumCount: 4096, maximumCost: 4 << 20)

    init(_ configuration: ProxyConfiguration) { self.configuration = configuration }

    mutating func address(_ uri: String) throws(ModelPathError) -> CallAddress? {
        let key = ExactText(uri)
        if let address = known.value(for: key) { return address }
        guard let address = try CallAddress(uri, configuration) else { return nil }
        known.set(address, for: key, cost: 512 + 4 * uri.utf8.count)
        return address
    }
}
