// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import RolloutTracing
import Synchronization
import WireJSON

/// What a rollout's process says, by its output and through the relay, on its way into the rollout's log.
final class ProcessOutput: Sendable {
    private struct State {
        var taken = 0
        var omitted = 0
        var lastErrors: [String] = []
        /// The latest line of standard output, as long as it may be the last and tells an end.
        var held: OutputLine?
        var closing: Status?
    }

    private let rollout: Rollout
    private let secrets: Secrets
    private let maximumLines: Int
    /// Called once the process has told its end while it runs.
    private let onClosing: @Sendable () -> Void
    private let state = Mutex(State())

    init(rollout: Rollout, secrets: Secrets, maximumLines: Int, onClosing: @escaping @Sendable () -> Void) {
        self.rollout = rollout
        self.secrets = secrets
        self.maximumLines = maximumLines
        self.onClosing = onClosing
    }

    /// The end that the process has told itself.
    var closing: Status? { state.withLock { $0.closing } }

    /// The last lines of standard error.
    var lastErrors: [String] { state.withLock { $0.lastErrors } }

    // MARK: Output

    /// Takes a line of the output. Returns whether it went into the log.
    func take(_ line: LineSplitter.Line, from stream: OutputLine.Stream) -> Bool {
        guard !line.bytes.isEmpty else { return false }
        let line = OutputLine(line, from: stream)
        guard stream == .stdout else {
            let shown = secrets.redact(line.message, limit: 500)
            state.withLock { state in
                state.lastErrors.append(shown)
                if state.lastErrors.count > 20 { state.lastErrors.removeFirst() }
            }
            return log(line)
        }
        let earlier = state.withLock { state in
            defer { state.held = line.closing == nil ? nil : line }
            return state.held
        }
        if let earlier { _ = log(earlier) }
        return line.closing == nil ? log(line) : false
    }

    private func log(_ line: OutputLine) -> Bool {
        guard allowsLine() else { return false }
        var metadata: Logger.Metadata = [:]
        for member in redacted(line.extras).members {
            metadata[member.key.text] = .stringConvertible(member.value)
        }
        let message = secrets.redact(line.message, limit: .max)
        rollout.logger.log(level: line.level, "\(message)", metadata: metadata)
        return true
    }

    /// Waits a moment for lines to be delivered, so that a process that writes faster than the gateway takes is slowed
    /// down instead of losing lines.
    func waitForRoom() async {
        await rollout.reporter.waitForLines(of: rollout.context, within: .seconds(1))
    }

    /// The output has ended: its last line may tell how the rollout did, and what was too much is counted.
    func finish() {
        let omitted = state.withLock { state in
            if state.closing == nil { state.closing = state.held?.closing.map(redacted) }
            return state.omitted
        }
        guard omitted > 0 else { return }
        rollout.logger.warning(
            "\(omitted) more lines of the command were not kept: a rollout may have \(maximumLines).",
            metadata: ["omitted": .stringConvertible(omitted)])
    }

    private func allowsLine() -> Bool {
        state.withLock { state in
            guard state.taken < maximumLines else {
                state.omitted += 1
                return false
            }
            state.taken += 1
            return true
        }
    }

    // MARK: Relay

    /// Takes the body of a log post that the process has made.
    func take(_ body: [UInt8]) -> InitAnswer {
        var line: LogLine
        do {
            line = try LogLine(parsing: body)
        } catch let error as JSONDecodingError {
            return .error(400, code: "invalid_field", "\(error)", param: error.path.description)
        } catch {
            return .error(400, code: "invalid_json", "The body is \(error).")
        }
        guard !line.tags.isEmpty else {
            return .error(400, code: "invalid_field", "tags: expected at least one tag", param: "tags")
        }
        guard line.tags.contains("rollout_id:\(rollout.metadata.rolloutID)") else {
            return .error(
                403, code: "other_rollout",
                "This address takes lines of the rollout \(rollout.metadata.rolloutID) alone, the one of EP_ROLLOUT_ID.",
                param: "tags")
        }
        // What else the line is tagged with stays, but for other rollouts: a process speaks for its own.
        let others = line.tags.filter { tag in
            !tag.hasPrefix("rollout_id:") && !rollout.metadata.logTags.contains(tag)
        }
        line.tags = rollout.metadata.logTags + others.prefix(100)
        line.message = secrets.redact(line.message, limit: .max)
        line.extras = redacted(line.extras.removing(["rollcall"]))
        take(line)
        return InitAnswer(status: 200, json: ["status": "accepted"])
    }

    private func take(_ line: LogLine) {
        var line = line
        if let status = line.status {
            line.status = nil
            let extras = line.extras.removing(["logger_name", "level", "timestamp"])
            guard status.isTerminal else {
                rollout.checkpoint(line.message, extras: extras)
                return
            }
            let isFirst = state.withLock { state in
                guard state.closing == nil else { return false }
                var closing = status
                closing.lineMessage = line.message
                closing.extras = extras
                state.closing = redacted(closing)
                return true
            }
            if isFirst {
                // It is sent when the process has ended, with the line's text: once, and after everything else.
                onClosing()
                return
            }
        }
        if allowsLine() { rollout.reporter.send(line, for: rollout.context) }
    }

    // MARK: Secrets

    private func redacted(_ closing: Status) -> Status {
        var closing = closing
        closing.lineMessage = closing.lineMessage.map { secrets.redact($0, limit: .max) }
        closing.extras = redacted(closing.extras)
        closing.details = closing.details.map { detail in detail.object.map { .object(redacted($0)) } ?? detail }
        return closing
    }

    private func redacted(_ object: JSONObject) -> JSONObject {
        let text = JSONValue.object(object).description
        let shown = secrets.redact(text, limit: .max)
        if shown == text { return object }
        return (try? JSONValue(parsing: Array(shown.utf8)))?.object ?? [:]
    }
}
