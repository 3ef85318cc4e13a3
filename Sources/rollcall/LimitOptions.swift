// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ModelProxy
import SQLiteTraceStore
import TraceStore
import TracingGateway

/// The flags of `rollcall gateway` that bound what clients and upstreams may take.
struct LimitOptions: ParsableArguments {
    @Option(limit: .calls) var calls: String?
    @Option(limit: .accountCalls) var accountCalls: String?
    @Option(limit: .rolloutCalls) var rolloutCalls: String?
    @Option(limit: .bodyBytes) var bodyBytes: String?
    @Option(limit: .answerBytes) var answerBytes: String?
    @Option(limit: .logBodyBytes) var logBodyBytes: String?
    @Option(limit: .incomingBytes) var incomingBytes: String?
    @Option(limit: .headBytes) var headBytes: String?
    @Option(limit: .headerFields) var headerFields: String?
    @Option(limit: .idBytes) var idBytes: String?
    @Option(limit: .tags) var tags: String?
    @Option(limit: .rolloutLogs) var rolloutLogs: String?
    @Option(limit: .answerLogs) var answerLogs: String?
    @Option(limit: .answerLogBytes) var answerLogBytes: String?
    @Option(limit: .answerTraces) var answerTraces: String?
    @Option(limit: .treeCalls) var treeCalls: String?
    @Option(limit: .pendingRecords) var pendingRecords: String?
    @Option(limit: .pendingBytes) var pendingBytes: String?
    @Option(limit: .connections) var connections: String?
    @Option(limit: .idle) var idle: String?
    @Option(limit: .head) var head: String?
    @Option(limit: .bodyPause) var bodyPause: String?
    @Option(limit: .body) var body: String?
    @Option(limit: .unread) var unread: String?
    @Option(limit: .waiting) var waiting: String?
    @Option(limit: .eventStreams) var eventStreams: String?
    @Option(limit: .unreadEvent) var unreadEvent: String?
    @Option(limit: .upstreamConnections) var upstreamConnections: String?
    @Option(limit: .upstreamWaiting) var upstreamWaiting: String?
    @Option(limit: .upstreamWait) var upstreamWait: String?
    @Option(limit: .upstreamConnect) var upstreamConnect: String?
    @Option(limit: .upstreamFirstByte) var upstreamFirstByte: String?
    @Option(limit: .upstreamIdle) var upstreamIdle: String?
    @Option(limit: .watched) var watched: String?
    @Option(limit: .watchedEndless) var watchedEndless: String?
    @Option(limit: .rollouts) var rollouts: String?
    @Option(limit: .pageCache) var pageCache: String?

    /// Every limit with its flag's text.
    var values: [(limit: GatewayLimit, flag: String?)] {
        [
            (.calls, calls), (.accountCalls, accountCalls), (.rolloutCalls, rolloutCalls), (.bodyBytes, bodyBytes),
            (.answerBytes, answerBytes), (.logBodyBytes, logBodyBytes), (.incomingBytes, incomingBytes),
            (.headBytes, headBytes), (.headerFields, headerFields), (.idBytes, idBytes), (.tags, tags),
            (.rolloutLogs, rolloutLogs), (.answerLogs, answerLogs), (.answerLogBytes, answerLogBytes),
            (.answerTraces, answerTraces), (.treeCalls, treeCalls), (.pendingRecords, pendingRecords),
            (.pendingBytes, pendingBytes), (.connections, connections),
            (.idle, idle), (.head, head), (.bodyPause, bodyPause), (.body, body), (.unread, unread),
            (.waiting, waiting), (.eventStreams, eventStreams), (.unreadEvent, unreadEvent),
            (.upstreamConnections, upstreamConnections), (.upstreamWaiting, upstreamWaiting),
            (.upstreamWait, upstreamWait), (.upstreamConnect, upstreamConnect),
            (.upstreamFirstByte, upstreamFirstByte), (.upstreamIdle, upstreamIdle), (.watched, watched),
            (.watchedEndless, watchedEndless), (.rollouts, rollouts), (.pageCache, pageCache),
        ]
    }
}

extension Option where Value == String? {
    init(limit: GatewayLimit) { self.init(name: .customLong(limit.name), help: limit.help) }
}

