// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CZstd
import EvalProtocol

/// Payloads are the same once written and read, and frames are what the zstd library takes them for.
enum PayloadsFuzz: FuzzTarget {
    static let name = "payloads"

    static let seeds: [[UInt8]] = {
        let logprobs = LogprobsPayload(tokens: [.init(id: 7, logprob: -0.5), .init(id: nil, logprob: 0)])
        let matrices: [[UInt8]?] = [[1, 2], nil, [3, 4]]
        let replays = [matrices, [[1], [2]], [nil, [9]]].compactMap { try? RouterReplayPayload(matrices: $0) }
        let contents =
            [logprobs.encode(), PromptTokenIDsPayload(tokenIDs: [1, -2, 3]).encode()] + replays.map { $0.encode() }
        return contents + contents.map(ZstandardFrame.rawBlocks) + contents.map { Array(Base64.encoded($0).utf8) }
            + [[0x28, 0xB5, 0x2F, 0xFD, 0x20, 5, 0x2B, 0, 0, 7]]
    }()

    static func run(_ input: [UInt8]) {
        checkFrames(input)
        checkBase64(input)
        if let payload = try? LogprobsPayload(decoding: input) {
            // By bytes, since some numbers are not equal to themselves.
            let bytes = payload.encode()
            require((try? LogprobsPayload(decoding: bytes))?.encode() == bytes, "log probabilities are kept")
        }
        if let payload = try? PromptTokenIDsPayload(decoding: input) {
            require((try? PromptTokenIDsPayload(decoding: payload.encode())) == payload, "token ids are kept")
        }
        if let payload = try? RouterReplayPayload(decoding: input) {
            require((try? RouterReplayPayload(decoding: payload.encode())) == payload, "routing matrices are kept")
        }
    }

    private static func checkFrames(_ input: [UInt8]) {
        let frame = ZstandardFrame.rawBlocks(input)
        require(unpacked(frame, room: input.count + 1) == input, "the library reads our frames")
        require((try? ZstandardFrame.contentOfRawBlocks(frame)) == input, "we read our frames")
        require((try? TracePayload(version: "x", content: input).content()) == input, "a payload is kept")
        guard let content = try? ZstandardFrame.contentOfRawBlocks(input) else { return }
        // It looks at checksums and window sizes, too.
        if let other = unpacked(input, room: content.count + 1) {
            require(content == other, "a frame holds what the library finds in it")
        }
    }

    private static func unpacked(_ frame: [UInt8], room: Int) -> [UInt8]? {
        var content = [UInt8](repeating: 0, count: room)
        let count = ZSTD_decompress(&content, room, frame, frame.count)
        return ZSTD_isError(count) == 0 ? Array(content[..<count]) : nil
    }

    private static func checkBase64(_ input: [UInt8]) {
        for alphabet in [Base64.Alphabet.standard, .urlSafe] {
            let encoded = Base64.encoded(input, alphabet: alphabet)
            require(Base64.decoded(encoded.utf8, alphabet: alphabet) == input, "bytes are kept in Base64")
            guard let decoded = Base64.decoded(input, alphabet: alphabet) else { continue }
            let again = Base64.decoded(Base64.encoded(decoded, alphabet: alphabet).utf8, alphabet: alphabet)
            require(again == decoded, "Base64 from elsewhere is kept")
        }
    }
}
