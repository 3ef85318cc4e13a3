// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import RolloutTracing
import TestSupport
import Testing
import WireJSON

/// A journal on a file system of its own that something else fills; to mount one takes root.
@Suite("Integration: a journal on a full disk", .enabled(if: getuid() == 0)) struct FullJournalTests {
    @Test("what cannot be noted is not accepted; what runs goes on, and with room again all of it is noted")
    func fullDisk() async throws {
        try await ScriptedHTTPServer.with({ request in
            guard request.path.hasSuffix("/batch") else { return .json(["attempt": 1, "current": true, "final": nil]) }
            let lines = (try? JSONValue(parsing: request.body))?.array ?? []
            let taken: JSONValue = ["ok": true, "attempt": 1, "current": true, "final": nil]
            return .json(["results": .array(lines.map { _ in taken })])
        }) { gateway in
            let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let environment = try RollcallProcess(
                "environment",
                [
                    "--port", "0", "--gateway-url", gateway.url, "--grace", "0", "--journal", folder.path + "/journal",
                    "--", "sleep", "600",
                ],
                launcher: [
                    "unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=256k tmpfs \(folder.path) && exec \"$@\"",
                    "sh",
                ])
            defer { environment.end() }
            _ = try await environment.ready()
            func initialize(_ rolloutID: String) async throws -> RawResponse {
                let request = InitRequest(
                    completionParameters: CompletionParameters(model: "m"), messages: [.user("hello")],
                    metadata: ProcessLoop.metadata(rolloutID))
                return try await environment.request(
                    "POST", "/init", body: String(decoding: request.serialized(), as: UTF8.self))
            }
            // The folder as the environment sees it, which Linux shows under /proc.
            let seen = URL(fileURLWithPath: "/proc/\(environment.identifier)/root\(folder.path)")
            #expect(try await initialize("before").status == 200)

            let ballast = seen.appending(path: "ballast")
            #expect(FileManager.default.createFile(atPath: ballast.path, contents: nil))
            let filler = try FileHandle(forWritingTo: ballast)
            while (try? filler.write(contentsOf: Data(count: 4_096))) != nil {}
            try filler.close()
            // A block that is begun still takes some notes.
            var running: Set<String> = ["before"]
            var refusal: RawResponse?
            for number in 0..<64 where refusal == nil {
                let answer = try await initialize("r\(number)")
                if answer.status == 200 { running.insert("r\(number)") } else { refusal = answer }
            }
            let refused = try #require(refusal)
            #expect(refused.status == 503)
            #expect(refused.header("retry-after") == "30")
            #expect(refused.json["error"]?["code"] == "journal_unavailable")
            #expect(refused.text.contains("No space left on device"))
            #expect(try await environment.request("GET", "/health").json["running"]?.int == running.count)
            #expect(environment.errors.contains("no rollout is accepted"))

            try FileManager.default.removeItem(at: ballast)
            #expect(try await initialize("after").status == 200)
            running.insert("after")
            try await eventually("noted processes of all that run") {
                var damaged = 0
                let journal = [UInt8](try Data(contentsOf: seen.appending(path: "journal")))
                let records = JournalState(replaying: journal, damaged: &damaged).records
                return damaged == 0 && Set(records.map(\.metadata.rolloutID)) == running
                    && records.allSatisfy { $0.commands.count == 1 && $0.commands[0].process != nil }
            }
            environment.signal(SIGTERM)
            #expect(try await environment.exitCode() == 0, "\(environment.errors)")
        }
    }
}