extension GatewayLimit {
    static let calls = count(
        "max-calls", \.gateway.proxy.calls.total, 1...1_000_000,
        "Model calls in flight; one more is answered 429.")
    static let accountCalls = count(
        "max-calls-per-account", \.gateway.proxy.calls.account, 1...1_000_000,
        "Those of one account; one more is answered 429.")
    static let rolloutCalls = count(
        "max-calls-per-rollout", \.gateway.proxy.calls.rollout, 1...1_000_000,
        "Those of one rollout; one more is answered 429.")
    static let bodyBytes = bytes(
        "max-body-bytes", \.gateway.proxy.maximumBodyBytes, 1024...1 << 30,
        "The body of a model call; a larger one is answered 413.")
    static let answerBytes = bytes(
        "max-answer-bytes", \.gateway.proxy.maximumAnswerBytes, 1024...1 << 30,
        "An answer that is recorded; for a larger one there is 502, or its stream is cut.")
    static let logBodyBytes = bytes(
        "max-log-body-bytes", \.gateway.routes.logBodyBytes, 1024...1 << 30,
        "The body of a log post, a batch or a registration; a larger one is answered 413.")
    static let incomingBytes = bytes(
        "max-incoming-bytes", \.gateway.proxy.maximumIncomingBytes, 1024...1 << 40,
        "All bodies that are coming in; what exceeds it is answered 503.")
    static let headBytes = bytes(
        "max-head-bytes", \.gateway.connections.headBytes, 1024...1 << 20,
        "The head of a request; a larger one is answered 431.")
    static let headerFields = count(
        "max-header-fields", \.gateway.connections.headerFields, 1...100_000,
        "The fields of a head; more are answered 431.")
    static let idBytes = bytes(
        "max-id-bytes", \.idBytes, 1...65_536,
        "An id in a path, a registration or a tag of a line; a longer one is answered 400.")
    static let tags = count(
        "max-tags", \.gateway.routes.tags, 1...100_000,
        "The tags of a log line; more are answered 400.")
    static let rolloutLogs = count(
        "max-logs-per-rollout", \.store.logsPerRollout, 1...1 << 40,
        "Log lines of a rollout; more are answered 429, but for lines with a status.")
    static let answerLogs = count(
        "max-logs-per-answer", \.gateway.routes.logs, 1...1_000_000,
        "Log lines in an answer, whatever limit the request names.")
    static let answerLogBytes = bytes(
        "max-log-answer-bytes", \.gateway.routes.logAnswerBytes, 1024...1 << 30,
        "Their bytes, after which no further line is begun.")
    static let answerTraces = count(
        "max-traces-per-answer", \.gateway.routes.traces, 1...1_000_000,
        "Traces in an answer, whatever limit the request names.")
    static let treeCalls = count(
        "max-calls-per-tree", \.gateway.routes.treeCalls, 1...10_000_000,
        "Calls of a rollout that are shown as a tree; one with more is answered 422.")
    static let pendingRecords = count(
        "max-pending-records", \.ledger.writer.maximumPendingRecords, 1...1 << 30,
        "Records of calls in flight and lines that wait to be stored; more are answered 503, but for lines with a status."
    )
    static let pendingBytes = bytes(
        "max-pending-bytes", \.ledger.writer.maximumPendingBytes, 65_536...1 << 40,
        "Their bytes; what exceeds it is answered 503.")
    static let connections = count(
        "max-connections", \.gateway.connections.connections, 1...1_000_000,
        "Open connections of clients; one more is answered 503.")
    static let idle = seconds(
        "idle-seconds", \.gateway.connections.idle,
        "How long a connection may stay open without a request; it is closed then.")
    static let head = seconds(
        "head-seconds", \.gateway.connections.head,
        "How long the head of a request may take; a slower one is answered 408.")
    static let bodyPause = seconds(
        "body-pause-seconds", \.gateway.connections.bodyPause,
        "How long a body may stop on its way; one that stops longer is answered 408.")
    static let body = seconds(
        "body-seconds", \.gateway.connections.body,
        "How long a whole body may take; a slower one is answered 408.")
    static let unread = seconds(
        "unread-seconds", \.gateway.connections.unread,
        "How long a client may leave its answer unread; its connection is cut then.")
    static let waiting = count(
        "max-waiting", \.gateway.routes.waiting, 1...1_000_000,
        "Requests that wait for a status; one more is answered 503.")
    static let eventStreams = count(
        "max-event-streams", \.gateway.routes.eventStreams, 1...1_000_000,
        "Subscribers of events; one more is answered 503.")
    static let unreadEvent = seconds(
        "event-unread-seconds", \.gateway.routes.unreadEvent,
        "How long a subscriber may leave an event unread; its connection is cut then.")
    static let upstreamConnections = count(
        "max-upstream-connections", \.gateway.proxy.pool.maximumConnections, 1...1_000_000,
        "Connections to one upstream, for each of the gateway's event loops; more calls wait.")
    static let upstreamWaiting = count(
        "max-upstream-waiting", \.gateway.proxy.pool.maximumWaiters, 1...1_000_000,
        "Calls that wait for one, for each event loop; one more is answered 503.")
    static let upstreamWait = seconds(
        "upstream-wait-seconds", \.gateway.proxy.timeouts.queue,
        "How long a call waits for one; it is answered 503 then.")
    static let upstreamConnect = seconds(
        "upstream-connect-seconds", \.gateway.proxy.timeouts.connect,
        "How long a connection to an upstream may take to open; the call is answered 502 then.")
    static let upstreamFirstByte = seconds(
        "upstream-first-byte-seconds", \.gateway.proxy.timeouts.firstByte,
        "How long an upstream may take to begin its answer; the call is answered 504 then.")
    static let upstreamIdle = seconds(
        "upstream-idle-seconds", \.gateway.proxy.timeouts.idle,
        "How long an upstream may be silent within its answer; the answer ends with an error then.")
    static let watched = count(
        "max-watched-rollouts", \.ledger.maximumWatched, 1...1 << 30,
        "Running rollouts with a deadline or a lease; the registration of one more is answered 503.")
    static let watchedEndless = count(
        "max-watched-without-deadline", \.ledger.maximumWatchedEndless, 1...1 << 30,
        "Those with a budget or a capture and neither; the registration of one more is answered 503.")
    static let rollouts = count(
        "max-rollouts-in-memory", \.ledger.maximumRollouts, 1...1 << 30,
        "Rollouts whose status is answered from memory; others take a read of the store.")
    static let pageCache = bytes(
        "page-cache-bytes", \.store.pageCacheBytes, 1_048_576...1 << 40,
        "Pages of the store that its writer keeps in memory, and each of four readers a quarter of it.")
}
