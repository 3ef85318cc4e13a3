// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Logging
import ModelProxy
import SQLiteTraceStore
import TraceStore
import TracingGateway

/// A flag or variable of the gateway that cannot be used.
struct GatewaySettingError: Error, CustomStringConvertible {
    let description: String
}

/// The gateway's settings, from flags and variables.
struct GatewaySettings {
    let configuration: GatewayConfiguration
    let ledger: TraceLedger.Configuration
    let store: StoreLimits
    let storePath: String
    let logLevel: Logger.Level
    let logFormat: StandardErrorLogHandler.Format
    /// Whether a line of figures is wanted.
    let showsFigures: Bool

    init(_ options: GatewayOptions, _ limits: LimitOptions, environment: [String: String]) throws {
        let sources = SettingSources(environment: environment)
        let keys = try Self.keys(options, sources)
        var configuration = GatewayConfiguration(
            proxy: ProxyConfiguration(keys: keys, upstreams: try Self.upstreams(options, sources)))
        configuration.proxy.forwardsAuthorization = try sources.flag(
            options.forwardAuthorization, "--forward-authorization", "ROLLCALL_FORWARD_AUTHORIZATION")
        configuration.host = sources.text(options.host, "ROLLCALL_HOST") ?? configuration.host
        let port = try sources.value(options.port, "--port", "ROLLCALL_PORT", "a number from 0 to 65535") { text in
            Int(text).flatMap { (0...65535).contains($0) ? $0 : nil }
        }
        configuration.port = port ?? configuration.port
        let grace = try sources.value(options.grace, "--grace", "ROLLCALL_GRACE", "seconds, 0 or more") { text in
            Double(text).flatMap { $0 >= 0 && $0 <= 86_400 ? $0 : nil }
        }
        if let grace { configuration.grace = .seconds(grace) }
        configuration.retention = try sources.value(
            options.retain, "--retain", "ROLLCALL_RETAIN", RetentionPeriod.expected
        ) { RetentionPeriod($0)?.duration }
        guard configuration.isAllowed else {
            throw GatewaySettingError(
                description: "--host \(configuration.host) can be reached from other machines, and there are no keys; "
                    + "set ROLLCALL_API_KEYS or --api-keys-file, or use --host localhost")
        }
        var bounded = BoundedSettings(gateway: configuration)
        for (limit, flag) in limits.values {
            let value = try sources.value(flag, "--\(limit.name)", limit.variable, limit.expected, limit.parse)
            if let value { limit.set(value, in: &bounded) }
        }
        self.configuration = bounded.gateway
        ledger = bounded.ledger
        store = bounded.store
        storePath = try StoreLocation(sources.text(options.store, "ROLLCALL_STORE")).path
        let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        logLevel =
            try sources.value(options.logLevel, "--log-level", "ROLLCALL_LOG_LEVEL", "one of \(levels)") {
                Logger.Level(rawValue: $0)
            } ?? .info
        logFormat =
            try sources.value(options.logFormat, "--log-format", "ROLLCALL_LOG_FORMAT", "text or json") {
                StandardErrorLogHandler.Format(rawValue: $0)
            } ?? .text
        let isQuiet = try sources.flag(options.quiet, "--quiet", "ROLLCALL_QUIET")
        showsFigures = !isQuiet && environment["TERM"] != "dumb"
    }

    func logger(around line: StandingLine) -> Logger {
        let (level, format) = (logLevel, logFormat)
        return Logger(label: "rollcall.gateway") { label in
            StandardErrorLogHandler(label: label, level: level, format: format, around: line)
        }
    }

    private static func keys(_ options: GatewayOptions, _ sources: SettingSources) throws -> KeyRing {
        let listed = sources.environment["ROLLCALL_API_KEYS"].map { KeyRing(list: $0) } ?? .open
        guard let file = options.apiKeysFile ?? sources.environment["ROLLCALL_API_KEYS_FILE"] else { return listed }
        do {
            return listed.adding(
                try KeyRing(file: try sources.contents(of: file, flag: "--api-keys-file"), name: file))
        } catch let error as KeyFileError {
            throw GatewaySettingError(description: "--api-keys-file: \(error)")
        }
    }

    private static func upstreams(_ options: GatewayOptions, _ sources: SettingSources) throws -> UpstreamRules {
        var key = sources.environment["ROLLCALL_UPSTREAM_KEY"]
        if let file = options.upstreamKeyFile ?? sources.environment["ROLLCALL_UPSTREAM_KEY_FILE"] {
            key = try sources.contents(of: file, flag: "--upstream-key-file")
        }
        key = key?.trimmingCharacters(in: .whitespacesAndNewlines)
        do {
            return try UpstreamRules(
                upstream: sources.text(options.upstream, "ROLLCALL_UPSTREAM"),
                upstreamKey: key.flatMap { $0.isEmpty ? nil : $0 },
                allowed: sources.list(options.allowUpstream, "ROLLCALL_ALLOW_UPSTREAM"),
                environment: sources.environment,
                capture: CaptureRules(
                    captures: sources.list(options.capture, "ROLLCALL_CAPTURE"),
                    profiles: sources.list(options.profile, "ROLLCALL_PROFILE")))
        } catch {
            throw GatewaySettingError(description: error.description)
        }
    }
}

/// A setting is its flag, else its variable, else nothing.
private struct SettingSources {
    let environment: [String: String]

    func text(_ flag: String?, _ variable: String) -> String? {
        if let flag { return flag }
        return environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A repeatable flag's values, else those in its variable, separated by commas.
    func list(_ flags: [String], _ variable: String) -> [String] {
        guard flags.isEmpty, let list = environment[variable] else { return flags }
        return list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    func value<Value>(
        _ flag: String?, _ name: String, _ variable: String, _ expected: String, _ parse: (String) -> Value?
    ) throws -> Value? {
        guard let text = text(flag, variable) else { return nil }
        guard let value = parse(text) else {
            throw GatewaySettingError(
                description: "\(flag == nil ? variable : name) is '\(text)', expected \(expected)")
        }
        return value
    }

    func flag(_ isGiven: Bool, _ name: String, _ variable: String) throws -> Bool {
        if isGiven { return true }
        return try value(nil, name, variable, "1 or 0") { ["0": false, "1": true][$0] } ?? false
    }

    func contents(of file: String, flag: String) throws -> String {
        do {
            return try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw GatewaySettingError(description: "\(flag): the file \(file) cannot be read as UTF-8 text")
        }
    }
}
