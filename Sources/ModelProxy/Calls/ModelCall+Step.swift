// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import TraceStore

extension ModelCall {
    package struct Plan {
        package var isRecorded: Bool
        /// Whether the client asked for a stream.
        package var streams: Bool
        package var choices: Int
        /// Whether a client may end its side and still wait: HTTP/1.0, or `Connection: close`.
        package var toleratesEnd: Bool
        package var maximumAnswerBytes: Int
        package var timeouts: CallTimeouts
        /// What is captured of the answer; `nil` where it passes as it is.
        package var capture: CapturePlan?

        package init(
            isRecorded: Bool, streams: Bool, choices: Int = 1, toleratesEnd: Bool = false,
            maximumAnswerBytes: Int = 64 << 20, timeouts: CallTimeouts = CallTimeouts(), capture: CapturePlan? = nil
        ) {
            self.isRecorded = isRecorded
            self.streams = streams
            self.choices = choices
            self.toleratesEnd = toleratesEnd
            self.maximumAnswerBytes = maximumAnswerBytes
            self.timeouts = timeouts
            self.capture = capture
        }
    }

    /// What is to be done, in the order of the members.
    package struct Step {
        /// The record is to be submitted, in this state and with this error.
        package var record: (state: CallRecord.State, error: String?)?
        /// What came after the commit is to be added to the record.
        package var amends = false
        /// Answer with this problem; nothing of an answer has gone out.
        package var problem: GatewayProblem?
        package var head: ResponseHead?
        /// The length of the body, where it is all there.
        package var bodyLength: Int?
        package var bytes: ByteBuffer?
        package var end: End?
        /// The connection to the upstream is to be given up.
        package var drops = false

        package enum End {
            case clean
            /// The connection to the client ends without an end of the answer.
            case abort
        }
    }

    package enum Phase: Equatable {
        case waiting, passing, collecting, streaming
        case holding(since: NIODeadline)
        case committing(since: NIODeadline)
        case released, ended
    }

    package enum Departure {
        /// The client has ended its side of the connection.
        case end
        /// The connection is gone.
        case reset
    }
}
