// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization
import TraceStore

/// Takes what became of records from the writer's thread to the event loop of their calls: one wake-up for all the
/// records of a commit.
final class OutcomeMailbox: Sendable {
    private struct Letter: Sendable {
        var call: NIOLoopBound<ModelCallHandler>
        var number: Int
        var result: Result<RecordOutcome, StoreError>
    }

    private let loop: any EventLoop
    private let letters = Mutex<[Letter]>([])

    init(loop: any EventLoop) { self.loop = loop }

    /// From any thread.
    ///
    /// - Parameter number: of the call within its handler.
    func post(_ result: Result<RecordOutcome, StoreError>, to call: NIOLoopBound<ModelCallHandler>, number: Int) {
        let isFirst = letters.withLock { letters in
            letters.append(Letter(call: call, number: number, result: result))
            return letters.count == 1
        }
        if isFirst { loop.execute { self.deliver() } }
    }

    private func deliver() {
        let batch = letters.withLock { letters in
            let batch = letters
            letters = []
            return batch
        }
        for letter in batch { letter.call.value.recorded(letter.result, number: letter.number) }
    }
}
