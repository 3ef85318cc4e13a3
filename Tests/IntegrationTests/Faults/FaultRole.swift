// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TestSupport
import WireJSON

/// What a rollout of the fault test does, and how its caller behaves.
struct FaultRole: Sendable, CustomStringConvertible {
    enum Behaviour: String, Sendable, CaseIterable {
        case finishes, fails, exits
        /// Runs until its deadline.
        case hangs
        /// The same, and heeds no SIGTERM.
        case deaf
        /// Waits until its caller cancels it.
        case waits
        /// Kills itself.
        case killed
        case crashes
        /// Closes its output and goes on.
        case closes
        /// Leaves a daemon behind.
        case forks
        /// Logs 100,000 lines.
        case floods
        case binary
        /// Leaves descriptors open, in a daemon that it leaves behind, too.
        case leaks
        /// Sends its status through the contract's log.
        case reports
        /// The same, and does not end then.
        case stays
        /// Tells its status by its last line.
        case says
        /// Wants more memory than it may have.
        case hungry
    }

    var rollout: String
    var behaviour: Behaviour
    /// How it ends: a code or a signal.
    var code: Int
    /// How long it works.
    var seconds: Double
    /// What two of a behaviour do differently.
    var isOdd: Bool
    /// Whether it logs through the contract's log, too.
    var tells: Bool
    var deadline: Double
    /// As our processor does: the caller names the attempt, and repeats it after an answer that was lost.
    var namesAttempts: Bool
    var hasKey: Bool
    /// How often its caller tries it again after a status that says so.
    var retries: Int

    var description: String { "\(rollout), which \(behaviour.rawValue)" }

    init(_ rollout: String, _ behaviour: Behaviour, using random: inout SeededGenerator) {
        self.rollout = rollout
        self.behaviour = behaviour
        code =
            switch behaviour {
            case .exits: .random(in: 1...125, using: &random)
            case .crashes: [4, 6, 7, 8, 11].randomElement(using: &random) ?? 6
            case .closes, .forks: [0, 7].randomElement(using: &random) ?? 0
            case .reports, .says: [100, 100, 3, 9, 14, 102].randomElement(using: &random) ?? 100
            case .stays: 100
            default: 0
            }
        seconds = .random(in: 0...1.5, using: &random)
        isOdd = .random(using: &random)
        tells = .random(using: &random)
        deadline = [.hangs, .deaf, .waits].contains(behaviour) ? .random(in: 1.5...4, using: &random) : 40
        namesAttempts = .random(using: &random)
        hasKey = .random(using: &random)
        retries = .random(in: 0...1, using: &random)
    }

    /// The same behaviours again and again, in another order each time; the dearest one is rare.
    static func deck(_ count: Int, named prefix: String, using random: inout SeededGenerator) -> [FaultRole] {
        var deck: [Behaviour] = []
        var roles: [FaultRole] = []
        var round = 0
        while roles.count < count {
            if deck.isEmpty {
                deck = Behaviour.allCases.filter { $0 != .floods || round % 4 == 0 }.shuffled(using: &random)
                round += 1
            }
            roles.append(FaultRole("\(prefix)-\(roles.count)", deck.removeLast(), using: &random))
        }
        return roles
    }

    func request(gatewayURL: String, attempt: AttemptID?) -> InitRequest {
        var metadata = RolloutMetadata(
            invocationID: "faults", experimentID: "faults", rolloutID: rollout, runID: "run", rowID: "row")
        let url = TaggedURL.make(gatewayURL: gatewayURL, metadata: metadata)
        metadata.attempt = attempt
        metadata.additional["deadline_seconds"] = .number(deadline)
        let role: JSONValue = [
            "rollout": .string(rollout), "behaviour": .string(behaviour.rawValue), "code": .number(code),
            "seconds": .number(seconds), "calls": .bool(isOdd), "tells": .bool(tells),
        ]
        return InitRequest(
            completionParameters: CompletionParameters(model: "scripted"), messages: [.user(role.description)],
            modelBaseURL: url, metadata: metadata, apiKey: hasKey ? "caller-key-1234" : nil)
    }
}
