// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

extension Trace {
    /// The messages that a trace's input and output stand for.
    struct Conversation {
        let messages: [Message]
        let outputMessage: Message?
        let tools: [JSONValue]?

        /// Takes input and output, or if they give no messages, those of the generation observed last.
        init(trace: JSONObject) {
            let own = Conversation(input: trace["input"], output: trace["output"])
            let observed = Conversation.lastGeneration(trace["observations"]?.array ?? [])
            if own.messages.isEmpty, let observed {
                self = Conversation(input: observed["input"], output: observed["output"])
            } else {
                self = own
            }
        }

        init(input: JSONValue?, output: JSONValue?) {
            let answer = Conversation.messages(in: output)
            messages = Conversation.messages(in: input) + answer
            outputMessage = answer.last
            let tools = (input?["tools"]?.array ?? []).filter { $0.object != nil }
            self.tools = tools.isEmpty ? nil : tools
        }

        private static func lastGeneration(_ observations: [JSONValue]) -> JSONValue? {
            observations
                .filter { $0["type"]?.string == "GENERATION" }
                .max { ($0["start_time"]?.string ?? "") < ($1["start_time"]?.string ?? "") }
        }

        /// A bare text is a user's message, in the output too.
        private static func messages(in value: JSONValue?) -> [Message] {
            switch value {
            case .string(let text)? where !text.text.isEmpty: [.user(text.text)]
            case .array(let elements)?: elements.compactMap(message)
            case .object(let object)? where !object.isEmpty: messages(in: object)
            default: []
            }
        }

        private static func messages(in object: JSONObject) -> [Message] {
            if let list = object["messages"]?.array { return list.compactMap(message) }
            if object["role"] != nil { return [message(.object(object))].compactMap { $0 } }
            if let prompt = object["prompt"] {
                return [message(["role": "user", "content": prompt])].compactMap { $0 }
            }
            return [message(["role": "assistant", "content": object["content"] ?? .null])].compactMap { $0 }
        }

        /// The message that an object stands for, whatever has to be repaired for it.
        private static func message(_ value: JSONValue) -> Message? {
            guard value.object != nil else { return nil }
            return (try? Message(from: JSONReader(value)))
                ?? (try? Message(from: JSONReader(MessageRepair.repaired(value))))
        }
    }
}
