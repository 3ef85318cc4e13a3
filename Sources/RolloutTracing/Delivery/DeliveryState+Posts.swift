// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension DeliveryState {
    /// The posts that may go out now; they count as on their way until ``complete(_:_:now:jitter:)``.
    package mutating func nextPosts(now: ContinuousClock.Instant) -> [Post] {
        var posts: [Post] = []
        for gateway in gateways.keys {
            while let post = nextPost(gateway: gateway, now: now) { posts.append(post) }
        }
        return posts
    }

    /// When something that pauses may go on; `nil` when nothing pauses.
    package func nextWake(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        var earliest: ContinuousClock.Instant?
        func consider(_ instant: ContinuousClock.Instant) { earliest = earliest.map { min($0, instant) } ?? instant }
        // A gateway that fails and is being tried, or has all the posts it may have, goes on when they end.
        for gateway in gateways.values where gateway.failures == 0 || gateway.posts == 0 {
            if let notBefore = gateway.notBefore, notBefore > now, !gateway.ready.isEmpty { consider(notBefore) }
            for lane in gateway.pausing {
                guard let notBefore = lanes[lane]?.notBefore else { continue }
                consider(max(notBefore, gateway.notBefore ?? notBefore))
            }
        }
        return earliest
    }

    /// Lets a gateway that pauses be tried again at once, but not more than ten times a second.
    mutating func hurry(gateway number: Int, now: ContinuousClock.Instant) {
        guard let gateway = gateways[number] else { return }
        if let notBefore = gateway.notBefore {
            let soonest = gateway.lastPost.map { $0 + .milliseconds(100) } ?? now
            gateways[number]?.notBefore = min(notBefore, max(soonest, now))
        }
        for lane in gateway.pausing { lanes[lane]?.notBefore = now }
    }

    private mutating func nextPost(gateway number: Int, now: ContinuousClock.Instant) -> Post? {
        guard let gateway = gateways[number] else { return nil }
        if !gateway.pausing.isEmpty { wakeLanes(gateway: number, now: now) }
        guard let ready = gateways[number]?.ready, !ready.isEmpty else { return nil }
        if let notBefore = gateway.notBefore, notBefore > now { return nil }
        let known = capabilities(of: gateway.destination)
        let isBatch = known.takesBatches && lanes[ready[0]]?.items.first?.goesAlone != true
        // While a gateway fails, one post at a time is enough to see it come back.
        let limit =
            gateway.failures > 0
            ? 1 : known.takesBatches ? configuration.concurrentBatches : configuration.concurrentPosts
        guard gateway.posts < limit else { return nil }

        var items: [DeliveryItem] = []
        var taken: [Int] = []
        var bytes = 0
        let most = isBatch ? min(known.batchLimit, configuration.batchSize, 1_000) : 1
        for lane in ready {
            guard items.count < most, items.isEmpty || bytes < configuration.batchBytes else { break }
            let count = take(from: lane, isBatch: isBatch, most: most - items.count, bytes: &bytes, into: &items)
            guard count > 0 else { break }
            taken.append(contentsOf: repeatElement(lane, count: count))
        }
        guard !items.isEmpty else { return nil }
        let lanesTaken = Set(taken)
        gateways[number]?.ready.removeFirst(lanesTaken.count)
        gateways[number]?.posts += 1
        gateways[number]?.lastPost = now
        lastKey += 1
        let post = Post(
            number: lastKey, destination: gateway.destination, route: known.route, isBatch: isBatch, items: items,
            lanes: taken)
        posts[lastKey] = post
        return post
    }

    /// Moves lines from the front of a lane to `items`; the lane is busy from then on.
    private mutating func take(
        from lane: Int, isBatch: Bool, most: Int, bytes: inout Int, into items: inout [DeliveryItem]
    ) -> Int {
        guard let waiting = lanes[lane]?.items else { return 0 }
        var count = 0
        for item in waiting {
            guard count < most, !(isBatch && item.goesAlone) else { break }
            guard items.isEmpty || bytes + item.body.count <= configuration.batchBytes else { break }
            items.append(item)
            bytes += item.body.count + 64
            count += 1
        }
        guard count > 0 else { return 0 }
        lanes[lane]?.items.removeFirst(count)
        lanes[lane]?.isBusy = true
        lanes[lane]?.isQueued = false
        return count
    }

    private mutating func wakeLanes(gateway number: Int, now: ContinuousClock.Instant) {
        guard let pausing = gateways[number]?.pausing else { return }
        var stillPausing: [Int] = []
        for lane in pausing {
            if let notBefore = lanes[lane]?.notBefore, notBefore > now {
                stillPausing.append(lane)
            } else {
                lanes[lane]?.notBefore = nil
                gateways[number]?.ready.append(lane)
            }
        }
        gateways[number]?.pausing = stillPausing
    }
}
