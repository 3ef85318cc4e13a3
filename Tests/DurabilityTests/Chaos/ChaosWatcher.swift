// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization
import TestSupport
import WireJSON

/// Follows an account's events for as long as a test runs, on connections that it gives up or loses again and again.
final class ChaosWatcher: Sendable {
    struct Event: Sendable {
        var place: ChaosLedger.Place
        var status: ChaosLedger.Status
    }

    private struct State {
        var events: [Event] = []
        var lastID: String?
        var connections = 0
    }

    let account: Int
    private let gateway: ChaosGateway
    private let ledger: ChaosLedger
    private let state = Mutex(State())

    init(account: Int, _ gateway: ChaosGateway, _ ledger: ChaosLedger) {
        self.account = account
        self.gateway = gateway
        self.ledger = ledger
    }

    /// It has been told what it can go on from.
    var isReady: Bool { state.withLock { $0.lastID != nil } }
    var events: [Event] { state.withLock { $0.events } }
    var connections: Int { state.withLock { $0.connections } }

    func run(seed: UInt64) async {
        var random = SeededGenerator(seed: seed)
        while !Task.isCancelled {
            await connect(for: .milliseconds(Int.random(in: 50...1500, using: &random)))
            try? await Task.sleep(for: .milliseconds(Int.random(in: 0...50, using: &random)))
        }
    }

    private func connect(for duration: Duration) async {
        guard let connection = try? await RawConnection.open(gateway.port) else { return }
        let headers = state.withLock { state in
            state.connections += 1
            return state.lastID.map { ["last-event-id: \($0)"] } ?? []
        }
        let request = ChaosRequest(
            "GET", "/v1/events?experiment_id=\(ChaosRollout.experiment)", account: account, headers: headers)
        try? await connection.send(request.bytes)
        let end = ContinuousClock.now + duration
        var read = 0
        while ContinuousClock.now < end, !connection.isEnded, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
            read = take(connection.chunkedText, from: read)
        }
        // What came while it broke.
        _ = take(connection.chunkedText, from: read)
        await connection.close()
    }

    /// Takes the whole events after a place in the text; the place behind them.
    private func take(_ text: String, from start: Int) -> Int {
        let bytes = Array(text.utf8.dropFirst(start))
        var begin = 0
        var index = 1
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n"), bytes[index - 1] == UInt8(ascii: "\n") {
                take(String(decoding: bytes[begin..<index - 1], as: UTF8.self))
                begin = index + 1
                index += 1
            }
            index += 1
        }
        return start + begin
    }

    private func take(_ block: String) {
        var fields: [Substring: Substring] = [:]
        for line in block.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
        }
        guard let name = fields["event"] else { return }
        if let id = fields["id"] {
            let before = state.withLock { state in
                defer { state.lastID = String(id) }
                return state.lastID
            }
            if name == "status", let before, (Int64(before) ?? 0) >= (Int64(id) ?? 0) {
                ledger.fault("events of account \(account): \(id) came after \(before)")
            }
        }
        switch name {
        case "ready": break
        case "status":
            guard let data = try? JSONValue(parsing: Array((fields["data"] ?? "").utf8)),
                let rollout = data["rollout_id"]?.string, let code = data["status"]?["code"]?.int
            else { return ledger.fault("an event that cannot be read: \(block)") }
            let place = ChaosLedger.Place(account: account, rollout: rollout)
            // The gateway's own name no rollout, and are for those that it is to end.
            let reason = data["status"]?["details"]?[0]?["reason"]?.string
            let isVerdict = ledger.term(of: place).map { $0.bound.rawValue == reason } ?? false
            if !isVerdict, data["status"]?["message"]?.string?.hasPrefix("\(place) ") != true {
                ledger.fault("account \(account) was told of \(data)")
            }
            let status = ChaosLedger.Status(attempt: data["attempt"]?.string, code: code)
            state.withLock { $0.events.append(Event(place: place, status: status)) }
        default: ledger.fault("events of account \(account): \(block)")
        }
    }
}
