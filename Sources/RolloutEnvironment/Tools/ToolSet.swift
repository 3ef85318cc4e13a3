// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// Tools under their names, checked.
struct ToolSet: Sendable {
    /// As the chat completions API has them.
    let definitions: [JSONValue]
    private let tools: [String: any Tool]

    init(_ tools: [any Tool]) throws {
        var definitions: [JSONValue] = []
        var byName: [String: any Tool] = [:]
        for tool in tools {
            let name = tool.name
            guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(Self.isAllowed) else {
                throw ToolError("The tool name \"\(name)\" is not 1 to 64 letters, digits, underscores and hyphens.")
            }
            guard byName.updateValue(tool, forKey: name) == nil else {
                throw ToolError("Two tools have the name \(name).")
            }
            definitions.append(try Self.definition(tool))
        }
        self.definitions = definitions
        self.tools = byName
    }

    private static func definition<T: Tool>(_ tool: T) throws -> JSONValue {
        [
            "type": "function",
            "function": [
                "name": .string(tool.name), "description": .string(tool.description),
                "parameters": .object(try T.Arguments.schema()),
            ],
        ]
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Runs one call; what is wrong with it becomes the result.
    func call(_ call: ToolCall) async throws -> ToolResult {
        guard let tool = tools[call.name] else {
            return .failure("there is no tool \(call.name); there are \(tools.keys.sorted().joined(separator: ", ")).")
        }
        return try await Self.run(tool, arguments: call.arguments)
    }

    private static func run<T: Tool>(_ tool: T, arguments: String) async throws -> ToolResult {
        let decoded: T.Arguments
        do {
            // Models leave the arguments of a function without any empty.
            let text = arguments.isEmpty ? "{}" : arguments
            decoded = try JSONValueDecoder().decode(T.Arguments.self, from: JSONValue(parsing: Array(text.utf8)))
        } catch let error as DecodingError {
            return .failure("the arguments of \(tool.name) do not fit: \(error.sentence)")
        } catch {
            return .failure("the arguments of \(tool.name) do not fit: \(error)")
        }
        return try await tool.call(decoded)
    }
}

extension DecodingError {
    /// The path and what is wrong there.
    fileprivate var sentence: String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "the arguments" : path.map(\.stringValue).joined(separator: ".")
        }
        return switch self {
        case .typeMismatch(_, let context), .dataCorrupted(let context), .valueNotFound(_, let context):
            "\(place(context.codingPath)): \(context.debugDescription)"
        case .keyNotFound(let key, let context): "\(place(context.codingPath + [key])) is missing"
        @unknown default: "they cannot be read"
        }
    }
}
