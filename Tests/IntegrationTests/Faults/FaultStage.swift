// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import WireJSON

/// A built gateway and a built environment that come back where they were whenever they have been ended.
final class FaultStage: Sendable {
    typealias Target = FaultLedger.Target

    static let lease = 3.0
    static let grace = 1.0
    /// Less than the callers there are, so that some rollouts have to wait for a place.
    static let places = 16

    let ledger: FaultLedger
    let leftovers: FaultLeftovers
    private let folder: URL
    private let model: ScriptedHTTPServer
    private let client: HTTPClient
    private let processes = Mutex<[Target: RollcallProcess]>([:])
    private let ports = Mutex<[Target: Int]>([.environment: 0, .gateway: 0])

    /// - Parameters:
    ///   - folder: Empty, and the stage's own.
    ///   - client: One that tells of a server that is not there, instead of trying again.
    init(in folder: URL, model: ScriptedHTTPServer, client: HTTPClient, ledger: FaultLedger) async throws {
        self.folder = folder
        self.model = model
        self.client = client
        self.ledger = ledger
        leftovers = FaultLeftovers(
            mark: "FAULT_MARK=\(UUID().uuidString)",
            folders: ["temporary", "work"].map { folder.appending(path: $0) })
        for folder in leftovers.folders {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        try Data(FaultAgent.code.utf8).write(to: folder.appending(path: "agent.py"))
        try await start(.gateway)
        try await start(.environment)
    }

    /// Ends what still runs, however the test has ended.
    func end() { for process in processes.withLock({ Array($0.values) }) { process.end() } }

    var gatewayURL: String { url(.gateway) }

    private func url(_ target: Target) -> String { "http://127.0.0.1:\(ports.withLock { $0[target] ?? 0 })" }

    func process(_ target: Target) -> RollcallProcess? { processes.withLock { $0[target] } }

    // MARK: Servers

    private func start(_ target: Target) async throws {
        let port = "\(ports.withLock { $0[target] ?? 0 })"
        let process: RollcallProcess
        switch target {
        case .gateway:
            process = try RollcallProcess(
                "gateway",
                [
                    "--port", port, "--store", "sqlite:\(folder.path)/traces.sqlite", "--upstream", model.url + "/v1",
                    "--grace", "1", "--log-level", "error",
                ])
        case .environment:
            process = try RollcallProcess(
                "environment",
                [
                    "--host", "127.0.0.1", "--port", port, "--max-concurrent", "\(Self.places)", "--memory", "512",
                    "--lease", "\(Self.lease)", "--grace", "\(Self.grace)", "--gateway-url", gatewayURL,
                    "--journal", "\(folder.path)/journal", "--workdir", leftovers.folders[1].path,
                    "--env", leftovers.mark, "--log-level", "error", "--", "python3", "-I", "-S",
                    "\(folder.path)/agent.py",
                ], variables: ["TMPDIR": leftovers.folders[0].path])
        }
        processes.withLock { $0[target] = process }
        let line = try await process.ready()
        guard let port = line["port"]?.int else {
            throw NeverHappened(description: "The \(target.rawValue) did not start: \(process.errors)")
        }
        ports.withLock { $0[target] = port }
    }

    /// Ends servers, and starts them again where they were after a while.
    func interrupt(_ targets: [Target], isKill: Bool, for pause: Duration) async throws {
        let from = ContinuousClock.now
        for target in targets { process(target)?.signal(isKill ? SIGKILL : SIGTERM) }
        for target in targets {
            guard let process = process(target) else { continue }
            let code = try await process.exitCode()
            if code != (isKill ? -SIGKILL : 0) {
                ledger.fault("the \(target.rawValue) exited with \(code): \(process.errors.suffix(1_000))")
            }
            for line in process.errors.split(separator: "\n") where line.contains("Fatal error") {
                ledger.fault("the \(target.rawValue) crashed: \(line)")
            }
        }
        try await Task.sleep(for: pause)
        for target in targets.reversed() {
            try await start(target)
            ledger.note(.init(target: target, isKill: isKill, from: from, to: .now))
            ledger.count("\(target.rawValue)s \(isKill ? "killed" : "stopped")")
        }
    }

    /// How many descriptors of each kind the environment has open once it has nothing to do and no connection to its
    /// gateway.
    func idleDescriptors() async throws -> [String: Int] {
        try await eventually("idle environment") {
            let health = await get(.environment, "/health")?.json
            return health?["running"] == 0 && health?["queued"] == 0
        }
        try await interrupt([.gateway], isKill: false, for: .zero)
        let place = "/proc/\(process(.environment)?.identifier ?? 0)/fd"
        // What ends takes a moment to be closed.
        var counts: [[String: Int]] = []
        try await eventually("steady descriptors") {
            counts.append(try Self.descriptors(in: place))
            return counts.count >= 100 && Set(counts.suffix(50)).count == 1
        }
        return counts.last ?? [:]
    }

    private static func descriptors(in place: String) throws -> [String: Int] {
        var kinds: [String: Int] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: place) {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(place)/\(name)") else {
                continue
            }
            // `socket:[123]`, `anon_inode:[eventfd]` or a path.
            let kind = target.hasPrefix("anon_inode") ? target : String(target.prefix { $0 != ":" })
            kinds[kind, default: 0] += 1
        }
        return kinds
    }

    // MARK: Requests

    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
        var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    }

    /// - Returns: `nil` when there was no answer, whatever has become of the request.
    func get(_ target: Target, _ path: String) async -> Answer? {
        await answer(to: HTTPClientRequest(url: url(target) + path))
    }

    /// - Returns: As for ``get(_:_:)``.
    func post(_ target: Target, _ path: String, _ body: JSONValue) async -> Answer? {
        var request = HTTPClientRequest(url: url(target) + path)
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: body.serialized()))
        return await answer(to: request)
    }

    private func answer(to request: HTTPClientRequest) async -> Answer? {
        var request = request
        // Connections that are kept would count among the environment's descriptors.
        request.headers.add(name: "connection", value: "close")
        guard let answer = try? await client.execute(request, timeout: .seconds(30)),
            let bytes = try? await answer.body.collect(upTo: 64 << 20)
        else { return nil }
        return Answer(status: Int(answer.status.code), body: Array(bytes.readableBytesView))
    }
}
