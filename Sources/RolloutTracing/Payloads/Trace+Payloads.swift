// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// What was captured with a model call, unpacked.
public struct DecodedPayloads: Sendable, Hashable {
    /// The tokens of the answer, with their log probabilities.
    public var logprobs: LogprobsPayload?
    /// The tokens of the prompt.
    public var promptTokenIDs: PromptTokenIDsPayload?
    /// Which experts the model's router chose.
    public var routerReplay: RouterReplayPayload?
    /// Payloads that could not be read, by name, and why.
    public var errors: [String: String]

    public init(
        logprobs: LogprobsPayload? = nil, promptTokenIDs: PromptTokenIDsPayload? = nil,
        routerReplay: RouterReplayPayload? = nil, errors: [String: String] = [:]
    ) {
        self.logprobs = logprobs
        self.promptTokenIDs = promptTokenIDs
        self.routerReplay = routerReplay
        self.errors = errors
    }
}

extension Trace {
    /// Unpacks the payloads that this library knows; one that cannot be read leaves the others alone.
    public func decodedPayloads() -> DecodedPayloads {
        var decoded = DecodedPayloads()
        func decode<Payload>(_ name: String, _ decode: ([UInt8]) throws -> Payload) -> Payload? {
            guard let payload = payloads[name] else { return nil }
            do {
                return try decode(payload.unpacked())
            } catch {
                decoded.errors[name] = "\(error)"
                return nil
            }
        }
        decoded.logprobs = decode(LogprobsPayload.name, LogprobsPayload.init(decoding:))
        decoded.promptTokenIDs = decode(PromptTokenIDsPayload.name, PromptTokenIDsPayload.init(decoding:))
        decoded.routerReplay = decode(RouterReplayPayload.name, RouterReplayPayload.init(decoding:))
        return decoded
    }
}

extension TracePayload {
    /// The data, whether its frame is compressed or not.
    ///
    /// - Throws: `PayloadError` when the data is not Base64 of a zstd frame.
    public func unpacked() throws -> [UInt8] {
        guard let frame = Base64.decoded(data.utf8) else { throw PayloadError("the payload's data is not Base64") }
        return try ZstandardFrame.contentOfRawBlocks(frame) ?? ZstandardDecoder.content(of: frame)
    }
}
