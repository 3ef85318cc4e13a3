// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// How a kind of server is asked for what training needs, and where its answers have that.
package struct UpstreamProfile: Sendable, Hashable {
    package enum Server: String, Sendable, Hashable, CaseIterable {
        case openai, vllm, sglang, llamacpp, fireworks
    }

    /// A member that a request is given.
    struct Field: Sendable, Hashable {
        enum Need: Sendable, Hashable {
            case logprobs, tokens, routing
        }

        enum Obstacle: Sendable, Hashable {
            case none, stream, streamWithTools
        }

        var name: String
        /// As JSON.
        var value = "true"
        var need: Need
        /// The requests that the server refuses when they have the field.
        var obstacle = Obstacle.none
        /// Has a meaning only beside this field, and goes with it.
        var companion: String?
    }

    /// A member of answers, or of the chunks of a stream.
    struct Place: Sendable, Hashable {
        enum Scope: Sendable, Hashable {
            case answer, choice
        }

        enum Content: Sendable, Hashable {
            /// OpenAI's object, with an entry for each token.
            case logprobs
            case completionTokenIDs
            case promptTokenIDs
            /// SGLang's account of a choice: `[logprob, id, text]` for each token.
            case metaInfo
            /// An object with all tokens' experts, 32 bits each.
            case sglangExperts
            /// All tokens' experts as the bytes of a `.npy` file.
            case numpyExperts
            /// An object that counts the completion's tokens.
            case llamaTimings
        }

        var scope: Scope
        var name: String
        var content: Content
        /// The request's field that brings it; `nil` for what comes by itself.
        var answers: String?
        /// What stands there without that field: `null`, or nothing.
        var isNullOtherwise = false
    }

    package let server: Server
    /// Whether the experts of a mixture-of-experts model are asked for.
    package let routing: Bool

    package init(_ server: Server, routing: Bool = false) {
        self.server = server
        self.routing = routing
    }

    /// - Parameter text: a server's name, and `+routing` where its experts are to be captured.
    package init?(_ text: String) {
        let parts = text.split(separator: "+", omittingEmptySubsequences: false)
        guard let server = Server(rawValue: String(parts[0])), parts.count == 1 || parts.dropFirst() == ["routing"]
        else {
            return nil
        }
        self.init(server, routing: parts.count == 2)
        guard !routing || Self.routingServers.contains(server) else { return nil }
    }

    private static let routingServers: Set<Server> = [.vllm, .sglang, .fireworks]

    package static let expected =
        "openai, vllm, sglang, llamacpp or fireworks, or vllm, sglang or fireworks with +routing"

    /// What is asked for.
    var fields: [Field] {
        switch server {
        case .openai: [Field(name: "logprobs", need: .logprobs)]
        case .vllm:
            [
                Field(name: "logprobs", need: .logprobs),
                // A null here with logprobs is an error of the server's.
                Field(name: "top_logprobs", value: "0", need: .logprobs, companion: "logprobs"),
                Field(name: "return_token_ids", need: .tokens),
            ]
        case .sglang:
            [
                Field(name: "logprobs", need: .logprobs),
                Field(name: "return_prompt_token_ids", need: .tokens, obstacle: .stream),
                Field(name: "return_meta_info", need: .tokens, obstacle: .stream),
                Field(name: "return_routed_experts", need: .routing),
            ]
        case .llamacpp:
            [
                Field(name: "logprobs", need: .logprobs, obstacle: .streamWithTools),
                // It gives 20 alternatives without this, and no log probabilities with 0.
                Field(name: "top_logprobs", value: "1", need: .logprobs, companion: "logprobs"),
            ]
        case .fireworks:
            [
                Field(name: "logprobs", need: .logprobs),
                Field(name: "return_token_ids", need: .tokens),
                Field(name: Self.routingMatrixField, need: .routing),
            ]
        }
    }

    /// Where it comes.
    var places: [Place] {
        let logprobs = Place(scope: .choice, name: "logprobs", content: .logprobs, answers: "logprobs")
        var nullLogprobs = logprobs
        nullLogprobs.isNullOtherwise = true
        switch server {
        case .openai: return [nullLogprobs]
        case .vllm:
            return [
                nullLogprobs,
                Place(
                    scope: .choice, name: "token_ids", content: .completionTokenIDs, answers: "return_token_ids",
                    isNullOtherwise: true),
                Place(
                    scope: .answer, name: "prompt_token_ids", content: .promptTokenIDs, answers: "return_token_ids",
                    isNullOtherwise: true),
                Place(scope: .choice, name: "routed_experts", content: .numpyExperts),
            ]
        case .sglang:
            return [
                nullLogprobs,
                Place(
                    scope: .choice, name: "prompt_token_ids", content: .promptTokenIDs,
                    answers: "return_prompt_token_ids"),
                Place(scope: .choice, name: "meta_info", content: .metaInfo, answers: "return_meta_info"),
                Place(scope: .answer, name: "sglext", content: .sglangExperts, answers: "return_routed_experts"),
            ]
        case .llamacpp: return [logprobs, Place(scope: .answer, name: "timings", content: .llamaTimings)]
        case .fireworks:
            return [
                logprobs,
                Place(
                    scope: .choice, name: "token_ids", content: .completionTokenIDs, answers: "return_token_ids"),
                Place(scope: .answer, name: "prompt_token_ids", content: .promptTokenIDs, answers: "return_token_ids"),
                Place(scope: .choice, name: "prompt_token_ids", content: .promptTokenIDs, answers: "return_token_ids"),
            ]
        }
    }

    /// The field that gives each entry of log probabilities a matrix of its token's experts.
    static let routingMatrixField = "include_routing_matrix"

    func needs(_ need: Field.Need, for capture: Capture) -> Bool {
        switch need {
        case .logprobs: capture != .none
        case .tokens: capture == .tokens
        case .routing: capture == .tokens && routing
        }
    }
}

extension UpstreamProfile: CustomStringConvertible {
    package var description: String { server.rawValue + (routing ? "+routing" : "") }
}
