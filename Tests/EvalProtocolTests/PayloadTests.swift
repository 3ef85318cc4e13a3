// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Testing
import WireJSON

@Suite("EvalProtocol: payloads")
struct PayloadTests {
    private func vectors() throws -> [JSONValue] {
        let url = try #require(Bundle.module.url(forResource: "payload_vectors", withExtension: "json"))
        return try #require(try JSONValue(parsing: Array(Data(contentsOf: url))).array)
    }

    private func bytes(hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }

    @Test("the reference's examples are read and written byte for byte")
    func reference() throws {
        for vector in try vectors() {
            let raw = bytes(hex: try #require(vector["raw_hex"]?.string))
            let data = try #require(vector["data"]?.string)
            let values = try #require(vector["expect"]?["value"]?.array)
            let payload = TracePayload(version: "x/v1", content: raw)
            #expect(payload.data == data)
            #expect(try payload.content() == raw)
            switch vector["type"]?.string {
            case "logprobs":
                let decoded = try LogprobsPayload(decoding: raw)
                #expect(decoded.encode() == raw)
                #expect(decoded.tokens.map { Double($0.logprob) } == values.compactMap(\.double))
                let ids = decoded.tokens.compactMap(\.id).map(Int.init)
                #expect(
                    (ids.count == decoded.tokens.count ? ids : nil)
                        == vector["expect"]?["token_ids"]?.array?.compactMap(\.int))
            case "prompt_token_ids":
                let decoded = try PromptTokenIDsPayload(decoding: raw)
                #expect(decoded.encode() == raw)
                #expect(decoded.tokenIDs == values.compactMap(\.int))
            case "router_replay":
                let decoded = try RouterReplayPayload(decoding: raw)
                #expect(decoded.encode() == raw)
                #expect(decoded.matrices.map { $0.map { Data($0).base64EncodedString() } } == values.map(\.string))
                let made = try RouterReplayPayload(
                    matrices: decoded.matrices, element: decoded.element, selector: decoded.selector,
                    flags: decoded.flags)
                #expect(made == decoded)
            default: Issue.record("an unknown type")
            }
        }
    }

    @Test("routing matrices stay with their tokens, wherever those that have one stand")
    func placesOfMatrices() throws {
        let header = Array("R3V1".utf8) + [1, 1, 1, 0]
        let counts: [[UInt8]] = [
            [3, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0],
        ]
        let bytes = header + counts.joined() + [8, 9]
        let payload = try RouterReplayPayload(decoding: bytes)
        #expect(payload.matrices == [nil, [8, 9], nil])
        #expect(payload.encode() == bytes)
    }

    @Test("frames of any length come back", arguments: [0, 1, 255, 131_071, 131_072, 131_073, 400_000])
    func frames(_ count: Int) throws {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(try ZstandardFrame.contentOfRawBlocks(ZstandardFrame.rawBlocks(content)) == content)
    }

    @Test("compressed frames are recognised, broken ones refused")
    func otherFrames() throws {
        let compressed: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x04, 0x05, 0x00, 0x00, 0x00]
        #expect(try ZstandardFrame.contentOfRawBlocks(compressed) == nil)
        let runLength: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x04, 0x23, 0x00, 0x00, 0x61]
        #expect(try ZstandardFrame.contentOfRawBlocks(runLength) == Array("aaaa".utf8))
        let good = ZstandardFrame.rawBlocks([1, 2, 3])
        for bad in [[], [1, 2, 3, 4], good.dropLast(), good + [0]] as [[UInt8]] {
            #expect(throws: PayloadError.self) { try ZstandardFrame.contentOfRawBlocks(bad) }
        }
    }

    @Test("bytes that are cut short or changed never crash a decoder")
    func broken() throws {
        for vector in try vectors() {
            let raw = bytes(hex: try #require(vector["raw_hex"]?.string))
            for place in raw.indices {
                for bytes in [Array(raw[..<place]), raw[..<place] + [0xFF] + raw[(place + 1)...]] {
                    _ = try? LogprobsPayload(decoding: bytes)
                    _ = try? PromptTokenIDsPayload(decoding: bytes)
                    _ = try? RouterReplayPayload(decoding: bytes)
                    _ = try? ZstandardFrame.contentOfRawBlocks(bytes)
                }
            }
        }
        #expect(throws: PayloadError.self) { try LogprobsPayload(decoding: []) }
        #expect(throws: PayloadError.self) { try PromptTokenIDsPayload(decoding: Array("[1.5]".utf8)) }
        #expect(throws: PayloadError.self) { try RouterReplayPayload(matrices: [[1], [1, 2]]) }
        #expect(try RouterReplayPayload(matrices: [nil, [1]]).selector == .suffix)
        #expect(try RouterReplayPayload(matrices: [[1], nil]).selector == .bitmap)
    }
}
