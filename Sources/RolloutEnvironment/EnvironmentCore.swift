// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Logging
import NIOCore
import RolloutTracing

/// What the copies of a ``RolloutEnvironment`` share.
final class EnvironmentCore: Sendable {
    let configuration: RolloutEnvironment.Configuration
    let agent: RolloutEnvironment.Agent
    let registry: RolloutRegistry
    let delivery: LogDelivery
    let reporter: DeliveryReporter
    let leases: LeaseKeeper?
    let metrics: EnvironmentMetrics
    let watch: PoolWatch
    let client: HTTPClient
    /// Keys of which callers show one.
    let keys: KeyRing
    let pathSecret: PathSecret?
    let allowedModelOrigins: Set<WebOrigin>?
    let journal: Journal?
    /// Why there is no journal though one is wanted.
    let journalError: (any Error)?
    /// Why the environment must not be served as it is configured.
    let accessError: RolloutEnvironment.ConfigurationError?
    /// Opens when what the process before this one left behind has been dealt with.
    let hasRecovered = Latch()

    init(_ configuration: RolloutEnvironment.Configuration, agent: @escaping RolloutEnvironment.Agent) {
        self.configuration = configuration
        self.agent = agent
        registry = RolloutRegistry(
            RolloutRegistry.StateMachine(
                maximumRunning: configuration.maximumConcurrentRollouts,
                maximumQueued: configuration.maximumQueuedRollouts, maximumReceipts: configuration.maximumReceipts),
            cancellationGrace: configuration.cancellationGrace, loop: HTTPClient.defaultEventLoopGroup.next(),
            logger: configuration.logger)
        metrics = EnvironmentMetrics(capacity: configuration.maximumConcurrentRollouts)
        watch = PoolWatch(
            limit: configuration.blockedPoolLimit, loop: HTTPClient.defaultEventLoopGroup.next(),
            logger: configuration.logger
        ) { [metrics] in metrics.poolBlocked() }
        client = HTTPModelTransport.makeClient(configuration)
        var tracing = TracingConfiguration(environment: configuration.variables)
        tracing.gatewayURL = configuration.gatewayURL ?? tracing.gatewayURL
        tracing.apiKey = configuration.gatewayAPIKey ?? tracing.apiKey
        delivery = LogDelivery(tracing, logger: configuration.logger)
        reporter = DeliveryReporter(delivery: delivery, lease: configuration.lease)
        leases = configuration.lease.map { [registry, delivery] lease in
            LeaseKeeper(lease: lease, loop: HTTPClient.defaultEventLoopGroup.next()) {
                registry.contexts
            } renew: {
                delivery.renewLeases($0, lease: lease)
            }
        }
        keys = KeyRing(keys: configuration.acceptedAPIKeys)
            .adding(KeyRing(list: configuration.variable("ROLLCALL_ENVIRONMENT_KEYS") ?? ""))
        let (pathSecret, accessError) = Self.readPathSecret(configuration)
        self.pathSecret = pathSecret
        self.accessError = accessError
        allowedModelOrigins = configuration.allowedModelOrigins.map { Set($0.compactMap { WebOrigin($0) }) }
        for origin in configuration.allowedModelOrigins ?? [] where WebOrigin(origin) == nil {
            configuration.logger.error("allowedModelOrigins: \(origin) is no http or https origin, and allows nothing")
        }
        let (journal, journalError) = Self.openJournal(configuration)
        self.journal = journal
        self.journalError = journalError
        delivery.onAnswer { [registry, journal] line in
            registry.heed(line)
            if let attempt = line.attempt, line.status?.isTerminal == true {
                journal?.append(.delivered(RolloutRegistry.Key(rolloutID: line.rolloutID, attempt: attempt)))
            }
        }
        let records = journal?.recovered ?? []
        for record in records where record.hasReceipt {
            registry.recordEnded(record.key, Self.end(of: record))
        }
        if records.isEmpty {
            hasRecovered.open()
        } else {
            Task {
                await recover(records)
                hasRecovered.open()
            }
        }
    }

    private static func openJournal(_ configuration: RolloutEnvironment.Configuration) -> (Journal?, (any Error)?) {
        guard let path = configuration.journal else { return (nil, nil) }
        do {
            return (try Journal(path: path, logger: configuration.logger), nil)
        } catch {
            configuration.logger.error("\(error)")
            return (nil, error)
        }
    }

    private static func readPathSecret(
        _ configuration: RolloutEnvironment.Configuration
    ) -> (PathSecret?, RolloutEnvironment.ConfigurationError?) {
        guard let text = configuration.pathSecret else { return (nil, nil) }
        do {
            return (try PathSecret(text), nil)
        } catch {
            configuration.logger.error("\(error)")
            return (nil, error)
        }
    }

