// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// One model call of a run with tools, and what its tools gave; the run goes on as the step says.
public struct ToolStep: Sendable {
    /// The number of the model call; 1 for the first.
    public let turn: Int
    /// What the model answered.
    public let completion: Completion
    /// What each tool call of the answer gave, in the answer's order; none when the model called no tool.
    public let results: [(call: ToolCall, result: ToolResult)]
    /// The conversation so far: the answer, the results of its tools, and what was added.
    public private(set) var messages: [Message]
    /// What the next model call asks of the model about tools, and no call after it.
    public var nextToolChoice: ToolChoice?

    private var endReason: TerminationReason?
    private var isContinued = false

    init(
        turn: Int, completion: Completion, results: [(call: ToolCall, result: ToolResult)], messages: [Message]
    ) {
        self.turn = turn
        self.completion = completion
        self.results = results
        self.messages = messages
        if results.contains(where: { $0.result.endsRun }) { endReason = .controlPlaneSignal }
    }

    /// The message that the model answered.
    public var answer: Message { completion.message }

    /// Adds a message for the model to answer; the run goes on though the model called no tool.
    public mutating func add(_ message: Message) {
        messages.append(message)
        isContinued = true
    }

    /// Ends the run after this step.
    ///
    /// - Parameter reason: Becomes ``ToolRun/reason``.
    public mutating func end(_ reason: TerminationReason = .controlPlaneSignal) { endReason = reason }

    /// Why the run is over with this step, unless its turns are; `nil` when the model is to be asked again.
    var outcome: TerminationReason? {
        if let endReason { return endReason }
        guard results.isEmpty, !isContinued else { return nil }
        return completion.choices.first?.finishReason == "length" ? .length : .stop
    }
}
