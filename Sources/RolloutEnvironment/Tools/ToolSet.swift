// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import WireJSON

/// Tools under their names, checked.
struct ToolSet: Sendable {
    /// A model may write as many calls as its answer has room for.
    private static let maximumConcurrentCalls = 16

    /// As the chat completions API has them.
    let definitions: [JSONValue]
    private let tools: [String: any Tool]
    private let secrets: Secrets
    private let span: RolloutSpan

    init(_ tools: [any Tool], secrets: Secrets, span: RolloutSpan) throws {
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
        self.secrets = secrets
        self.span = span
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

    func has(_ name: String) -> Bool { tools[name] != nil }

    /// Runs the calls of one answer.
    ///
    /// - Returns: What they gave, in their order.
    func results(of calls: [ToolCall]) async throws -> [ToolResult] {
        guard calls.count > 1, !calls.contains(where: { tools[$0.name]?.isSequential == true }) else {
            var results: [ToolResult] = []
            for call in calls { results.append(try await result(of: call)) }
            return results
        }
        return try await withThrowingTaskGroup(of: (Int, ToolResult).self) { group in
            var results = calls.map { _ in ToolResult("") }
            for (index, call) in calls.enumerated() {
                if index >= Self.maximumConcurrentCalls, let (done, result) = try await group.next() {
                    results[done] = result
                }
                group.addTask { (index, try await self.result(of: call)) }
            }
            for try await (index, result) in group { results[index] = result }
            return results
        }
    }

    /// Runs one call; what is wrong with it, or goes wrong in it, becomes the result.
    private func result(of call: ToolCall) async throws -> ToolResult {
        try Task.checkCancellation()
        let tool = tools[call.name]
        return try await span.toolCall(tool?.name, id: call.id) { span in
            guard let tool else {
                span.failed("unknown_tool", "The model called a tool that there is not.")
                let names = tools.keys.sorted().joined(separator: ", ")
                return .failure(
                    "there is no tool \(call.name); \(names.isEmpty ? "there is none" : "there are \(names)").")
            }
            return try await run(tool, call, span)
        }
    }

    private func run<T: Tool>(_ tool: T, _ call: ToolCall, _ span: ToolCallSpan) async throws -> ToolResult {
        let decoded: T.Arguments
        do {
            // Models leave the arguments of a function without any empty.
            let text = call.arguments.isEmpty ? "{}" : call.arguments
            decoded = try JSONValueDecoder().decode(T.Arguments.self, from: JSONValue(parsing: Array(text.utf8)))
        } catch {
            span.failed("invalid_arguments", "The arguments do not fit the tool.")
            let why = (error as? DecodingError)?.sentence ?? "\(error)"
            return .failure("the arguments of \(tool.name) do not fit: \(why)")
        }
        do {
            let result = try await tool.call(decoded)
            if result.isFailure { span.failed("tool_failure", "The tool could not do what was asked.") }
            return result
        } catch let error where error is any RolloutFailure || error is CancellationError || Task.isCancelled {
            throw error
        } catch {
            let why = secrets.redact("\(error)", limit: 1_000)
            span.failed("\(type(of: error))", why)
            Logger.current.warning("the tool \(tool.name) threw, and the model was told: \(why)")
            return .failure("\(tool.name) failed: \(why)")
        }
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
