import RolloutEnvironment

public struct LibrarianAgent: Sendable {
    public init() {}

    public func run(_ rollout: Rollout) async throws -> Status {
        let instructions = Message.system("You are a librarian. Look books up before you say where they stand.")
        let run = try await rollout.model.run(
            [instructions] + rollout.messages, tools: [FindBook()], maximumTurns: 10)
        let hasLookedUp = run.messages.contains { $0.role == "tool" }
        rollout.logger.info("answered in \(run.turns) turns")
        return .finished(
            reward: hasLookedUp && run.reason == .stop ? 1 : 0, reason: run.reason,
            extras: ["turns": .number(run.turns)])
    }
}
