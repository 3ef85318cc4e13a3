// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// Which upstreams a gateway calls, which key each of them gets, and what is captured of its answers.
package struct UpstreamRules: Sendable {
    struct Rule: Sendable {
        var url: UpstreamURL
        /// The key that replaces the caller's, for this rule's origin only.
        var key: String?
    }

    /// The upstream of paths without `encoded_base_url`.
    let standard: Rule?
    /// The upstreams that `encoded_base_url` may name besides ``standard``.
    let allowed: [Rule]
    private let capture: CaptureRules

    /// No upstream at all.
    package static let none = UpstreamRules(standard: nil, allowed: [])

    private init(standard: Rule?, allowed: [Rule]) {
        self.standard = standard
        self.allowed = allowed
        capture = CaptureRules()
    }

    /// - Parameters:
    ///   - upstream: what an openai client would have as `base_url`; `nil` when calls must name theirs.
    ///   - upstreamKey: the bearer key for that upstream's origin.
    ///   - allowed: rules `ORIGIN[/PREFIX][=KEY_VARIABLE]`, where `:*` is any port and no port is the scheme's own.
    ///   - environment: the environment variables, in which `KEY_VARIABLE` is looked up.
    ///   - capture: what is captured of the calls to each.
    /// - Throws: ``ProxyConfigurationError`` naming the flag.
    package init(
        upstream: String?, upstreamKey: String? = nil, allowed: [String] = [], environment: [String: String] = [:],
        capture: CaptureRules = CaptureRules()
    ) throws(ProxyConfigurationError) {
        if let upstream {
            var base = upstream
            while base.hasSuffix("/") { base.removeLast() }
            if base.hasSuffix("/chat/completions") { base.removeLast("/chat/completions".count) }
            standard = Rule(url: try Self.parse(base, flag: "--upstream", anyPort: false), key: upstreamKey)
        } else {
            standard = nil
        }
        var rules: [Rule] = []
        for text in allowed {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let url = try Self.parse(String(parts[0]), flag: "--allow-upstream", anyPort: true)
            var key: String?
            if parts.count == 2 {
                guard let value = environment[String(parts[1])], !value.isEmpty else {
                    throw ProxyConfigurationError(
                        flag: "--allow-upstream",
                        "the variable \(parts[1]) is not set; it is to hold the key of \(parts[0])")
                }
                key = value
            }
            rules.append(Rule(url: url, key: key))
        }
        self.allowed = rules
        self.capture = capture
    }

    private static func parse(
        _ text: String, flag: String, anyPort: Bool
    ) throws(ProxyConfigurationError) -> UpstreamURL {
        do {
            return try UpstreamURL(text, allowingAnyPort: anyPort)
        } catch {
            throw ProxyConfigurationError(
                flag: flag, "\(text) is not usable: \(error.text); write for example http://localhost:8000/v1")
        }
    }

    /// The upstream that a call goes to, or the answer that it gets instead.
    ///
    /// - Parameters:
    ///   - baseURL: the decoded `encoded_base_url`; `nil` for the upstream of `--upstream`.
    ///   - suffix: the API's part of the path, from its slash on, percent-encoded.
    package func resolve(baseURL: String?, suffix: String) -> Result<UpstreamTarget, GatewayProblem> {
        guard let baseURL else {
            guard let standard, let origin = standard.url.origin else { return .failure(.noUpstream) }
            return target(origin, standard.url, base: standard.url.path, key: standard.key, suffix: suffix)
        }
        let url: UpstreamURL
        do {
            url = try UpstreamURL(baseURL)
        } catch {
            return .failure(.badRequest("encoded_base_url is not usable: \(error.text).", param: "encoded_base_url"))
        }
        guard let origin = url.origin, let rule = rule(for: url) else { return .failure(.upstreamNotAllowed(url)) }
        var base = url.path
        if base.hasSuffix("/chat/completions") { base.removeLast("/chat/completions".count) }
        return target(origin, url, base: base, key: key(for: rule, origin), suffix: suffix)
    }

    private func target(
        _ origin: UpstreamOrigin, _ url: UpstreamURL, base: String, key: String?, suffix: String
    ) -> Result<UpstreamTarget, GatewayProblem> {
        guard !UpstreamURL.leavesItsPlace(suffix) else {
            return .failure(.badRequest("The path has a '.' or '..' segment; write it without."))
        }
        return .success(
            UpstreamTarget(
                origin: origin, path: base + suffix, key: key, capture: capture.capture(of: url),
                profile: capture.profile(of: url)))
    }

    private func rule(for url: UpstreamURL) -> Rule? {
        if let standard, standard.url.contains(url) { return standard }
        return allowed.first { $0.url.contains(url) }
    }

    /// A rule's own key; without one, the key of `--upstream` where the origin is the same.
    private func key(for rule: Rule, _ origin: UpstreamOrigin) -> String? {
        rule.key ?? (standard?.url.origin == origin ? standard?.key : nil)
    }

    var needsTLS: Bool { standard?.url.isSecure == true || allowed.contains { $0.url.isSecure } }
}

/// The URL that a call goes to. A class, for all calls to an address share it.
package final class UpstreamTarget: Sendable {
    package let origin: UpstreamOrigin
    /// From the first slash on, without query, percent-encoded.
    package let path: String
    /// The bearer key that replaces the caller's.
    package let key: String?
    /// What is captured of a call, unless its rollout says otherwise.
    package let capture: Capture
    package let profile: UpstreamProfile
    /// All of it; made once, since every record has it.
    package let url: String

    package init(
        origin: UpstreamOrigin, path: String, key: String? = nil, capture: Capture = .none,
        profile: UpstreamProfile = UpstreamProfile(.openai)
    ) {
        self.origin = origin
        self.path = path
        self.key = key
        self.capture = capture
        self.profile = profile
        url = origin.description + path
    }
}

// Keys are not printed, whatever prints what holds them.

extension UpstreamRules: CustomStringConvertible {
    package var description: String { "\(allowed.count + (standard == nil ? 0 : 1)) upstreams" }
}

extension UpstreamRules.Rule: CustomStringConvertible {
    var description: String { "\(url.host)\(url.path), \(key == nil ? "without a key" : "with a key")" }
}

extension UpstreamTarget: CustomStringConvertible {
    package var description: String { url }
}
