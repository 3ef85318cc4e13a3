// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// What is captured of the calls to which upstream, and what kind of server each is.
package struct CaptureRules: Sendable {
    private struct Rule<Value: Sendable>: Sendable {
        /// The upstreams it is about; `nil` for all.
        var url: UpstreamURL?
        var value: Value

        func isAbout(_ url: UpstreamURL) -> Bool { self.url?.contains(url) ?? true }
    }

    private let captures: [Rule<Capture>]
    private let profiles: [Rule<UpstreamProfile>]

    /// Captures nothing.
    package init() {
        captures = []
        profiles = []
    }

    /// - Parameters:
    ///   - captures: rules `[ORIGIN[/PREFIX]=]LEVEL`; one with an origin comes before one without.
    ///   - profiles: rules `[ORIGIN[/PREFIX]=]PROFILE`, likewise.
    /// - Throws: ``ProxyConfigurationError`` naming the flag.
    package init(captures: [String], profiles: [String]) throws(ProxyConfigurationError) {
        self.captures = try Self.rules(
            captures, flag: "--capture", expected: Capture.allCases.map(\.rawValue).joined(separator: ", ")
        ) { Capture(rawValue: $0) }
        self.profiles = try Self.rules(profiles, flag: "--profile", expected: UpstreamProfile.expected) {
            UpstreamProfile($0)
        }
        for rule in self.captures where rule.value == .tokens {
            guard self.profiles.contains(where: { profile in rule.url.map(profile.isAbout) ?? (profile.url == nil) })
            else {
                throw ProxyConfigurationError(
                    flag: "--capture",
                    "each kind of server is asked for token ids in its own way; say with --profile which one this is: "
                        + UpstreamProfile.expected)
            }
        }
    }

    private static func rules<Value: Sendable>(
        _ texts: [String], flag: String, expected: String, _ parse: (String) -> Value?
    ) throws(ProxyConfigurationError) -> [Rule<Value>] {
        var rules: [Rule<Value>] = []
        for text in texts {
            let separator = text.lastIndex(of: "=")
            let name = separator.map { String(text[text.index(after: $0)...]) } ?? text
            guard let value = parse(name) else {
                throw ProxyConfigurationError(flag: flag, "'\(name)' is none of \(expected)")
            }
            var url: UpstreamURL?
            if let separator {
                let origin = String(text[..<separator])
                do {
                    url = try UpstreamURL(origin, allowingAnyPort: true)
                } catch {
                    throw ProxyConfigurationError(
                        flag: flag,
                        "\(origin) is not usable: \(error.text); write for example http://localhost:8000=\(name)")
                }
            }
            rules.append(Rule(url: url, value: value))
        }
        // As they were given, but the general ones last.
        return rules.filter { $0.url != nil } + rules.filter { $0.url == nil }
    }

    func capture(of url: UpstreamURL) -> Capture { captures.first { $0.isAbout(url) }?.value ?? .none }

    func profile(of url: UpstreamURL) -> UpstreamProfile {
        profiles.first { $0.isAbout(url) }?.value ?? UpstreamProfile(.openai)
    }
}
