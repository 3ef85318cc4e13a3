// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import TestSupport
import Testing

@Suite("ModelProxy: a connection's deadlines") struct ConnectionDeadlinesTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func seconds(_ count: Int64) -> NIODeadline { start + .seconds(count) }

    private func fresh() -> ConnectionDeadlines {
        var limits = ConnectionLimits()
        limits.idle = .seconds(100)
        limits.head = .seconds(30)
        limits.bodyPause = .seconds(20)
        limits.body = .seconds(50)
        return ConnectionDeadlines(limits: limits, now: start)
    }

    @Test("a connection without a request ends after the idle time") func idle() {
        let deadlines = fresh()
        #expect(deadlines.next?.at == seconds(100))
        #expect(deadlines.next?.expiry == .idle)
    }

    @Test("a head has its time from the first byte, however often more bytes come") func head() {
        var deadlines = fresh()
        deadlines.bytesReceived(seconds(10))
        deadlines.bytesReceived(seconds(35))
        #expect(deadlines.next?.at == seconds(40))
        #expect(deadlines.next?.expiry == .slowHead)
    }

    @Test("a body has its time as a whole and between two pieces") func body() {
        var deadlines = fresh()
        deadlines.bytesReceived(seconds(1))
        deadlines.headReceived(seconds(1))
        #expect(deadlines.next?.at == seconds(21))
        deadlines.bodyReceived(seconds(15))
        #expect(deadlines.next?.at == seconds(35))
        deadlines.bodyReceived(seconds(34))
        deadlines.bodyReceived(seconds(45))
        #expect(deadlines.next?.at == seconds(51))
        #expect(deadlines.next?.expiry == .slowBody)
    }

    @Test("while a request is answered there is no deadline, after it the idle time begins") func answering() {
        var deadlines = fresh()
        deadlines.bytesReceived(seconds(1))
        deadlines.headReceived(seconds(1))
        deadlines.requestEnded()
        #expect(deadlines.next?.expiry == nil)
        deadlines.answerEnded(seconds(700))
        #expect(deadlines.next?.at == seconds(800))
    }

    @Test("an answer that ends before its request leaves the body's deadline") func earlyAnswer() {
        var deadlines = fresh()
        deadlines.headReceived(seconds(1))
        deadlines.answerEnded(seconds(2))
        #expect(deadlines.next?.expiry == .slowBody)
        deadlines.requestEnded()
        deadlines.answerEnded(seconds(3))
        #expect(deadlines.next?.expiry == .idle)
    }
}
