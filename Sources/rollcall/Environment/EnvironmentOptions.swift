// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EvalProtocol
import Logging
import RolloutEnvironment

/// The flags of `rollcall environment`.
struct EnvironmentOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The name or address to listen on; localhost is 127.0.0.1 and ::1.", valueName: "host"))
    var host = "localhost"

    @Option(help: ArgumentHelp("The port to listen on; 0 takes a free one.", valueName: "port"))
    var port = 3_000

    @Option(help: ArgumentHelp("Rollouts that run at once.", valueName: "n"))
    var maxConcurrent = 256

    @Option(
        help: ArgumentHelp("Accepted rollouts that wait for a place; more are answered 503.", valueName: "n"))
    var maxQueued = 1_024

    @Option(
        help: ArgumentHelp(
            "The longest that a command may run; DEADLINE_EXCEEDED then. (default: no limit)", valueName: "seconds"))
    var timeout: Double?

    @Option(
        help: ArgumentHelp(
            "The most memory of each of a rollout's processes, by its data segment. (default: no limit)",
            valueName: "MB"))
    var memory: Int?

    @Option(
        help: ArgumentHelp(
            "The most processor time of each of a rollout's processes; RESOURCE_EXHAUSTED then. (default: no limit)",
            valueName: "seconds"))
    var cpuSeconds: Int?

    @Option(
        help: ArgumentHelp(
            "What each rollout may use of its model, RESOURCE_EXHAUSTED then: calls, turns, prompt_tokens or "
                + "completion_tokens. Repeatable. (default: no limit)", valueName: "what=n"))
    var budget: [String] = []

    @Option(
        name: .customLong("env"),
        help: ArgumentHelp(
            "A variable for the command; without a value, this process's own. Repeatable.", valueName: "k[=v]"))
    var variables: [String] = []

    @Option(
        help: ArgumentHelp("Where the command is started. (default: the current folder)", valueName: "folder"))
    var workdir: String?

    @Option(
        help: ArgumentHelp(
            "How soon the gateway ends rollouts of an environment that is gone; 0 is never.", valueName: "seconds"))
    var lease = 15.0

    @Option(help: ArgumentHelp("How long running rollouts may go on after SIGTERM.", valueName: "seconds"))
    var grace = 30.0

    @Option(
        name: .customLong("gateway-url"),
        help: ArgumentHelp("The gateway that takes logs and statuses.", valueName: "url"))
    var gatewayURL: String?

    @Option(
        name: .customLong("allow-web-origin"),
        help: ArgumentHelp(
            "A web page that may call from a browser, by its origin; * is any. Repeatable. (default: none)",
            valueName: "origin"))
    var allowedWebOrigins: [String] = []

    @Option(
        help: ArgumentHelp(
            "Remembers accepted rollouts, so that the next environment reports those that a kill has lost.",
            valueName: "file"))
    var journal: String?

    @Flag(help: "Run the one request from standard input or --init-file, and exit as it ended.")
    var once = false

    @Option(help: ArgumentHelp("The request for --once: the body of an /init.", valueName: "file"))
    var initFile: String?

    @Option(
        name: .customLong("log-level"),
        help: ArgumentHelp(
            "The least severe lines on standard error: trace, debug, info, notice, warning, error or critical.",
            valueName: "level"))
    var logLevel = "info"

    @Option(
        name: .customLong("log-format"), help: ArgumentHelp("How they look: text or json.", valueName: "format"))
    var logFormat = "text"

    func validate(with environment: [String: String]) throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535, not \(port).") }
        guard maxConcurrent >= 1 else {
            throw ValidationError("--max-concurrent must be at least 1, not \(maxConcurrent).")
        }
        guard maxQueued >= 0 else { throw ValidationError("--max-queued must be at least 0, not \(maxQueued).") }
        let longest = 31_536_000.0
        if let timeout, !(timeout > 0 && timeout <= longest) {
            throw ValidationError("--timeout must be more than 0 seconds and at most a year, not \(timeout).")
        }
        if let memory, !(16...1 << 30).contains(memory) {
            throw ValidationError("--memory must be at least 16 MB, not \(memory).")
        }
        if let cpuSeconds, !(1...Int(longest)).contains(cpuSeconds) {
            throw ValidationError("--cpu-seconds must be at least 1, not \(cpuSeconds).")
        }
        guard lease == 0 || (lease >= 1 && lease <= 3_600) else {
            throw ValidationError("--lease must be 0, or from 1 to 3600 seconds, not \(lease).")
        }
        guard grace >= 0, grace <= 86_400 else {
            throw ValidationError("--grace must be from 0 to 86400 seconds, not \(grace).")
        }
        if let gatewayURL, !gatewayURL.hasPrefix("http://"), !gatewayURL.hasPrefix("https://") {
            throw ValidationError("--gateway-url must begin with http:// or https://, not \"\(gatewayURL)\".")
        }
        for origin in allowedWebOrigins where origin != "*" && WebOrigin(origin) == nil {
            throw ValidationError(
                "--allow-web-origin takes an origin such as https://console.example.com, or *, not \"\(origin)\".")
        }
        if initFile != nil, !once { throw ValidationError("--init-file goes with --once.") }
        guard Logger.Level(rawValue: logLevel) != nil else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--log-level must be one of \(levels), not \"\(logLevel)\".")
        }
        guard StandardErrorLogHandler.Format(rawValue: logFormat) != nil else {
            throw ValidationError("--log-format must be text or json, not \"\(logFormat)\".")
        }
        _ = try configured(environment)
        _ = try configuredBudget()
    }

    func configuration(_ environment: [String: String]) throws -> RolloutEnvironment.Configuration {
        var configuration = RolloutEnvironment.Configuration()
        configuration.maximumConcurrentRollouts = maxConcurrent
        configuration.maximumQueuedRollouts = maxQueued
        configuration.timeout = timeout.map { .seconds($0) }
        configuration.lease = lease > 0 ? .seconds(lease) : nil
        configuration.grace = .seconds(grace)
        configuration.gatewayURL = gatewayURL
        configuration.allowedWebOrigins = allowedWebOrigins
        configuration.journal = journal
        configuration.budget = try configuredBudget()
        configuration.variables = environment
        // Whoever starts one rollout may start it.
        if once { configuration.variables["ROLLCALL_ENVIRONMENT_KEYS"] = nil }
        let line = StandingLine()
        let level = Logger.Level(rawValue: logLevel) ?? .info
        let format = StandardErrorLogHandler.Format(rawValue: logFormat) ?? .text
        configuration.logger = Logger(label: "rollcall.environment") { label in
            StandardErrorLogHandler(label: label, level: level, format: format, around: line)
        }
        return configuration
    }

    func processConfiguration(_ environment: [String: String]) throws -> ProcessRollout.Configuration {
        var configuration = ProcessRollout.Configuration()
        configuration.variables = try configured(environment)
        configuration.workingDirectory = workdir
        configuration.memoryMegabytes = memory
        configuration.cpuSeconds = cpuSeconds
        configuration.environment = environment
        return configuration
    }

    private func configuredBudget() throws -> Budget {
        var configured = Budget()
        for bound in budget {
            let parts = bound.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let limit = Budget.Limit(rawValue: parts[0]) else {
                let limits = Budget.Limit.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--budget takes WHAT=N with one of \(limits), not \"\(bound)\".")
            }
            guard let number = Int(parts[1]), number >= 1 else {
                throw ValidationError("--budget \(parts[0]) must be at least 1, not \"\(parts[1])\".")
            }
            configured[limit] = number
        }
        return configured
    }

    private func configured(_ environment: [String: String]) throws -> [String: String] {
        var configured: [String: String] = [:]
        for variable in variables {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let name = parts.first, !name.isEmpty else {
                throw ValidationError("--env takes NAME=VALUE or NAME, not \"\(variable)\".")
            }
            guard let value = parts.count == 2 ? parts[1] : environment[name] else {
                throw ValidationError("--env \(name) has no value, and there is no variable of that name.")
            }
            configured[name] = value
        }
        return configured
    }
}
