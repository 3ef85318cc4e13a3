// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import Foundation
import Synchronization

/// An agent that is a command of any language, started once for each rollout.
///
///     let agent = try ProcessRollout(["python3", "agent.py"])
///     let environment = RolloutEnvironment(agent: agent.run)
///
/// The command gets the request on standard input and in a file, and where its model is in variables that client libraries
/// read by themselves (`OPENAI_BASE_URL`, `OPENAI_API_KEY`). What it writes becomes the rollout's log, and how it exits the
/// rollout's status. When the rollout is over, so is everything that the command has started.
public final class ProcessRollout: Sendable {
    /// How the command is run, and what it may use. How long it may run is the environment's own `timeout`.
    public struct Configuration: Sendable {
        /// Variables for the command, beside `PATH`, `HOME`, `LANG` and the rollout's own. Nothing else of this process's
        /// environment reaches it.
        public var variables: [String: String] = [:]
        /// Where the command is started; this process's own working directory without it.
        public var workingDirectory: String?
        /// The most memory that each process of a rollout may have, by its data segment.
        public var memoryMegabytes: Int?
        /// The most processor time that each process of a rollout may use.
        public var cpuSeconds: Int?
        /// How long the processes of a rollout have to end after SIGTERM, before SIGKILL.
        public var terminationGrace: Duration = .seconds(1)
        /// How long the command may go on after it has told its status.
        public var exitGrace: Duration = .seconds(5)
        /// The longest line of output; longer ones are cut.
        public var maximumLineBytes = 16_384
        /// How many lines of a rollout are kept; further ones are counted.
        public var maximumLines = 10_000
        /// This process's environment variables.
        public var environment: [String: String] = ProcessInfo.processInfo.environment

        public init() {}
    }

    private struct State {
        var executions: [ObjectIdentifier: ProcessExecution] = [:]
        var isShutDown = false
    }

    let configuration: Configuration
    let command: ProcessCommand
    private let relay = LogRelay()
    private let state = Mutex(State())

    /// - Parameter command: The program and its arguments, which no shell reads.
    /// - Throws: ``ProcessCommandError`` when the program is not found, or the configuration cannot be.
    public init(_ command: [String], configuration: Configuration = Configuration()) throws {
        for name in configuration.variables.keys.sorted() {
            if let objection = ProcessVariables.objection(to: name) {
                throw ProcessCommandError(description: objection)
            }
        }
        let current = FileManager.default.currentDirectoryPath
        let folder = configuration.workingDirectory.map { $0.hasPrefix("/") ? $0 : "\(current)/\($0)" } ?? current
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw ProcessCommandError(description: "there is no folder \(folder) to run the command in")
        }
        let path = configuration.variables["PATH"] ?? configuration.environment["PATH"]
        var configuration = configuration
        configuration.workingDirectory = folder
        self.configuration = configuration
        self.command = try ProcessCommand(
            command, workingDirectory: folder, searchPath: path ?? "/usr/local/bin:/usr/bin:/bin",
            memoryMegabytes: configuration.memoryMegabytes, cpuSeconds: configuration.cpuSeconds)
    }

    /// Runs the command for one rollout: the agent to give to a ``RolloutEnvironment``.
    public func run(_ rollout: Rollout) async throws -> Status {
        let execution = ProcessExecution(command, configuration, rollout: rollout, relay: relay)
        let key = ObjectIdentifier(execution)
        let isShutDown = state.withLock { state in
            if !state.isShutDown { state.executions[key] = execution }
            return state.isShutDown
        }
        if isShutDown { return FailureReason.environmentStopped.status("The environment was stopped.") }
        defer { state.withLock { $0.executions[key] = nil } }
        return try await execution.run()
    }

    /// Ends every command at once and starts none any more: for the last moment before this process exits.
    public func shutdown() async {
        let executions = state.withLock { state in
            state.isShutDown = true
            return Array(state.executions.values)
        }
        for execution in executions { execution.kill() }
        for execution in executions { await execution.waitForEnd(within: .seconds(6)) }
    }
}
