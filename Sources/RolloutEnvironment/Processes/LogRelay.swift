// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging
import NIOCore
import Synchronization

/// A log gateway on 127.0.0.1 for the processes of rollouts, each with a secret address of its own.
///
/// What a process posts to `/relay/{token}/logs` goes through the environment's own delivery, so that the process needs
/// no key, its attempt is known, and its status is sent once. It listens from its first use until it is let go.
final class LogRelay: Sendable {
    private struct State {
        var port: Task<Int, any Error>?
        var server: Task<Void, Never>?
    }

    private let outputs = Outputs()
    private let state = Mutex(State())

    deinit { state.withLock { $0.server?.cancel() } }

    /// Takes lines for `output` from now on; returns the address that they are to be posted below.
    func open(_ token: String, for output: ProcessOutput) async throws -> String {
        outputs[token] = output
        do {
            return "http://127.0.0.1:\(try await port())/relay/\(token)"
        } catch {
            outputs[token] = nil
            throw error
        }
    }

    func close(_ token: String) { outputs[token] = nil }

    private func port() async throws -> Int {
        let port = state.withLock { state in
            if let port = state.port { return port }
            let (ports, continuation) = AsyncThrowingStream<Int, any Error>.makeStream(
                bufferingPolicy: .bufferingNewest(1))
            // Detached: the server outlives the rollout that happens to be the first, whose cancellation, priority and
            // logger it must not have. It is cancelled when the relay goes.
            state.server = Task.detached { [outputs] in
                do {
                    try await outputs.serve { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            // Detached for the same reason: other rollouts wait for it, too. It ends with the stream.
            let port = Task.detached {
                for try await port in ports { return port }
                throw CancellationError()
            }
            state.port = port
            return port
        }
        do {
            return try await port.value
        } catch {
            // The next rollout tries again.
            state.withLock { $0.port = nil }
            throw error
        }
    }
}

/// The processes that the relay takes lines from, by the secrets in their addresses.
private final class Outputs: Sendable {
    private static let maximumBodyBytes = 4 << 20
    private let outputs = Mutex<[String: ProcessOutput]>([:])

    subscript(token: String) -> ProcessOutput? {
        get { outputs.withLock { $0[token] } }
        set { outputs.withLock { $0[token] = newValue } }
    }

    func serve(onRunning: @escaping @Sendable (Int) -> Void) async throws {
        // What goes wrong on the way is told to the process that posts, and a socket that cannot be had is thrown.
        let quiet = Logger(label: "rollcall.relay") { _ in SwiftLogNoOpLogHandler() }
        let application = Application(
            responder: CallbackResponder { (request, _: BasicRequestContext) in await self.answer(request).response },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), backlog: 1_024),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? 0) },
            logger: quiet)
        try await application.run()
    }

    private func answer(_ request: Request) async -> InitAnswer {
        let path = request.uri.path.split(separator: "/").map(String.init)
        guard path.count >= 3, path[0] == "relay", path[2...] == ["logs"] || path[2...] == ["v1", "logs"] else {
            return .error(
                404, code: "not_found",
                "This is the log relay of a Rollcall environment: it takes POST /logs below "
                    + "FW_TRACING_GATEWAY_BASE_URL, and nothing else.")
        }
        guard request.method == .post else {
            var answer = InitAnswer.error(405, code: "method_not_allowed", "/logs takes POST.")
            answer.headers.append(("allow", "POST"))
            return answer
        }
        guard let output = self[path[1]] else {
            return .error(410, code: "rollout_over", "The rollout of this address is over, or there was none.")
        }
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= Self.maximumBodyBytes else {
                    return .error(
                        413, code: "body_too_large", "The body is longer than \(Self.maximumBodyBytes) bytes.")
                }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            return .error(400, code: "body_incomplete", "The body ended before it was complete.")
        }
        return output.take(bytes)
    }
}
