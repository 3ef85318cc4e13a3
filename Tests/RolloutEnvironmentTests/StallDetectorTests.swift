// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import RolloutEnvironment
import Testing

@Suite("RolloutEnvironment: when no task runs") struct StallDetectorTests {
    private typealias Finding = StallDetector.Finding

    private static func stalled(_ ticks: Int, isNew: Bool, isToBeSaid: Bool) -> Finding {
        .stalled(ticks: ticks, isNew: isNew, isToBeSaid: isToBeSaid)
    }

    @Test("as long as tasks run, each tick sends the next probe") func running() {
        var detector = StallDetector(limit: 3, pause: 10)
        for _ in 0..<50 {
            #expect(detector.tick() == .probe)
            detector.answered()
        }
    }

    @Test("a task that is late but within the limit is no stall") func late() {
        var detector = StallDetector(limit: 3, pause: 10)
        for _ in 0..<20 {
            #expect(detector.tick() == .probe)
            #expect(detector.tick() == .nothing)
            #expect(detector.tick() == .nothing)
            detector.answered()
        }
    }

    @Test("a stall is found once, and said again after the pause while it lasts") func stall() {
        var detector = StallDetector(limit: 3, pause: 5)
        var findings: [Finding] = []
        for _ in 0..<14 { findings.append(detector.tick()) }
        let said: [Finding] = [
            .probe, .nothing, .nothing, Self.stalled(3, isNew: true, isToBeSaid: true), .nothing, .nothing, .nothing,
            .nothing, Self.stalled(8, isNew: false, isToBeSaid: true), .nothing, .nothing, .nothing, .nothing,
            Self.stalled(13, isNew: false, isToBeSaid: true),
        ]
        #expect(findings == said)
    }

    @Test("a new stall within the pause is found and not said") func secondStall() {
        var detector = StallDetector(limit: 2, pause: 6)
        func finding() -> Finding {
            var last = detector.tick()
            while last == .probe || last == .nothing { last = detector.tick() }
            return last
        }
        #expect(finding() == Self.stalled(2, isNew: true, isToBeSaid: true))
        detector.answered()
        #expect(finding() == Self.stalled(2, isNew: true, isToBeSaid: false))
        detector.answered()
        #expect(finding() == Self.stalled(2, isNew: true, isToBeSaid: true))
    }
}
