// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import RolloutProcessor
import RolloutTesting
import RolloutTracing
import SVGAgent
import TestSupport
import Testing
import WireJSON

@Suite("Example: SVGAgent") struct SVGAgentTests {
    private static let good = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50">
          <defs><linearGradient id="sky"><stop offset="0" stop-color="#013"/></linearGradient></defs>
          <style><![CDATA[ .sun { fill: url( "#sky" ); stroke: gold } ]]></style>
          <rect width="100" height="50" fill="url(#sky)"/><circle class="sun" cx="50" cy="25" r="9"/>
          <use href="#sky"/><text x="3" y="48">Größe &amp; more</text>
        </svg>
        """

    private static func environment(turns: Int = 3) -> RolloutEnvironment {
        RolloutEnvironment(agent: PictureAgent(renderer: SVGRenderer(), maximumTurns: turns).run)
    }

    /// Width and height of a PNG.
    private static func size(ofPNG bytes: [UInt8]) -> [Int]? {
        guard bytes.count > 24, bytes[1..<4].elementsEqual("PNG".utf8) else { return nil }
        return [16, 20].map { start in bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
    }

    @Test("a bad drawing is told to the model, and the next one is left with the rollout")
    func secondTurn() async throws {
        let model = ScriptedModel(["Here you are: <svg><circle></svg>", "```svg\n\(Self.good)\n```"])
        let recording = await Self.environment().test([.user("A sun.")], model: model)
        #expect(recording.status.code == .finished, "\(recording.status)")
        #expect(recording.status.extras["reward"] == 0.5)
        #expect(recording.status.extras["turns"] == 2)
        #expect(recording.status.extras["svg"]?.string == Self.good)
        #expect(recording.calls[1].messages.map(\.role) == ["system", "user", "assistant", "user"])
        #expect(recording.lastMessages.last?.text.contains("not in the namespace") == true)
        #expect(recording.lines.first?.message.hasPrefix("turn 1: ") == true)
        let picture = try #require(recording.lines.last?.metadata["picture"]).description
        let prefix = "data:image/png;base64,"
        #expect(picture.hasPrefix(prefix))
        let png = try #require(Data(base64Encoded: String(picture.dropFirst(prefix.count))))
        #expect(Self.size(ofPNG: Array(png)) == [256, 128])
    }

    @Test("after the last turn there is no reward, and no error") func noPicture() async {
        let recording = await Self.environment(turns: 2).test(
            [.user("A sun.")], model: ScriptedModel { _ in "I cannot draw." })
        #expect(recording.status.code == .finished)
        #expect(recording.status.terminationReason == .maxSteps)
        #expect(recording.status.extras["reward"]?.double == 0)
        #expect(recording.calls.count == 2)
    }

    private static let foreignEntity = "<!DOCTYPE svg [<!ENTITY xxe SYSTEM 'file:///etc/passwd'>]>"

    private static func svg(_ content: String, _ attributes: String = "") -> String {
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://www.w3.org/1999/xlink' \(attributes)>\(content)"
            + "<path d='M0 0'/></svg>"
    }

    @Test(
        "what is not well-formed, or not harmless, is refused with words about it",
        arguments: [
            ("no drawing", "there is no <svg>"),
            ("</svg><svg>", "there is no <svg>"),
            (svg("<g>"), "not well-formed"),
            (svg("<rect width=1/>"), "not well-formed"),
            (svg("") + svg(""), "not well-formed"),
            (svg("<use x:y:href='#a'/>") + "</svg>", "not well-formed"),
            (svg("&xxe;"), "not well-formed"),
            (Self.foreignEntity + svg("<text>&xxe;</text>"), "not well-formed"),
            ("<?xml version='1.0' encoding='UTF-7'?>" + svg("&xxe;"), "not well-formed"),
            (svg("<script>alert(1)</script>"), "<script> may not"),
            (svg("<image href='http://a.example/b.png'/>"), "<image> may not"),
            (svg("<foreignObject/>"), "<foreignObject> may not"),
            (svg("<animate/>"), "<animate> may not"),
            (svg("<rect onclick='alert(1)'/>"), "onclick may not"),
            (svg("<use href='other.svg#a'/>"), "href may only"),
            (svg("<use x:href='file:///etc/passwd'/>"), "x:href may only"),
            (svg("", "xml:base='http://a.example/'"), "base may not"),
            (svg("<rect fill='url(http://a.example/#a)'/>"), "://"),
            (svg("<rect fill='URL( other.svg#a )'/>"), "fill may only"),
            (svg("<rect style='fill: u\\72l(a)'/>"), "may not hold \\"),
            (svg("<style>@import 'a.css';</style>"), "@import"),
            (svg("<style>a { fill: url('a') }</style>"), "<style> may only"),
            (svg("<style>a { fill: <![CDATA[url(//a)]]> }</style>"), "<style> may only"),
            (svg("<?xml-stylesheet href='a.css'?>"), "<?xml-stylesheet?> may not"),
            (svg("<p xmlns='http://www.w3.org/1999/xhtml'/>"), "namespace"),
            ("<svg><path/></svg>", "namespace"),
            ("<svg xmlns='http://www.w3.org/2000/svg'><title>Nothing</title></svg>", "draws nothing"),
            (svg(String(repeating: "<g/>", count: 5_000)), "16384 is the most"),
        ])
    func refused(answer: String, says: String) throws {
        let fault = #expect(throws: SVGFault.self) { try SVGDocument(in: answer) }
        let words = try #require(fault).description
        #expect(words.contains(says), "\(words)")
        #expect(words.utf8.count < 300)
    }

    @Test("a drawing that takes too long is a fault of its own, and its renderer is ended") func slow() async throws {
        // Each level refers to the one below several times.
        let levels = (1...8).map { level in
            "<g id='l\(level)'>" + String(repeating: "<use href='#l\(level - 1)'/>", count: 7) + "</g>"
        }
        let bomb = try SVGDocument(
            in: Self.svg("<defs><rect id='l0' width='9' height='9'/>\(levels.joined())</defs><use href='#l8'/>"))
        await #expect(throws: SVGFault.self) {
            _ = try await SVGRenderer(timeout: .milliseconds(100)).png(of: bomb)
        }
    }

    @Test("between a gateway and a model: the picture is in the log, the drawing in the row, all turns in the trace")
    func overSockets() async throws {
        try await ExampleWorld.with("SVGAgent", ["--turns", "2"]) { request in
            let turns = request.json?["messages"]?.array?.filter { $0["role"] == "assistant" }.count ?? 0
            return ExampleWorld.completion(turns == 0 ? Self.svg("<script/>") : Self.good)
        } run: { world in
            let row = try await world.process("A sun.")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(row.executionMetadata.extra?["reward"] == 0.5)
            #expect(row.executionMetadata.extra?["svg"]?.string == Self.good)
            #expect(row.messages.map(\.role) == ["system", "user", "assistant", "user", "assistant"])
            let rollout = try #require(row.executionMetadata.rolloutID)
            let pictures = try await world.gateway.logs(of: rollout).compactMap { $0.extras["picture"]?.string }
            #expect(pictures.count == 1)
            #expect(pictures.first?.hasPrefix("data:image/png;base64,iVBOR") == true)
            #expect(world.environment.errors.contains("turn 1: <script> may not be used"))
            #expect(!world.environment.errors.contains("base64"))
        }
    }

    @Test("without rsvg-convert it does not start, and says what to install") func missing() async throws {
        let process = try RollcallProcess(program: "SVGAgent", ["--port", "0"], variables: ["PATH": "/nowhere"])
        #expect(try await process.exitCode() == 1)
        #expect(process.errors.contains("apt-get install librsvg2-bin"), "\(process.errors)")
        #expect(process.output.isEmpty)
    }

    @Test("the rows are a data set") func rows() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Examples/SVGAgent/rows.jsonl")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let rows = try lines.map { try EvaluationRow(from: JSONReader(JSONValue(parsing: Array($0.utf8)))) }
        #expect(rows.count == 10)
        #expect(Set(rows.compactMap(\.inputMetadata.rowID)).count == 10)
        #expect(rows.allSatisfy { $0.messages.count == 1 })
    }
}
