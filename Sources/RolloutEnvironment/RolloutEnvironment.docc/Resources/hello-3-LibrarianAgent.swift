import RolloutEnvironment

public struct LibrarianAgent: Sendable {
    public init() {}

    public func run(_ rollout: Rollout) async throws -> Status {
        let answer = try await rollout.model.complete(rollout.messages)
        rollout.logger.info("answered with \(answer.message.text.count) characters")
        return .finished()
    }
}