    /// - Throws: Why the environment cannot be served.
    func checkStart() throws {
        if let error = accessError ?? journalError { throw error }
    }

    deinit {
        // The client must not go without having been shut down; nobody is left to wait for it.
        client.shutdown { _ in }
    }

    // MARK: Parts

    /// Builds a rollout; its model and its reports go through what is given.
    func makeRun(
        _ request: InitRequest, budget: Budget, context: RolloutContext, reporter: any RolloutReporter,
        transport: any ModelTransport, secrets: Secrets
    ) -> RolloutRun {
        let attempt = context.attempt ?? .random()
        let gate = ModelCallGate()
        let span = RolloutSpan(context.metadata, attempt: attempt, model: request.completionParameters.model)
        let key = RolloutRegistry.Key(rolloutID: context.rolloutID, attempt: attempt)
        let meter = BudgetMeter(budget, messages: request.messages) {
            [registry, ends = configuration.whenBudgetIsUsedUp] in
            if ends == .ends { registry.stop(key, $0) }
        }
        let model = ModelClient(
            parameters: request.completionParameters, tools: request.tools ?? [],
            endpoint: ModelEndpoint.resolve(
                request, attempt: attemptForURL(request, context, reporter), configuration),
            transport: transport, gate: gate, meter: meter,
            retries: RetryPolicy(maximumRetries: configuration.model.maximumRetries),
            maximumAnswerBytes: configuration.model.maximumAnswerBytes, secrets: secrets, span: span)
        let rollout = Rollout(
            metadata: context.metadata, attempt: attempt, messages: request.messages, tools: request.tools,
            request: request, model: model, logger: makeLogger(context, reporter), context: context,
            reporter: reporter, gate: gate,
            journal: journal.map { RolloutJournal(journal: $0, key: key) })
        return RolloutRun(
            rollout: rollout, context: context, agent: agent, reporter: reporter, secrets: secrets, gate: gate,
            journal: journal, metrics: metrics, span: span, watch: watch)
    }

    /// The attempt, if the model URL may carry it: tagged, without one, and of a gateway that knows attempts.
    private func attemptForURL(
        _ request: InitRequest, _ context: RolloutContext, _ reporter: any RolloutReporter
    ) -> AttemptID? {
        guard let tagged = request.modelBaseURL.flatMap({ TaggedURL($0) }), tagged.attempt == nil,
            let destination = context.destination, let origin = WebOrigin(tagged.gatewayURL),
            origin == WebOrigin(destination.gatewayURL), reporter.knowsAttempts(origin: destination.origin)
        else { return nil }
        return context.attempt
    }

    private func makeLogger(_ context: RolloutContext, _ reporter: any RolloutReporter) -> Logger {
        let label = "rollout"
        var handlers: [any LogHandler] = [
            reporter.logHandler(for: context, label: label, level: configuration.rolloutLogLevel)
        ]
        // Whoever has set up a rollout handler for the whole process gets each line once all the same.
        if !(configuration.logger.handler is RolloutLogHandler) {
            var own = configuration.logger.handler
            own[metadataKey: "rollout_id"] = "\(context.rolloutID)"
            handlers.append(own)
        }
        return Logger(label: label) { _ in MultiplexLogHandler(handlers) }
    }

    func secrets(of request: InitRequest) -> Secrets {
        Secrets(
            [
                request.apiKey, configuration.gatewayAPIKey, configuration.model.apiKey,
                configuration.variable("FIREWORKS_API_KEY"), configuration.variable("OPENAI_API_KEY"),
                configuration.pathSecret,
            ] + keys.keys)
    }

    var tooLarge: InitAnswer {
        .error(
            413, code: "body_too_large",
            "The body is longer than \(configuration.maximumBodyBytes) bytes; maximumBodyBytes sets the limit.")
    }

    var stopping: InitAnswer {
        .error(503, code: "stopping", "The environment is being stopped; come again.", retryAfter: 5)
    }

    var unauthorized: InitAnswer {
        var answer = InitAnswer.error(
            401, code: "invalid_api_key",
            "No accepted key: send one of the environment's keys (acceptedAPIKeys, ROLLCALL_ENVIRONMENT_KEYS) as bearer, "
                + "or as api_key in the body of /init.", type: "authentication_error", param: "Authorization")
        answer.headers.append(("www-authenticate", "Bearer"))
        return answer
    }

    func isAuthorized(_ authorization: String?) -> Bool { keys.accepts(authorization: authorization) }
}

extension Status {
    static func endedByGateway(_ final: StatusCode) -> Status {
        FailureReason.endedByGateway.status("The gateway has ended the attempt with \(final.name).")
    }
}
