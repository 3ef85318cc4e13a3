// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import WireJSON

/// A gateway that comes back on its port and its store whenever it has been killed.
final class ChaosGateway: Sendable {
    static let keys = ["key-one", "key-two"]

    let port: Int
    let faults: DiskFaults
    private let upstream: String
    private let arguments: [String]
    private let process: Mutex<RollcallProcess>
    private let memory = Mutex(0)

    init(store: URL, upstream: String) async throws {
        faults = try await DiskFaults(store: store)
        self.upstream = upstream
        let file = store.deletingLastPathComponent().appending(path: "keys")
        try Data("\(Self.keys[0]) first\n\(Self.keys[1]) second\n".utf8).write(to: file)
        arguments = ["--api-keys-file", file.path, "--grace", "1"]
        let first = try faults.gateway(upstream: upstream, arguments, records: false)
        port = try await first.ready()["port"]?.int ?? 0
        process = Mutex(first)
    }

    var current: RollcallProcess { process.withLock { $0 } }

    /// Ends it, and starts it again where it was.
    ///
    /// - Returns: How it ended.
    func restart(_ signal: Int32) async throws -> Int32 {
        let code = try await end(signal)
        try await start()
        return code
    }

    func end(_ signal: Int32) async throws -> Int32 {
        _ = mostMemory
        current.signal(signal)
        return try await current.exitCode()
    }

    func start() async throws {
        let next = try faults.gateway(upstream: upstream, port: port, arguments, records: false)
        process.withLock { $0 = next }
        _ = try await next.ready()
    }

    /// The database's bytes, all of what is stored once a gateway has ended well.
    var storeSize: Int {
        var status = stat()
        return stat(faults.store.path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The most resident memory, in bytes, that the present one or one before it ever had.
    var mostMemory: Int {
        let text = (try? String(contentsOfFile: "/proc/\(current.identifier)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        return memory.withLock { most in
            most = max(most, kilobytes << 10)
            return most
        }
    }

    /// Asks until there is an answer that is not for want of a gateway or a disk.
    func ask(_ method: String, _ path: String, account: Int, body: String? = nil) async throws -> RawResponse {
        var answer: RawResponse?
        try await eventually("answer to \(path)", within: .seconds(60)) {
            let outcome = await exchange(ChaosRequest(method, path, account: account, body: body), .whole)
            if case .answered(let response) = outcome, response.status < 500 { answer = response }
            return answer != nil
        }
        guard let answer else { throw NeverHappened(description: "no answer to \(path)") }
        return answer
    }

    // MARK: Clients

    /// How a client behaves.
    enum Client: Sendable {
        case whole
        /// Goes before all of the request is sent.
        case partial
        /// Goes so many milliseconds after that.
        case leaves(Int)
        /// Closes its side and waits for the answer.
        case closesOutput
    }

    enum Outcome: Sendable {
        case answered(RawResponse)
        /// The client has gone, or the connection broke before the answer's end.
        case broken
        case unreachable
    }

    func exchange(_ request: ChaosRequest, _ client: Client) async -> Outcome {
        guard let connection = try? await RawConnection.open(port) else { return .unreachable }
        var outcome = Outcome.broken
        do {
            switch client {
            case .whole:
                try await connection.send(request.bytes)
                outcome = .answered(try await connection.response())
            case .partial: try await connection.send(Array(request.bytes.prefix(request.bytes.count * 2 / 3)))
            case .leaves(let time):
                try await connection.send(request.bytes)
                try await Task.sleep(for: .milliseconds(time))
            case .closesOutput:
                try await connection.send(request.bytes)
                try await connection.closeOutput()
                outcome = .answered(try await connection.response())
            }
        } catch {
            outcome = .broken
        }
        await connection.close()
        return outcome
    }

    /// Several requests sent at once on one connection; the answers that came, in order.
    func pipeline(_ requests: [ChaosRequest]) async -> [RawResponse] {
        guard let connection = try? await RawConnection.open(port) else { return [] }
        var responses: [RawResponse] = []
        do {
            try await connection.send(requests.flatMap(\.bytes))
            for _ in requests { responses.append(try await connection.response()) }
        } catch {
            // What has come until then counts.
        }
        await connection.close()
        return responses
    }
}

/// A request as the bytes it is.
struct ChaosRequest: Sendable {
    let bytes: [UInt8]

    /// - Parameter account: Whose key goes with it.
    init(
        _ method: String, _ path: String, account: Int, headers: [String] = [], body: String? = nil,
        closes: Bool = false
    ) {
        var head =
            "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \(ChaosGateway.keys[account])\r\n"
        for header in headers { head += header + "\r\n" }
        if closes { head += "connection: close\r\n" }
        if let body { head += "content-length: \(body.utf8.count)\r\n" }
        bytes = Array((head + "\r\n" + (body ?? "")).utf8)
    }
}
