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
