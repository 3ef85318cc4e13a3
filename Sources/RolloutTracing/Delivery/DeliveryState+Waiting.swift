// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension DeliveryState {
    /// Begins to count down to the delivery of every line there is now; `false` when there is none.
    package mutating func beginFlush(_ flush: UInt64, rolloutID: String?, now: ContinuousClock.Instant) -> Bool {
        var remaining = 0
        for lane in lanes.values where rolloutID == nil || lane.rolloutID == rolloutID { remaining += lane.items.count }
        for post in posts.values {
            for item in post.items where rolloutID == nil || item.rolloutID == rolloutID { remaining += 1 }
        }
        guard remaining > 0 else { return false }
        flushes[flush] = FlushWait(upTo: lastNumber, rolloutID: rolloutID, remaining: remaining)
        for gateway in gateways.keys { hurry(gateway: gateway, now: now) }
        return true
    }

    /// How many of the lines are still not delivered.
    package mutating func endFlush(_ flush: UInt64) -> Int { flushes.removeValue(forKey: flush)?.remaining ?? 0 }

    /// Gives up the line that `waiter` waits for: it is not sent (again). Tells why it was not delivered so far.
    package mutating func withdraw(_ waiter: UInt64) -> (reason: String?, effects: Effects) {
        var effects = Effects()
        for (number, post) in posts {
            guard let index = post.items.firstIndex(where: { $0.waiter == waiter }) else { continue }
            // It is on its way; should it come back, nobody sends it again.
            posts[number]?.items[index].isWithdrawn = true
            posts[number]?.items[index].waiter = nil
            return (gatewayNumbers[post.destination].flatMap { gateways[$0]?.lastFailure }, effects)
        }
        for (number, lane) in lanes {
            guard let index = lane.items.firstIndex(where: { $0.waiter == waiter }) else { continue }
            var item = lane.items[index]
            item.waiter = nil
            lane.items.remove(at: index)
            if lane.items.isEmpty { dequeue(number) }
            let reason = gateways[lane.gateway]?.lastFailure
            finish(item, number, .unreachable(reason: ""), &effects)
            removeIfDone(number)
            return (reason, effects)
        }
        return (nil, effects)
    }
}
