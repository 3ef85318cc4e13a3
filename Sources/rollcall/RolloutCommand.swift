// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EvalProtocol
import Foundation
import RolloutProcessor
import WireJSON

struct RolloutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout",
        abstract: "Run rollouts through an environment and show how they ended.",
        discussion: """
            Each row is sent to the environment's /init, its status awaited and its trajectory read from the gateway. \
            The key for model calls is EP_REMOTE_API_KEY, then FIREWORKS_API_KEY; an environment that wants a key is shown \
            ROLLCALL_ENVIRONMENT_KEY, and one that wants a secret in front of its paths has it in its URL. The exit code \
            is 0 only if every rollout finished.
            """)

    @Option(
        name: [.long, .customLong("remote-server-url")],
        help: ArgumentHelp(
            "The environment's base URL (default: EP_REMOTE_ROLLOUT_PROCESSOR_BASE_URL).", valueName: "url"))
    var environment: String?

    @Option(
        name: .customLong("environment-ca-file"),
        help: ArgumentHelp(
            "A file in PEM with certificates to trust for the environment, beside the system's.", valueName: "file"))
    var environmentCAFile: String?

    @Option(
        help: ArgumentHelp(
            "The gateway's base URL (default: EP_MODEL_BASE_URL, then http://localhost:8787).", valueName: "url"))
    var gateway: String?

    @Option(help: ArgumentHelp("The model that the agent calls.", valueName: "name"))
    var model: String

    @Option(help: ArgumentHelp("One user message, as the only row.", valueName: "text"))
    var message: String?

    @Option(
        help: ArgumentHelp(
            "A JSON Lines file: a line is an EvaluationRow or any object with messages.", valueName: "file.jsonl"))
    var dataset: String?

    @Option(
        name: .customLong("param"),
        help: ArgumentHelp(
            "A completion parameter; a value that is JSON is taken as such. Repeatable.", valueName: "k=v"))
    var parameters: [String] = []

    @Option(help: ArgumentHelp("Where the gateway calls the model, as completion_params.base_url.", valueName: "url"))
    var modelURL: String?

    @Option(help: ArgumentHelp("Rollouts of each row.", valueName: "n"))
    var runs = 1

    @Option(help: ArgumentHelp("Rollouts at once.", valueName: "n"))
    var concurrency = 96

    @Option(help: ArgumentHelp("Seconds that a rollout may take, retries included.", valueName: "s"))
    var timeout = 600.0

    @Flag(help: "Print one EvaluationRow a line on standard output instead of text.")
    var json = false

    func validate() throws {
        switch (message, dataset) {
        case (nil, nil): throw ValidationError("Give the rows: --message TEXT or --dataset FILE.jsonl.")
        case (_?, _?): throw ValidationError("Give either --message or --dataset, not both.")
        default: break
        }
        guard !model.isEmpty else { throw ValidationError("--model must not be empty.") }
        guard runs >= 1 else { throw ValidationError("--runs must be at least 1, not \(runs).") }
        guard concurrency >= 1 else { throw ValidationError("--concurrency must be at least 1, not \(concurrency).") }
        guard timeout > 0, timeout <= 604_800 else {
            throw ValidationError("--timeout must be more than 0 and at most 604800 seconds, not \(timeout).")
        }
        _ = try completionParameters()
        _ = try processorConfiguration(ProcessInfo.processInfo.environment)
    }

    func run() async throws {
        ProcessLimits.raiseOpenFiles()
        let rows: RolloutRows =
            if let dataset { .dataset(try DatasetReader(path: dataset)) } else { .message(message ?? "") }
        let total = try await rows.count().map { $0 * runs }
        let session = RolloutSession(
            configuration: try processorConfiguration(ProcessInfo.processInfo.environment),
            tasks: RolloutTasks(rows, parameters: try completionParameters(), runs: runs), total: total,
            concurrency: concurrency, printsJSON: json)
        let code = try await session.run()
        if code != 0 { throw ExitCode(code) }
    }

    private func completionParameters() throws -> CompletionParameters {
        var parameters = CompletionParameters(model: model)
        for parameter in self.parameters {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ValidationError("--param takes NAME=VALUE, such as temperature=0.2, not \"\(parameter)\".")
            }
            switch parts[0] {
            case "model": throw ValidationError("Name the model with --model instead of --param model=….")
            case "base_url":
                throw ValidationError("Name the model's URL with --model-url instead of --param base_url=….")
            default: break
            }
            parameters.additional[parts[0]] = (try? JSONValue(parsing: Array(parts[1].utf8))) ?? .string(parts[1])
        }
        if let modelURL {
            do {
                parameters.additional["base_url"] = .string(try BaseURL.normalize(modelURL, setting: "--model-url"))
            } catch { throw ValidationError("\(error).") }
        }
        return parameters
    }

    private func processorConfiguration(_ variables: [String: String]) throws -> RolloutProcessor.Configuration {
        func variable(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let environment = environment ?? variable("EP_REMOTE_ROLLOUT_PROCESSOR_BASE_URL") else {
            throw ValidationError(
                "Name the environment with --environment URL or EP_REMOTE_ROLLOUT_PROCESSOR_BASE_URL.")
        }
        let gateway = gateway ?? variable("EP_MODEL_BASE_URL") ?? "http://localhost:8787"
        do {
            _ = try BaseURL.normalize(environment, setting: "--environment")
            _ = try BaseURL.normalizeGateway(gateway, setting: "--gateway")
        } catch { throw ValidationError("\(error).") }
        var configuration = RolloutProcessor.Configuration(
            environmentURL: environment, gatewayURL: gateway,
            apiKey: variable("EP_REMOTE_API_KEY") ?? variable("FIREWORKS_API_KEY"))
        configuration.environmentKey = variable("ROLLCALL_ENVIRONMENT_KEY")
        configuration.environmentCAFile = environmentCAFile
        configuration.timeout = .milliseconds(Int64(timeout * 1_000))
        configuration.maximumConnections = min(concurrency, 512)
        return configuration
    }
}
