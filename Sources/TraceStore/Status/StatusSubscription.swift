// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The statuses of the rollouts that match a filter: first the current ones, or what was missed, then each new one.
///
/// It is pulled: a reader that is slow holds a cursor and nothing else, and reads from the store what memory has
/// forgotten. It ends when the gateway shuts down.
package struct StatusSubscription: AsyncSequence, Sendable {
    package enum Element: Sendable {
        case status(StatusEvent)
        /// What came before cannot be continued; the current statuses follow.
        case reset
        /// All current statuses have been told; what follows comes after this sequence.
        case ready(Int64)
    }

    let filter: RolloutFilter
    let account: Account
    let resumption: Int64?
    let feed: EventFeed
    let store: any TraceStore

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: self) }

    package struct AsyncIterator: AsyncIteratorProtocol {
        private enum Phase {
            case beginning
            /// Telling current statuses, a page at a time; then ready at the sequence.
            case current(after: Int64?, ready: Int64)
            case live(cursor: Int64)
        }

        private static let pageSize = 256

        private let subscription: StatusSubscription
        private var phase = Phase.beginning
        /// What is to be told of the page in hand, last one first.
        private var page: [Element] = []

        init(subscription: StatusSubscription) { self.subscription = subscription }

        package mutating func next() async throws -> Element? {
            while true {
                if let element = page.popLast() { return element }
                try Task.checkCancellation()
                switch phase {
                case .beginning: try await begin()
                case .current(let cursor, let ready): try await readCurrent(after: cursor, ready: ready)
                case .live(let cursor): guard try await readLive(after: cursor) else { return nil }
                }
            }
        }

        private mutating func begin() async throws {
            guard let resumption = subscription.resumption else { return try await beginCurrent() }
            if try await subscription.store.events(after: resumption, limit: 1) == nil {
                page = [.reset]
                return try await beginCurrent()
            }
            phase = .live(cursor: resumption)
        }

        /// The cursor is taken before the statuses are read, so that no change falls between.
        private mutating func beginCurrent() async throws {
            let ready: Int64
            if let newest = subscription.feed.newest {
                ready = newest
            } else {
                ready = subscription.feed.begin(at: try await subscription.store.newestEvent())
            }
            phase = .current(after: nil, ready: ready)
        }

        private mutating func readCurrent(after cursor: Int64?, ready: Int64) async throws {
            let read = try await subscription.store.states(
                matching: subscription.filter, account: subscription.account, after: cursor, limit: Self.pageSize)
            page = read.states.reversed().compactMap { rollout, state in
                state.status.map { status in
                    let event = StatusEvent(
                        sequence: nil, rollout: rollout, attempt: state.newestAttempt?.name, status: status,
                        ids: state.ids)
                    return .status(event)
                }
            }
            if let next = read.next {
                phase = .current(after: next, ready: ready)
            } else {
                page.insert(.ready(ready), at: 0)
                phase = .live(cursor: ready)
            }
        }

        /// False at the end.
        private mutating func readLive(after cursor: Int64) async throws -> Bool {
            switch subscription.feed.fetch(after: cursor, limit: Self.pageSize) {
            case .finished:
                return false
            case .events(let events):
                if events.isEmpty { await subscription.feed.wait(after: cursor) } else { tell(events) }
            case .behind:
                let newest = subscription.feed.newest
                guard let events = try await subscription.store.events(after: cursor, limit: Self.pageSize) else {
                    page = [.reset]
                    try await beginCurrent()
                    return true
                }
                if events.isEmpty, let newest, newest > cursor {
                    // All that came until then has been deleted.
                    phase = .live(cursor: newest)
                } else if events.isEmpty {
                    // The store has nothing newer: memory begins here.
                    _ = subscription.feed.begin(at: cursor)
                    await subscription.feed.wait(after: cursor)
                } else {
                    tell(events[...])
                }
            }
            return true
        }

        private mutating func tell(_ events: ArraySlice<StatusEvent>) {
            page = events.reversed().compactMap { event in
                event.concerns(subscription.filter, of: subscription.account) ? .status(event) : nil
            }
            if let last = events.last?.sequence { phase = .live(cursor: last) }
        }
    }
}
