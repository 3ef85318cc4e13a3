// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import WireJSON

/// Compares what a gateway gives back with what the test's own ledger says.
struct ChaosVerdict {
    let gateway: ChaosGateway
    private let ledger: ChaosLedger.State
    private let callsOf: [ChaosLedger.Place: [ChaosLedger.Call]]
    private let linesOf: [ChaosLedger.Place: [(text: String, line: ChaosLedger.Line)]]

    init(_ ledger: ChaosLedger, _ gateway: ChaosGateway) {
        self.gateway = gateway
        self.ledger = ledger.contents
        callsOf = Dictionary(grouping: self.ledger.calls.values, by: \.place)
        linesOf = Dictionary(grouping: self.ledger.lines.map { (text: $0.key, line: $0.value) }, by: \.line.place)
    }

    var places: [ChaosLedger.Place] { Array(ledger.statuses.keys) }

    /// The places of rollouts that the gateway was to end, or of the others.
    func places(bounded: Bool) -> [ChaosLedger.Place] { places.filter { (ledger.terms[$0] != nil) == bounded } }

    /// What is wrong with these rollouts.
    func faults(in places: [ChaosLedger.Place]) async throws -> [String] {
        var faults: [String] = []
        for place in places {
            faults += try await traceFaults(place)
            faults += try await lineFaults(place)
            faults += try await statusFaults(place)
        }
        return faults
    }

    private func traceFaults(_ place: ChaosLedger.Place) async throws -> [String] {
        var faults: [String] = []
        var found: Set<String> = []
        let path = "/v1/traces?tags=rollout_id:\(place.rollout)&attempt=all&limit=10000"
        let traces = try await gateway.ask("GET", path, account: place.account).json["traces"]?.array ?? []
        faults += try await treeFaults(place, Set(traces.compactMap { $0["id"]?.string }))
        for trace in traces {
            let request = trace["metadata"]?["request"]?.string ?? ""
            let body = (try? JSONValue(parsing: Array(request.utf8))) ?? .null
            guard let call = ChaosModel.Wish(body).flatMap({ ledger.calls[$0.call] }) else {
                faults.append("\(place): a trace of what was never sent, \(request.prefix(100))")
                continue
            }
            let name = call.wish.call
            if call.place != place { faults.append("\(place): foreign, \(name) is of \(call.place)") }
            if !found.insert(name).inserted { faults.append("\(place): \(name) is there twice") }
            if Array(request.utf8) != call.body { faults.append("\(place): \(name) has another request") }
            if trace["metadata"]?["attempt"]?.string != call.attempt {
                faults.append("\(place): \(name) is of another attempt")
            }
            if !call.wish.manner.completes { faults.append("\(place): \(name), \(call.wish.manner), is a trace") }
            if trace["output"]?["content"]?.string != call.wish.content {
                faults.append("\(place): \(name) has another answer, \(trace["output"] ?? .null)")
            }
        }
        for call in callsOf[place] ?? [] {
            if call.isComplete, !found.contains(call.wish.call) { faults.append("\(place): lost, \(call.wish.call)") }
            if call.isComplete, !call.hasArrived { faults.append("\(place): the model never got \(call.wish.call)") }
        }
        return faults
    }

    /// The rollout's tree has the same calls, each after its parent.
    private func treeFaults(_ place: ChaosLedger.Place, _ traces: Set<String>) async throws -> [String] {
        let path = "/v1/rollouts/\(place.rollout)/traces?attempt=all"
        var faults: [String] = []
        var found: Set<String> = []
        for line in try await gateway.ask("GET", path, account: place.account).text.split(separator: "\n") {
            let call = try JSONValue(parsing: Array(line.utf8))
            if let parent = call["parent"]?.string, !found.contains(parent) {
                faults.append("\(place): a call before its parent, \(line.prefix(100))")
            }
            found.insert(call["id"]?.string ?? "")
        }
        if found != traces { faults.append("\(place): the tree has other calls, \(found.symmetricDifference(traces))") }
        return faults
    }

