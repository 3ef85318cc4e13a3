// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ModelProxy
import NIOCore
import SQLiteTraceStore
import TraceStore
import TracingGateway

/// What ``GatewayLimit``s are limits of.
struct BoundedSettings {
    var gateway: GatewayConfiguration
    var ledger = TraceLedger.Configuration()
    var store = StoreLimits()

    /// In a path and in a registration.
    var idBytes: Int {
        get { gateway.proxy.maximumIDBytes }
        set {
            gateway.proxy.maximumIDBytes = newValue
            gateway.routes.idBytes = newValue
        }
    }
}

/// One limit: its flag, its variable, what it may be, and the setting that it is.
struct GatewayLimit: Sendable {
    private enum Setting: Sendable {
        case number(any WritableKeyPath<BoundedSettings, Int> & Sendable, ClosedRange<Int>, unit: String)
        case time(any WritableKeyPath<BoundedSettings, TimeAmount> & Sendable)
    }

    /// A value that may be.
    enum Value {
        case number(Int)
        case time(TimeAmount)
    }

    /// Without the dashes.
    let name: String
    private let setting: Setting
    private let purpose: String

    private init(_ name: String, _ setting: Setting, _ purpose: String) {
        self.name = name
        self.setting = setting
        self.purpose = purpose
    }

    static func count(
        _ name: String, _ path: any WritableKeyPath<BoundedSettings, Int> & Sendable, _ range: ClosedRange<Int>,
        _ purpose: String
    ) -> GatewayLimit { GatewayLimit(name, .number(path, range, unit: "number"), purpose) }

    static func bytes(
        _ name: String, _ path: any WritableKeyPath<BoundedSettings, Int> & Sendable, _ range: ClosedRange<Int>,
        _ purpose: String
    ) -> GatewayLimit { GatewayLimit(name, .number(path, range, unit: "bytes"), purpose) }

    static func seconds(
        _ name: String, _ path: any WritableKeyPath<BoundedSettings, TimeAmount> & Sendable, _ purpose: String
    ) -> GatewayLimit { GatewayLimit(name, .time(path), purpose) }

    var variable: String { "ROLLCALL_" + name.uppercased().replacing("-", with: "_") }

    // MARK: Values

    /// What a value has to be, for the sentence about one that is not.
    var expected: String {
        switch setting {
        case .number(_, let range, let unit):
            "a \(unit == "bytes" ? "number of bytes" : "whole number") from \(range.lowerBound) to \(range.upperBound)"
        case .time: "seconds from 0.001 to 86400"
        }
    }

    func parse(_ text: String) -> Value? {
        switch setting {
        case .number(_, let range, _): Int(text).flatMap { range.contains($0) ? .number($0) : nil }
        case .time:
            Double(text).flatMap { seconds in
                (0.001...86_400).contains(seconds) ? .time(.nanoseconds(Int64(seconds * 1_000_000_000))) : nil
            }
        }
    }

    func set(_ value: Value, in settings: inout BoundedSettings) {
        switch (setting, value) {
        case (.number(let path, _, _), .number(let number)): settings[keyPath: path] = number
        case (.time(let path), .time(let time)): settings[keyPath: path] = time
        default: break
        }
    }

    // MARK: Help

    var help: ArgumentHelp {
        let defaults = BoundedSettings(gateway: GatewayConfiguration(proxy: .init(upstreams: .none)))
        let (value, unit) =
            switch setting {
            case .number(let path, _, let unit): (defaults[keyPath: path], unit)
            case .time(let path): (Int(defaults[keyPath: path].nanoseconds / 1_000_000_000), "seconds")
            }
        return ArgumentHelp("\(purpose) (\(variable); default: \(value))", valueName: unit)
    }
}
