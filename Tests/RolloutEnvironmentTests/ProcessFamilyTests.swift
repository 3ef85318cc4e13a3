// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import RolloutEnvironment
import Testing

@Suite("Processes: whose they are") struct ProcessFamilyTests {
    @Test("a line of /proc is read whatever the process is called") func stat() throws {
        let text = """
            4242 (a (b) c) S 17 4242 4242 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 98765 1000 10 184467440737
            """
        let entry = try #require(ProcessEntry(stat: Array(text.utf8)))
        #expect(entry.identifier == 4_242)
        #expect(entry.parent == 17)
        #expect(entry.session == 4_242)
        #expect(entry.started == 98_765)
        #expect(entry.ticks == 300)
        #expect(!entry.isZombie)
        #expect(ProcessEntry(stat: Array(text.replacing(") S", with: ") Z").utf8))?.isZombie == true)
    }

    @Test("a broken one is none", arguments: ["", "1", "1 (x", "1 (x)", "1 (x) S 2 3", "x (y) S 1 1 1 1"])
    func broken(text: String) {
        #expect(ProcessEntry(stat: Array(text.utf8)) == nil)
    }

    @Test("a variable is found among others") func variable() {
        let environ = Array("A=1\0MARKER=x=y\0MARKERS=z\0".utf8)
        #expect(ProcessEntry.value(of: "MARKER", in: environ) == "x=y")
        #expect(ProcessEntry.value(of: "MARK", in: environ) == nil)
        #expect(ProcessEntry.value(of: "MARKER", in: []) == nil)
    }

    @Test("session, marker and descent make the family; the dead and the environment itself are not of it")
    func family() {
        func entry(
            _ identifier: Int32, parent: Int32, session: Int32, isZombie: Bool = false, marker: String? = nil
        ) -> ProcessEntry {
            ProcessEntry(
                identifier: identifier, parent: parent, session: session, isZombie: isZombie, marker: marker)
        }
        let entries = [
            entry(1, parent: 0, session: 1),
            entry(50, parent: 1, session: 50, marker: "mine"),  // the environment, started by another rollout's agent
            entry(100, parent: 50, session: 100, isZombie: true),  // the leader
            entry(101, parent: 100, session: 100),  // in its session, without a marker
            entry(102, parent: 1, session: 102, marker: "mine"),  // a daemon
            entry(103, parent: 102, session: 103),  // its child, with an empty environment
            entry(104, parent: 103, session: 103),
            entry(105, parent: 102, session: 102, isZombie: true, marker: "mine"),
            entry(200, parent: 50, session: 200, marker: "other"),
            entry(201, parent: 200, session: 200, marker: "other"),
            entry(300, parent: 1, session: 300),
        ]
        let family = entries.family(of: 100, marker: "mine", self: 50)
        #expect(family.map(\.identifier) == [101, 102, 103, 104])
        #expect(entries.family(of: 999, marker: "nobody", self: 50).isEmpty)
    }

    @Test("what a killed environment left is known by its start or its marker, never by its number alone")
    func left() {
        func entry(
            _ identifier: Int32, parent: Int32 = 1, started: UInt64 = 7, isZombie: Bool = false, marker: String? = nil
        ) -> ProcessEntry {
            ProcessEntry(
                identifier: identifier, parent: parent, session: identifier, isZombie: isZombie, started: started,
                marker: marker)
        }
        func left(_ identifier: Int32, boot: String = JournaledProcess.currentBoot) -> JournaledCommand {
            JournaledCommand(
                marker: "marked-\(identifier)", folder: "",
                process: JournaledProcess(identifier: identifier, started: 7, boot: boot))
        }
        let entries = [
            entry(50, marker: "marked-100"),  // the environment
            entry(100), entry(101, parent: 100, started: 8),
            entry(110, started: 8),  // took the number of one that has ended
            entry(120),  // of another start of the machine
            entry(130, started: 9, marker: "marked-110"), entry(131, parent: 130), entry(132, isZombie: true),
            entry(140, marker: "marked-999"),
        ]
        let commands = [left(100), left(110), left(120, boot: "another"), left(132)]
        #expect(entries.family(of: commands, self: 50).map(\.identifier) == [100, 101, 130, 131])
        #expect(entries.family(of: [], self: 50).isEmpty)
    }
}