    private func lineFaults(_ place: ChaosLedger.Place) async throws -> [String] {
        var faults: [String] = []
        var found: Set<String> = []
        var verdicts = 0
        let path = "/logs?tags=rollout_id:\(place.rollout)&attempt=all&limit=10000"
        for entry in try await gateway.ask("GET", path, account: place.account).json["entries"]?.array ?? [] {
            let text = entry["message"]?.string ?? ""
            if isVerdict(entry, of: place) {
                verdicts += 1
            } else if ledger.lines[text]?.place != place {
                faults.append("\(place): foreign, line '\(text)'")
            }
            if !found.insert(text).inserted { faults.append("\(place): line '\(text)' is there twice") }
        }
        for (text, line) in linesOf[place] ?? [] where line.isAcknowledged && !found.contains(text) {
            faults.append("\(place): lost, line '\(text)'")
        }
        if let term = ledger.terms[place], let final = ledger.finals[place]?.last,
            verdicts != (final.code == term.bound.code ? 1 : 0)
        {
            faults.append("\(place): ended \(verdicts) times by its \(term.bound), and as \(final)")
        }
        return faults
    }

    /// Whether a line is the gateway's own, and ends a rollout that it is to end.
    private func isVerdict(_ entry: JSONValue, of place: ChaosLedger.Place) -> Bool {
        guard let term = ledger.terms[place] else { return false }
        return entry["status"]?["details"]?[0]?["reason"]?.string == term.bound.rawValue
    }

    private func statusFaults(_ place: ChaosLedger.Place) async throws -> [String] {
        var faults: [String] = []
        let finals = ledger.finals[place] ?? []
        for final in finals {
            let more = final.attempt.map { "&attempt=\($0)" } ?? ""
            let answer = try await gateway.ask(
                "GET", "/v1/status?rollout_id=\(place.rollout)\(more)", account: place.account
            ).json
            if answer["status"]?["code"]?.int != final.code || answer["attempt"]?.string != final.attempt {
                faults.append("\(place): \(answer), not \(final)")
            }
        }
        // The newest attempt's is the rollout's.
        if let newest = ledger.statuses[place]?.last {
            let answer = try await gateway.ask(
                "GET", "/v1/status?rollout_id=\(place.rollout)", account: place.account
            ).json
            let code = finals.last { $0.attempt == newest.attempt }?.code ?? newest.code
            if answer["status"]?["code"]?.int != code || answer["attempt"]?.string != newest.attempt {
                faults.append("\(place): \(answer), not \(code) of \(newest.attempt ?? "no attempt")")
            }
        }
        return faults
    }

    // MARK: Events

    /// Whether a watcher has seen every acknowledged status.
    func isComplete(_ watcher: ChaosWatcher) -> Bool { missing(watcher).isEmpty }

    /// Of each rollout the statuses that were acknowledged have to be among the events, in that order; after a
    /// terminal one of an attempt there is none of it, and after a newer attempt none of an older.
    func eventFaults(_ watcher: ChaosWatcher) -> [String] {
        var faults = missing(watcher)
        for (place, seen) in Dictionary(grouping: watcher.events, by: \.place) {
            var ended: Set<String> = []
            var newest = ""
            for status in seen.map(\.status) {
                guard let attempt = status.attempt else { continue }
                if attempt < newest || ended.contains(attempt) { faults.append("\(place): a late event, \(status)") }
                newest = max(newest, attempt)
                if status.code != 101 { ended.insert(attempt) }
            }
        }
        return faults
    }

    private func missing(_ watcher: ChaosWatcher) -> [String] {
        let seen = Dictionary(grouping: watcher.events, by: \.place).mapValues { $0.map(\.status) }
        return ledger.statuses.compactMap { place, statuses in
            guard place.account == watcher.account else { return nil }
            var rest = statuses[...]
            for status in seen[place] ?? [] where status == rest.first { rest.removeFirst() }
            return rest.first.map { "\(place): lost, the event of \($0)" }
        }
    }
}
