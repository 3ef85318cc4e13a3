import RolloutEnvironment

struct FindBook: Tool {
    struct Arguments: ToolArguments {
        var title: String
        static let descriptions = ["title": "The book's title, without its author."]
    }

    private static let shelves = ["momo": "C3", "the hobbit": "F1", "persuasion": "A7"]

    let name = "find_book"
    let description = "Tells on which shelf a book stands."

    func call(_ arguments: Arguments) async throws -> ToolResult {
        guard let shelf = Self.shelves[arguments.title.lowercased()] else {
            return .failure("there is no book \(arguments.title).")
        }
        return "\(arguments.title) stands on shelf \(shelf)."
    }
}
