// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
public import Logging

extension RolloutEnvironment {
    /// The bounds of an environment, where it logs to, and which model serves when a request names none.
    public struct Configuration: Sendable {
        /// Rollouts whose agents run at once.
        public var maximumConcurrentRollouts = 256
        /// Accepted rollouts that wait for a place; beyond, `/init` is answered 503 with `Retry-After`.
        public var maximumQueuedRollouts = 1_024
        /// The longest body of a request; longer ones are answered 413.
        public var maximumBodyBytes = 32 << 20
        /// How many ended executions are remembered, to answer a repeated `/init`.
        public var maximumReceipts = 10_000

        /// Within this time the gateway hears of each accepted rollout again, or ends it as UNAVAILABLE: this process or
        /// its machine is gone then. Gateways that know no leases are not told. `nil`: no such promise.
        public var lease: Duration? = .seconds(15)
        /// How long RUNNING may take to reach the gateway before `/init` is answered 503.
        public var runningTimeout: Duration = .seconds(3)
        /// When `/init` is answered.
        public enum Answering: Sendable, Hashable {
            /// As soon as RUNNING has reached the gateway; the rollout goes on in the background.
            case onceRunning
            /// When the rollout has ended and all its lines have reached the gateway: for serverless functions, which may
            /// be frozen after an answer. Callers have to wait that long; the Python client waits 600 s.
            case onceEnded
        }

        public var answering = Answering.onceRunning

        /// How long an agent may work on a rollout, time in the queue apart; then its task is cancelled and the rollout
        /// ends with DEADLINE_EXCEEDED. A caller's `deadline_seconds`, which counts from `/init`, may end it earlier.
        /// `nil`: as long as it likes.
        public var timeout: Duration?
        /// What each rollout may use of its model; `budget` in the metadata of `/init` may only make it less. It holds for
        /// the agent's own calls too, where the gateway knows budgets.
        public var budget = Budget()

        /// What happens when a rollout has no budget for another model call.
        public enum BudgetEnd: Sendable, Hashable {
            /// It ends with RESOURCE_EXHAUSTED, and the agent is cancelled.
            case ends
            /// The call throws a ``ModelError`` with one of the `budget` reasons, and the agent decides: it may return
            /// `.finished(reason: .maxSteps)` with what it has.
            case asksAgent
        }

        public var whenBudgetIsUsedUp = BudgetEnd.ends

        /// How long a cancelled agent has to return before its end is reported without it.
        public var cancellationGrace: Duration = .seconds(5)
        /// When no task could run for so long, the log and `/metrics` say that agents block the threads of all tasks.
        package var blockedPoolLimit: Duration = .seconds(5)
        /// How long running rollouts may go on after SIGTERM.
        public var grace: Duration = .seconds(30)
        /// How long the delivery of the last statuses and lines may take after that.
        public var flushTimeout: Duration = .seconds(5)

        /// A file in which accepted rollouts are noted, so that an environment that was killed and is started again ends the
        /// processes that it left behind and reports the rollouts that it lost as UNAVAILABLE at once. Each environment
        /// needs one of its own, on a disk that outlives the process; the folder has to exist. While it cannot be written,
        /// as on a full disk, `/init` is answered 503. `nil`: none, and such rollouts end when their leases do.
        public var journal: String?

        /// The gateway that logs and statuses go to. Without it: `FW_TRACING_GATEWAY_BASE_URL`, then the gateway in
        /// the request's `model_base_url`, then the hosted one.
        public var gatewayURL: String?
        /// That gateway's key; without it `FIREWORKS_API_KEY`.
        public var gatewayAPIKey: String?

        /// Keys of which one has to be shown, as bearer or as the `api_key` of `/init`; those of
        /// `ROLLCALL_ENVIRONMENT_KEYS`, separated by commas, count beside them. None: everybody may.
        public var acceptedAPIKeys: [String] = []
        /// A secret that has to stand in front of each path, as in `/SECRET/init`, for callers that cannot show a key, as
        /// the Python client: it is given `https://host/SECRET` as base URL. Everything without it is answered 404.
        /// At least 16 characters that a URL takes as they are. It is no part of what `handle(_:authorization:)` sees.
        public var pathSecret: String?
        /// The certificate with which `run(host:port:)` serves; without it, plain HTTP.
        public var tls: TLSFiles?

        /// The only places to which a `model_base_url` may point, such as `https://gateway.example.com`; others are
        /// answered 403. `nil`: any.
        public var allowedModelOrigins: [String]?
        /// The web pages that may call the environment from a browser and read its answers, such as
        /// `https://console.example.com`; `["*"]` is any. Others could have anybody who visits them start rollouts on an
        /// environment that they cannot reach themselves, so by default there is none. Callers without a browser name no
        /// origin and are not asked for one.
        public var allowedWebOrigins: [String] = []

        /// The model that serves when a request brings no `model_base_url`, and how model calls are made.
        public var model = ModelConfiguration()

        /// The environment's own log, which rollouts' lines are written to as well.
        public var logger = Logger(label: "rollcall.environment")
        /// The least severe of the rollouts' lines that is sent to the gateway.
        public var rolloutLogLevel: Logger.Level = .info

        /// The environment variables to read.
        public var variables: [String: String] = ProcessInfo.processInfo.environment

        public init() {}

        /// The value of a variable; empty counts as unset.
        func variable(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }
    }

    /// How model calls are made.
    public struct ModelConfiguration: Sendable {
        /// The base URL when a request brings none, without `/chat/completions`; without it `OPENAI_BASE_URL`.
        public var baseURL: String?
        /// The key for that URL's origin, and for no other; without it `OPENAI_API_KEY`.
        public var apiKey: String?
        /// How often a call that failed for a moment is repeated.
        public var maximumRetries = 2
        /// The longest a call may take.
        public var timeout: Duration = .seconds(600)
        /// The longest answer.
        public var maximumAnswerBytes = 16 << 20

        public init() {}
    }
}
