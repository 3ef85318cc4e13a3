// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import WireJSON

@Suite("EvalProtocol: status")
struct StatusTests {
    @Test("codes have the contract's numbers and names, and all but RUNNING are terminal")
    func codes() {
        let table: [(Int, String)] = [
            (0, "OK"), (1, "CANCELLED"), (2, "UNKNOWN"), (3, "INVALID_ARGUMENT"), (4, "DEADLINE_EXCEEDED"),
            (5, "NOT_FOUND"), (6, "ALREADY_EXISTS"), (7, "PERMISSION_DENIED"), (8, "RESOURCE_EXHAUSTED"),
            (9, "FAILED_PRECONDITION"), (10, "ABORTED"), (11, "OUT_OF_RANGE"), (12, "UNIMPLEMENTED"),
            (13, "INTERNAL"), (14, "UNAVAILABLE"), (15, "DATA_LOSS"), (16, "UNAUTHENTICATED"), (100, "FINISHED"),
            (101, "RUNNING"), (102, "SCORE_INVALID"), (103, "RESPONSE_QUALITY_ERROR"),
        ]
        #expect(StatusCode.allCases.map(\.rawValue) == table.map(\.0))
        #expect(StatusCode.allCases.map(\.name) == table.map(\.1))
        #expect(StatusCode.allCases.filter { !$0.isTerminal } == [.running])
        #expect(StatusCode.allCases.filter(\.isSuccess) == [.ok, .finished, .scoreInvalid])
        #expect(StatusCode(rawValue: 17) == nil && StatusCode(rawValue: 104) == nil && StatusCode(rawValue: -1) == nil)
    }
}
