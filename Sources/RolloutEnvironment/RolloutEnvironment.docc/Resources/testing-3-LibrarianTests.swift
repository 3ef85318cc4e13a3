import Librarian
import RolloutEnvironment
import RolloutTesting
import Testing

let librarian = RolloutEnvironment(agent: LibrarianAgent().run)

@Test func looksABookUp() async {
    let model = ScriptedModel([.toolCalls([("find_book", ["title": "Momo"])]), "On shelf C3."])
    let recording = await librarian.test([.user("Where is Momo?")], model: model)
    #expect(recording.status.code == .finished)
    #expect(recording.status.extras["reward"]?.double == 1)
    #expect(recording.lines.map(\.message) == ["answered in 2 turns"])
    #expect(recording.lastMessages.last?.text == "Momo stands on shelf C3.")
}

@Test func saysThatABookIsMissing() async {
    let model = ScriptedModel([.toolCalls([("find_book", ["title": "Nemo"])]), "We do not have it."])
    let recording = await librarian.test([.user("Where is Nemo?")], model: model)
    #expect(recording.lastMessages.last?.text == "Error: there is no book Nemo.")
}

@Test func stopsAModelThatNeverAnswers() async {
    let model = ScriptedModel { _ in .toolCalls([("find_book", ["title": "Momo"])]) }
    let recording = await librarian.test([.user("Where is Momo?")], model: model)
    #expect(recording.status.terminationReason == .maxSteps)
    #expect(recording.status.extras["reward"]?.double == 0)
    #expect(recording.calls.count == 10)
}

@Test func aModelThatIsDownIsNotThePolicysDoing() async {
    let model = ScriptedModel { _ in .failure(httpStatus: 503) }
    let recording = await librarian.test([.user("Where is Momo?")], model: model)
    #expect(recording.status.code == .unavailable)
    #expect(FailureReason(recording.status)?.blame == .infrastructure)
}
