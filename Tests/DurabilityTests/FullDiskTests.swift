// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

/// A disk without room, in three ways that the gateway cannot tell apart and one has no influence on.
@Suite("Durability: full disk", .enabled(if: DiskFaults.isSupported)) struct FullDiskTests {
    enum Shortage: String, Sendable, CaseIterable {
        /// Writes that fail with ENOSPC.
        case error
        /// A file system of its own that something else has filled; takes root.
        case fileSystem
        /// A limit on how large the process's files may get.
        case fileSize

        static var possible: [Shortage] { allCases.filter { $0 != .fileSystem || getuid() == 0 } }
    }

    @Test(
        "503 before the upstream is asked, not ready and why, and all of it over when there is room again",
        arguments: Shortage.possible)
    func shortage(_ shortage: Shortage) async throws {
        try await withScratch { folder in
            let upstream = try await ScriptedHTTPServer.start { Load.answer($0) }
            let faults = try await DiskFaults(store: folder.appending(path: "disk/traces.sqlite"))
            let gateway = try Self.gateway(shortage, faults, upstream.url)
            defer { gateway.end() }
            _ = try await gateway.ready()
            let ledger = Ledger()
            let load = Load(gateway: gateway, ledger: ledger, words: 0...3000) { 0 }
            let running = Task { await load.run("r", clients: 8, seed: 1) }
            try await eventually("some records") { ledger.count > 5 }
            if shortage == .error { try faults.fail(.write, on: nil, error: ENOSPC) }

            // Found by what could not be written, and by nothing else.
            try await eventually("unreadiness") { try await gateway.request("GET", "/ready").status == 503 }
            running.cancel()
            await running.value
            let reason = try await gateway.request("GET", "/ready").text
            #expect(reason.contains("traces.sqlite"), "\(reason)")
            // What was rolled back may leave a little room, which a probe finds and the next calls use up.
            try await eventually("five calls in a row that are refused before the model is asked") {
                let asked = upstream.requests.count
                for number in 0..<5 {
                    let answer = try await gateway.request(
                        "POST",
                        "/rollout_id/n\(number)/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions",
                        body: #"{"model":"m","messages":[]}"#)
                    guard upstream.requests.count == asked else { return false }
                    #expect(answer.status == 503)
                    #expect(answer.header("retry-after") != nil)
                    #expect(
                        answer.json["error"]?["message"]?.string?.contains("traces.sqlite") == true, "\(answer.text)")
                }
                return true
            }

            try await Self.end(shortage, faults, gateway)
            try await eventually("readiness") { try await gateway.request("GET", "/ready").status == 200 }
            let count = ledger.count
            let again = Task { await load.run("s", clients: 4, seed: 2) }
            try await eventually("new records") { ledger.count > count + 10 }
            again.cancel()
            await again.value
            // The file system of its own goes with the gateway.
            let store = folder.appending(path: "after.sqlite")
            gateway.signal(SIGSTOP)
            try Disk.Files(of: Self.seen(faults.store, by: gateway)).write(to: store)
            gateway.signal(SIGKILL)
            let found = await ledger.faults(in: store, at: 0)
            #expect(found.count == 0, "\(found.prefix(3))")
            await upstream.stop()
        }
    }

    private static func gateway(
        _ shortage: Shortage, _ faults: DiskFaults, _ upstream: String
    ) throws -> RollcallProcess {
        let folder = faults.store.deletingLastPathComponent()
        let launcher: [String]
        switch shortage {
        case .error: return try faults.gateway(upstream: upstream)
        case .fileSystem:
            launcher = [
                "unshare", "-m", "sh", "-c",
                "mount -t tmpfs -o size=24m tmpfs \(folder.path) && head -c 20000000 /dev/zero "
                    + "> \(folder.path)/ballast && exec \"$@\"", "sh",
            ]
        case .fileSize: launcher = ["sh", "-c", "ulimit -S -f 4000 && exec \"$@\"", "sh"]
        }
        return try RollcallProcess(
            "gateway", ["--port", "0", "--store", "sqlite:\(faults.store.path)", "--upstream", upstream + "/v1"],
            launcher: launcher)
    }

    private static func end(_ shortage: Shortage, _ faults: DiskFaults, _ gateway: RollcallProcess) async throws {
        switch shortage {
        case .error: try faults.stopFailing()
        case .fileSystem:
            let folder = seen(faults.store, by: gateway).deletingLastPathComponent()
            try FileManager.default.removeItem(at: folder.appending(path: "ballast"))
        case .fileSize:
            try await run("prlimit", "--pid", "\(gateway.identifier)", "--fsize=unlimited:")
        }
    }

    /// The store's path through the gateway's own view of the file systems, which Linux shows under /proc.
    private static func seen(_ store: URL, by gateway: RollcallProcess) -> URL {
        URL(fileURLWithPath: "/proc/\(gateway.identifier)/root\(store.path)")
    }
}
