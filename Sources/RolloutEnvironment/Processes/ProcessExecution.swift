// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Logging
import NIOPosix
import Subprocess
import Synchronization
import WireJSON

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// One rollout's command, from its folder to the end of everything it has started.
final class ProcessExecution: Sendable {
    private enum Stop: Sendable {
        case cancelled
        case lingering
    }

    private struct State {
        var family: ProcessFamily?
        var stop: Stop?
        /// Ends the family; there is one for all who want that.
        var ending: Task<[Int32], Never>?
        var exitTimer: Task<Void, Never>?
    }

    private let command: ProcessCommand
    private let configuration: ProcessRollout.Configuration
    private let rollout: Rollout
    private let relay: LogRelay
    private let marker = ProcessExecution.secret()
    private let state = Mutex(State())
    private let isOver = Latch()

    init(
        _ command: ProcessCommand, _ configuration: ProcessRollout.Configuration, rollout: Rollout, relay: LogRelay
    ) {
        self.command = command
        self.configuration = configuration
        self.rollout = rollout
        self.relay = relay
    }

    func run() async throws -> Status {
        // A task that cancellation does not reach: what was begun has to be ended and put away.
        let work = Task { await self.work() }
        let status = await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            stop(.cancelled)
        }
        isOver.open()
        if case .cancelled = state.withLock({ $0.stop }) { throw CancellationError() }
        return status
    }

    /// Ends everything without asking.
    func kill() {
        stop(.cancelled)
        let family = state.withLock { $0.family }
        if let family { Task { await family.end(grace: .zero) } }
    }

    func waitForEnd(within limit: Duration) async { _ = await isOver.wait(within: limit) }

    // MARK: Steps

    private func work() async -> Status {
        let token = Self.secret()
        let secrets = rollout.model.secrets.adding([token, marker] + configuredSecrets)
        let output = ProcessOutput(rollout: rollout, secrets: secrets, maximumLines: configuration.maximumLines) {
            self.beginExitTimer()
        }
        let status: Status
        do {
            let request = request.serialized()
            let folder = RolloutFolder()
            // Before there is anything, so that the next environment can put it away should this one be killed.
            await rollout.journal?.commandStarting(JournaledCommand(marker: marker, folder: folder.path))
            try await NIOThreadPool.singleton.runIfActive { try folder.make(request: request) }
            do {
                let relayURL = try await relay.open(token, for: output)
                status = try await launch(in: folder, relayURL: relayURL, token: token, output: output)
            } catch {
                // It may have got as far as that there is something to end.
                _ = await end()
                status = Self.notStarted(error)
            }
            relay.close(token)
            await putAway(folder)
        } catch {
            status = Self.notStarted(error)
        }
        if await end().isEmpty { rollout.journal?.commandEnded(marker: marker) }
        return status
    }

    private static func notStarted(_ error: any Error) -> Status {
        FailureReason.processNotStarted.status("The command could not be started: \(error)")
    }

    private func launch(
        in folder: RolloutFolder, relayURL: String, token: String, output: ProcessOutput
    ) async throws -> Status {
        let variables = variables(folder: folder, relayURL: relayURL, token: token)
        var options = PlatformOptions()
        options.createSession = true
        let start = Subprocess.Configuration(
            executable: .path(FilePath(command.executable)),
            arguments: Arguments(executablePathOverride: command.name, remainingValues: command.arguments),
            environment: .custom(variables),
            workingDirectory: configuration.workingDirectory.map { FilePath($0) }, platformOptions: options)
        let request = try FileDescriptor.open(FilePath(folder.requestFile), .readOnly, options: .closeOnExec)
        let result = try await Subprocess.run(
            start, input: .fileDescriptor(request, closeAfterSpawningProcess: true), output: .sequence,
            error: .sequence
        ) { execution in
            let leader = execution.processIdentifier.value
            begin(leader)
            rollout.journal?.commandStarted(marker: marker, process: .living(leader))
            async let errors: Void = read(execution.standardError, as: .stderr, of: leader, into: output)
            await read(execution.standardOutput, as: .stdout, of: leader, into: output)
            await errors
            return await end(of: leader)
        }
        state.withLock { $0.exitTimer?.cancel() }
        // Before the last of the family is gone, some of it may still use the relay.
        let left = await end()
        output.finish()
        if !left.isEmpty {
            let numbers = left.map(String.init).joined(separator: ", ")
            rollout.logger.error("Processes of the command could not be ended, the system holds them: \(numbers)")
        }
        if let closing = output.closing { return closing }
        return status(result.terminationStatus, cpuTime: result.closureResult, lastLines: output.lastErrors)
    }

    private func status(_ termination: TerminationStatus, cpuTime: Duration?, lastLines: [String]) -> Status {
        var ending =
            switch termination {
            case .exited(let code): ProcessEnding(.exited(code))
            case .signaled(let signal): ProcessEnding(.signaled(signal))
            }
        ending.lastLines = lastLines
        ending.memoryMegabytes = configuration.memoryMegabytes
        ending.cpuSeconds = configuration.cpuSeconds
        ending.cpuTime = cpuTime
        return ending.status
    }

    private func putAway(_ folder: RolloutFolder) async {
        do {
            try await NIOThreadPool.singleton.runIfActive { try folder.remove() }
        } catch {
            rollout.logger.warning("The rollout's folder \(folder.path) could not be removed: \(error)")
        }
    }

    // MARK: Output

    private func read(
        _ bytes: SubprocessOutputSequence, as stream: OutputLine.Stream, of leader: Int32, into output: ProcessOutput
    ) async {
        var splitter = LineSplitter(maximumBytes: configuration.maximumLineBytes)
        var unwaited = 0
        var late = 0
        do {
            for try await buffer in bytes {
                var lines: [LineSplitter.Line] = []
                buffer.withUnsafeBytes { splitter.append($0) { lines.append($0) } }
                for line in lines where output.take(line, from: stream) { unwaited += 1 }
                if unwaited >= 500, state.withLock({ $0.stop == nil }) {
                    await output.waitForRoom()
                    unwaited = 0
                }
                // What the command has left behind may write for ever; a pipe holds no more than this of the command's.
                if ProcessTable.entry(of: leader)?.isZombie == true { late += buffer.count }
                if late > 1 << 20 { break }
            }
        } catch {
            rollout.logger.warning("The command's \(stream.rawValue) could not be read to its end: \(error)")
        }
        if let line = splitter.finish() { _ = output.take(line, from: stream) }
    }

    /// Waits until the command is dead, and returns the processor time it has used.
    ///
    /// It may have closed its output long before. Whoever leaves the waiting to the library may have a thread of all
    /// tasks wait for it.
    private func end(of leader: Int32) async -> Duration? {
        var pause = Duration.milliseconds(1)
        // Output ends a moment before its process: to let that have the processor costs less than a timer.
        var isPatient = false
        while let entry = ProcessTable.entry(of: leader) {
            if entry.isZombie {
                return .milliseconds(Int64(entry.ticks) * 1_000 / Int64(max(sysconf(Int32(_SC_CLK_TCK)), 1)))
            }
            guard isPatient else {
                isPatient = true
                sched_yield()
                continue
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
        return nil
    }

    // MARK: Ending

    private func begin(_ leader: Int32) {
        let isStopped = state.withLock { state in
            state.family = ProcessFamily(leader: leader, marker: marker)
            return state.stop != nil
        }
        if isStopped { _ = ending() }
    }

    private func stop(_ reason: Stop) {
        state.withLock { state in
            if state.stop == nil { state.stop = reason }
        }
        _ = ending()
    }

    /// The process has told its end; it has a while to get there.
    private func beginExitTimer() {
        let timer = Task {
            try? await Task.sleep(for: configuration.exitGrace)
            if !Task.isCancelled { stop(.lingering) }
        }
        state.withLock { $0.exitTimer = timer }
    }

    private func ending() -> Task<[Int32], Never>? {
        state.withLock { state in
            guard let family = state.family else { return nil }
            if let ending = state.ending { return ending }
            let ending = Task { [grace = configuration.terminationGrace] in await family.end(grace: grace) }
            state.ending = ending
            return ending
        }
    }

    private func end() async -> [Int32] { await ending()?.value ?? [] }

    // MARK: Parts

    /// The request as the command gets it: with the attempt, and the model's address as the attempt has it.
    private var request: InitRequest {
        var request = rollout.request
        request.metadata.attempt = rollout.attempt
        if let modelURL { request.modelBaseURL = modelURL }
        return request
    }

    private var modelURL: String? {
        guard let endpoint = try? rollout.model.endpoint.get() else { return nil }
        return String(endpoint.url.dropLast("/chat/completions".count))
    }

    private func variables(folder: RolloutFolder, relayURL: String, token: String) -> [Environment.Key: String] {
        let variables = ProcessVariables(
            metadata: rollout.metadata, attempt: rollout.attempt, model: rollout.request.completionParameters.model,
            modelURL: modelURL, modelKey: rollout.request.apiKey.flatMap { $0.isEmpty ? nil : $0 },
            relayURL: relayURL, relayToken: token, folder: folder.path, requestFile: folder.requestFile,
            markerValue: marker,
            deadline: rollout.deadline.map { Date(timeIntervalSinceNow: ($0 - .now) / .seconds(1)) },
            trace: TraceVariables.current
        ).all(environment: configuration.environment, configured: configuration.variables)
        return Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0.key), $0.value) })
    }

    /// Values of configured variables whose names say that they are secrets.
    private var configuredSecrets: [String] {
        let words = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"]
        return configuration.variables.filter { variable in words.contains { variable.key.uppercased().contains($0) } }
            .map(\.value)
    }

    private static func secret() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
