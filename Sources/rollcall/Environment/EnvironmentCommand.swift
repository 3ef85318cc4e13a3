// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import RolloutEnvironment

/// `rollcall environment`: any command as the agent of an environment.
struct EnvironmentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "environment",
        abstract: "Run a command, in any language, as the agent of rollouts.",
        usage: "rollcall environment [<options>] -- <command> [<arguments> ...]",
        discussion: """
            For each POST /init the command is started once, with the request on standard input, and OPENAI_BASE_URL and \
            OPENAI_API_KEY set for its model calls. Its output becomes the rollout's log. Exit code 0 is FINISHED, \
            another one INTERNAL, and a last line {"status": {"code": ..., "message": ...}} decides it. When the rollout \
            is over, everything that the command has started is ended.

            The command sees PATH, HOME, LANG, what --env names, and the rollout's own variables: EP_ROLLOUT_ID, \
            EP_INVOCATION_ID, EP_EXPERIMENT_ID, EP_RUN_ID, EP_ROW_ID, OPENAI_BASE_URL, OPENAI_API_KEY, \
            FW_TRACING_GATEWAY_BASE_URL, FIREWORKS_API_KEY, ROLLCALL_ATTEMPT, ROLLCALL_MODEL, ROLLCALL_DEADLINE, \
            ROLLCALL_INIT_FILE and TMPDIR.

            Logs go to --gateway-url, else FW_TRACING_GATEWAY_BASE_URL, else the gateway in the request's \
            model_base_url; the key is FIREWORKS_API_KEY, else the request's. SIGTERM and SIGINT let running rollouts \
            end within --grace, then it exits with 0.

            Without keys and a path secret anybody who reaches the port may start rollouts. ROLLCALL_ENVIRONMENT_KEYS or \
            --api-keys-file want a key as bearer, or as api_key of /init. --path-secret-file puts a secret in front of \
            the path instead, which is all that the Python client can be given. /health needs no key.

            With --once it serves nothing: it runs the request from standard input or --init-file, delivers its log, \
            and exits with 0 if the rollout finished, or else with the code of its status, such as 13 for INTERNAL. 64 is \
            a setting that cannot be, 65 a request that is none, 69 a gateway that cannot be reached before anything was \
            started, and 75 an end that could not be delivered.
            """)

    @OptionGroup var options: EnvironmentOptions

    @OptionGroup(title: "Access") var access: EnvironmentAccessOptions

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("The agent, after --. No shell reads it.", valueName: "command"))
    var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else {
            throw ValidationError("Name the command to run after --, such as: rollcall environment -- python agent.py")
        }
        try options.validate(with: ProcessInfo.processInfo.environment)
        if options.once, let flag = access.flags.first {
            throw ValidationError("\(flag) is for callers of a server; --once has none.")
        }
    }

    func run() async throws {
        ProcessLimits.useOneEventLoopPerCore()
        let variables = ProcessInfo.processInfo.environment
        let agent: ProcessRollout
        do {
            agent = try ProcessRollout(command, configuration: options.processConfiguration(variables))
        } catch let error as ProcessCommandError {
            StandardStreams.note("rollcall environment: \(error)\n")
            throw ExitCode.validationFailure
        }
        ProcessLimits.raiseOpenFiles()
        var configuration = try options.configuration(variables)
        do {
            try access.apply(to: &configuration)
        } catch {
            StandardStreams.note("rollcall environment: \(error)\n")
            throw ExitCode.validationFailure
        }
        let environment = RolloutEnvironment(configuration, agent: agent.run)
        let code: Int32
        do {
            code =
                options.once
                ? try await OneRollout(environment: environment, file: options.initFile).run()
                : try await serve(environment)
        } catch {
            await agent.shutdown()
            throw error
        }
        await agent.shutdown()
        if code != 0 { throw ExitCode(code) }
    }

    private func serve(_ environment: RolloutEnvironment) async throws -> Int32 {
        do {
            try await environment.run(host: options.host, port: options.port)
            return 0
        } catch let error as RolloutEnvironment.ConfigurationError {
            StandardStreams.note("rollcall environment: \(EnvironmentAccessOptions.sentence(about: error))\n")
            return ExitCode.validationFailure.rawValue
        } catch let error as IOError {
            StandardStreams.note("rollcall environment: \(sentence(about: error))\n")
            return 1
        } catch let error as SocketAddressError {
            StandardStreams.note(
                "rollcall environment: --host \(options.host) is no address of this machine: \(error)\n")
            return 1
        }
    }

    private func sentence(about error: IOError) -> String {
        switch error.errnoCode {
        case EADDRINUSE:
            "port \(options.port) of \(options.host) is in use; end what listens there, or choose another with --port "
                + "(0 takes a free one)"
        case EACCES: "port \(options.port) needs privileges; choose one from 1024 with --port"
        case EADDRNOTAVAIL: "\(options.host) is no address of this machine; choose another with --host"
        default: "cannot listen on \(options.host), port \(options.port): \(error)"
        }
    }
}
