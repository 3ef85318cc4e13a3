// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import WireJSON

/// Model calls over HTTP.
struct HTTPModelTransport: ModelTransport {
    let client: HTTPClient
    /// For the whole exchange.
    let timeout: Duration
    let metrics: EnvironmentMetrics

    func send(_ request: ModelRequest) async throws -> ModelResponse {
        var outgoing = HTTPClientRequest(url: request.url)
        outgoing.method = .POST
        for header in request.headers { outgoing.headers.replaceOrAdd(name: header.name, value: header.value) }
        outgoing.body = .bytes(ByteBuffer(bytes: JSONValue.object(request.body).serialized()))
        let start = ContinuousClock.now
        let answer = try await client.execute(outgoing, timeout: TimeAmount(timeout))
        metrics.modelAnswered(after: .now - start)
        return ModelResponse(
            status: Int(answer.status.code),
            headers: answer.headers.map { ($0.name.lowercased(), $0.value) },
            body: answer.body.map { @Sendable buffer in [UInt8](buffer.readableBytesView) })
    }

    /// A client for calls of many rollouts to few servers.
    static func makeClient(_ configuration: RolloutEnvironment.Configuration) -> HTTPClient {
        var settings = HTTPClient.Configuration()
        settings.timeout.connect = .seconds(5)
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        // Model calls have spans of their own, with what the client cannot know.
        settings.tracing.tracer = nil
        // Servers close idle connections after five seconds; ours go first.
        settings.connectionPool.idleTimeout = .seconds(4)
        // A call that waits for a connection would look like a slow model.
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit =
            max(8, configuration.maximumConcurrentRollouts)
        // A refused connection is an answer; repeating calls is the model client's business.
        settings.connectionPool.retryConnectionEstablishment = false
        // Connections are closed when they idle or their call is cancelled. Servers of streams take a plain end for one
        // that still reads, and would go on working for nobody until their next event; a reset tells them.
        settings.http1_1ConnectionDebugInitializer = { channel in
            (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                ?? channel.eventLoop.makeSucceededVoidFuture()
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }
}
