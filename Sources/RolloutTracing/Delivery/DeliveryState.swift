// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// Everything about lines under way, without doing anything: which wait, which may go out now, and what an answer
/// means for them.
///
/// Lines of one rollout form a lane and keep their order. A gateway that fails makes all its lanes pause, a line that
/// the gateway puts off makes its own lane pause, and a line that the gateway will never take leaves its lane.
///
/// Lanes and gateways change with every line: they are objects, so that a change does not take them out of a dictionary
/// and put them back. They are nobody else's, and the state cannot be copied.
package struct DeliveryState: ~Copyable {
    struct LaneKey: Hashable {
        var destination: LogDestination
        var rolloutID: String
    }

    /// Lines that go out in one request.
    package struct Post: Sendable {
        package let number: Int
        package let destination: LogDestination
        package let route: LogRoute
        package let isBatch: Bool
        package internal(set) var items: [DeliveryItem]
        var lanes: [Int]
    }

    struct FlushWait {
        var upTo: UInt64
        var rolloutID: String?
        var remaining: Int
    }

    package let configuration: TracingConfiguration
    package internal(set) var statistics = DeliveryStatistics()
    package internal(set) var health = DeliveryHealth.healthy

    var gateways: [Int: GatewayState] = [:]
    var gatewayNumbers: [LogDestination: Int] = [:]
    var capabilities: [String: GatewayCapabilities] = [:]
    var origins: Set<String> = []
    var lanes: [Int: Lane] = [:]
    var laneNumbers: [LaneKey: Int] = [:]
    /// Lanes with refused lines that have not been spoken of yet.
    var owing: [Int] = []
    var posts: [Int: Post] = [:]
    var flushes: [UInt64: FlushWait] = [:]
    var plainBytes = 0
    var lastNumber: UInt64 = 0
    var lastKey = 0
    private let idPrefix: String

    package init(_ configuration: TracingConfiguration, idPrefix: String) {
        self.configuration = configuration
        self.idPrefix = idPrefix
    }

    package var isOverloaded: Bool { statistics.statusesWaiting > configuration.statusesWaiting }

    package func knowsAttempts(origin: String) -> Bool { origins.contains(origin) }

    /// Takes a line; `false` when there is no room for it, which no line with a status ever hears.
    package mutating func enqueue(
        _ line: LogLine, rolloutID: String, attempt: AttemptID?, destination: LogDestination, waiter: UInt64? = nil,
        now: ContinuousClock.Instant
    ) -> Bool {
        let lane = lane(rolloutID: rolloutID, destination: destination)
        if line.status == nil, !hasRoom(in: lane) {
            drop(in: lane)
            return false
        }
        append(line, attempt: attempt, waiter: waiter, to: lane)
        if waiter != nil, let gateway = lanes[lane]?.gateway {
            // Somebody waits: try at once, this lane first, even if the gateway failed a moment ago.
            hurry(gateway: gateway, now: now)
            if lanes[lane]?.isQueued == true, let index = gateways[gateway]?.ready.firstIndex(of: lane) {
                gateways[gateway]?.ready.remove(at: index)
                gateways[gateway]?.ready.insert(lane, at: 0)
            }
        }
        return true
    }

    private func hasRoom(in lane: Int) -> Bool {
        statistics.waiting < configuration.queueCapacity && plainBytes < configuration.queueBytes
            && (lanes[lane]?.plainCount ?? 0) < configuration.rolloutCapacity
    }

    private mutating func append(_ line: LogLine, attempt: AttemptID?, waiter: UInt64?, to lane: Int) {
        guard let rolloutID = lanes[lane]?.rolloutID else { return }
        lastNumber += 1
        let item = DeliveryItem(
            number: lastNumber, id: "\(idPrefix)-\(lastNumber)", rolloutID: rolloutID, line: line, attempt: attempt,
            waiter: waiter)
        lanes[lane]?.items.append(item)
        if item.isPlain {
            statistics.waiting += 1
            plainBytes += item.body.count
            lanes[lane]?.plainCount += 1
        } else {
            statistics.statusesWaiting += 1
        }
        queue(lane)
    }

    private mutating func drop(in lane: Int) {
        statistics.dropped += 1
        // Beyond this many rollouts the statistics alone count, so that the count itself stays small.
        if lanes[lane]?.dropped == 0 {
            guard owing.count < 10_000 else {
                removeIfDone(lane)
                return
            }
            owing.append(lane)
        }
        lanes[lane]?.dropped += 1
    }

    /// Once there is room again, says in one line of a rollout how many of its lines are missing.
    mutating func settleDrops() {
        for _ in 0..<min(4, owing.count) {
            let lane = owing.removeFirst()
            guard let state = lanes[lane], state.dropped > 0 else { continue }
            let dropped = state.dropped
            let isRoomy =
                statistics.waiting <= configuration.queueCapacity / 2 && plainBytes <= configuration.queueBytes / 2
                && state.plainCount <= configuration.rolloutCapacity / 2
            guard isRoomy else {
                owing.append(lane)
                continue
            }
            state.dropped = 0
            let what = dropped == 1 ? "1 log line" : "\(dropped) log lines"
            append(
                LogLine(
                    message: "\(what) of this rollout could not be kept: too many were waiting for the gateway.",
                    tags: ["rollout_id:\(state.rolloutID)"],
                    extras: [
                        "logger_name": "rollcall.delivery", "level": "WARNING",
                        "timestamp": .string(LogTimestamp.now()), "dropped": .number(dropped),
                    ]),
                attempt: nil, waiter: nil, to: lane)
        }
    }

    private mutating func lane(rolloutID: String, destination: LogDestination) -> Int {
        let key = LaneKey(destination: destination, rolloutID: rolloutID)
        if let lane = laneNumbers[key] { return lane }
        let gateway = gatewayNumbers[destination] ?? addGateway(destination)
        lastKey += 1
        laneNumbers[key] = lastKey
        lanes[lastKey] = Lane(gateway: gateway, rolloutID: rolloutID)
        gateways[gateway]?.lanes += 1
        return lastKey
    }

    private mutating func addGateway(_ destination: LogDestination) -> Int {
        lastKey += 1
        gatewayNumbers[destination] = lastKey
        gateways[lastKey] = GatewayState(destination: destination)
        return lastKey
    }

    /// Forgets a lane with nothing left to do; gateways are forgotten only when there are many.
    mutating func removeIfDone(_ number: Int) {
        guard let lane = lanes[number], lane.isDone, let gateway = gateways[lane.gateway] else { return }
        dequeue(number)
        lanes[number] = nil
        laneNumbers[LaneKey(destination: gateway.destination, rolloutID: lane.rolloutID)] = nil
        gateway.lanes -= 1
        if gateways.count > 256, gateway.lanes == 0, gateway.posts == 0 {
            gateways[lane.gateway] = nil
            gatewayNumbers[gateway.destination] = nil
        }
    }

    /// Puts a lane into its gateway's queue, if it may send and does not stand there already.
    mutating func queue(_ number: Int, first: Bool = false) {
        guard let lane = lanes[number], !lane.isBusy, !lane.isQueued, !lane.items.isEmpty else { return }
        lanes[number]?.isQueued = true
        if lane.notBefore != nil {
            gateways[lane.gateway]?.pausing.append(number)
        } else if first {
            gateways[lane.gateway]?.ready.insert(number, at: 0)
        } else {
            gateways[lane.gateway]?.ready.append(number)
        }
    }

    /// Takes a lane out of its gateway's queue.
    mutating func dequeue(_ number: Int) {
        guard let lane = lanes[number], lane.isQueued else { return }
        lanes[number]?.isQueued = false
        gateways[lane.gateway]?.ready.removeAll { $0 == number }
        gateways[lane.gateway]?.pausing.removeAll { $0 == number }
    }

    func capabilities(of destination: LogDestination) -> GatewayCapabilities {
        capabilities[destination.gatewayURL] ?? GatewayCapabilities(batchLimit: configuration.batchSize)
    }

    mutating func learn(_ destination: LogDestination, _ change: (inout GatewayCapabilities) -> Void) {
        let before = capabilities(of: destination)
        var known = before
        change(&known)
        guard known != before else { return }
        if capabilities.count > 4_096 { capabilities.removeAll() }
        capabilities[destination.gatewayURL] = known
        if known.knowsAttempts, origins.count < 10_000 { origins.insert(destination.origin) }
    }
}
