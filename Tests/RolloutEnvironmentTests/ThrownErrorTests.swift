// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import RolloutEnvironment
import Testing

@Suite("RolloutEnvironment: how errors end a rollout") struct ThrownErrorTests {
    struct Own: RolloutFailure { var status: Status }
    struct Plain: Error { let note: String }

    @Test(
        "HTTP statuses of the model become codes",
        arguments: [
            (400, StatusCode.invalidArgument), (422, .invalidArgument), (401, .unauthenticated),
            (403, .permissionDenied), (404, .notFound), (408, .deadlineExceeded), (504, .deadlineExceeded),
            (429, .resourceExhausted), (500, .unavailable), (502, .unavailable), (503, .unavailable), (418, .internal),
        ])
    func modelStatuses(http: Int, code: StatusCode) {
        let error = ModelError(FailureReason(modelHTTPStatus: http), "sentence", httpStatus: http)
        let status = Status.thrown(error, secrets: Secrets([]))
        #expect(status.code == code)
        #expect(status.errorInfos.first?.metadata["http_status"] == .string("\(http)"))
        #expect(status.errorInfos.first?.metadata["blame"] != nil)
    }

    @Test("other errors become codes") func others() {
        let table: [(any Error, StatusCode, FailureReason)] = [
            (CancellationError(), .cancelled, .cancelled),
            (HTTPClientError.readTimeout, .deadlineExceeded, .timeout),
            (HTTPClientError.deadlineExceeded, .deadlineExceeded, .timeout),
            (HTTPClientError.remoteConnectionClosed, .unavailable, .connectionFailed),
            (ChannelError.connectTimeout(.seconds(1)), .deadlineExceeded, .timeout),
            (IOError(errnoCode: 111, reason: "connect"), .unavailable, .connectionFailed),
            (Plain(note: "x"), .internal, .agentError),
            (Own(status: .resourceExhausted("full")), .resourceExhausted, .agentReported),
            (Own(status: .running), .internal, .agentStatusNotTerminal),
        ]
        for (error, code, reason) in table {
            let status = Status.thrown(error, secrets: Secrets([]))
            #expect(status.code == code, "\(error)")
            #expect(FailureReason(status) == reason, "\(error)")
        }
    }

    @Test("what an agent returns is kept, errors get a reason") func returned() {
        #expect(Status.ended(.finished(), secrets: Secrets([])) == .finished())
        let status = Status.ended(.internalProblem, secrets: Secrets([]))
        #expect(FailureReason(status) == .agentReported)
        #expect(status.extraInfo?["a"] == 1)
    }

    @Test("keys do not get into messages, and messages stay short") func secrets() {
        let secrets = Secrets(["sk-secret-1234", "sk-secret-1234-longer", nil, "short"])
        let status = Status.thrown(
            Plain(note: "bad key sk-secret-1234-longer or sk-secret-1234, short"), secrets: secrets)
        #expect(!status.message.contains("sk-secret"))
        #expect(status.message.contains("[redacted] or [redacted], short"))
        let long = Status.thrown(Plain(note: String(repeating: "x", count: 10_000)), secrets: secrets)
        #expect(long.message.count <= 2_000)
    }

    @Test("every reason has one code, and none is a success") func reasons() {
        for reason in FailureReason.allCases {
            #expect(!reason.code.isSuccess && reason.code.isTerminal)
            #expect(FailureReason(reason.status("x")) == reason)
        }
    }
}

extension Status {
    fileprivate static let internalProblem = Status.error("no", info: ["a": 1])
}
