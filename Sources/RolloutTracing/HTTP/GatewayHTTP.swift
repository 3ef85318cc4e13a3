// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import AsyncHTTPClient
package import NIOCore
package import NIOHTTP1
import NIOPosix

/// Requests to a gateway, in the few ways this module needs.
package struct GatewayHTTP: Sendable {
    /// An answer, whatever its status.
    package struct Answer: Sendable {
        package var code: Int
        package var headers: HTTPHeaders
        package var body: [UInt8]

        package var isSuccess: Bool { (200..<300).contains(code) }

        /// Whether it says that a repeat would be answered the same.
        package var isFinal: Bool { headers.first(name: "x-should-retry") == "false" }

        /// The seconds of a `Retry-After` header; dates are not read.
        package var retryAfter: Duration? {
            headers.first(name: "retry-after").flatMap(Double.init).map { .seconds(max(0, min($0, 86_400))) }
        }
    }

    private let client: HTTPClient

    /// - Parameter client: Without one, all of the process share one.
    package init(client: HTTPClient? = nil) { self.client = client ?? Self.sharedClient }

    /// How requests to gateways are made: nothing waits long for a connection, none is tried twice in secret, and
    /// idle ones are given up before the other side does.
    package static func clientConfiguration(readTimeout: TimeAmount? = nil) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(3), read: readTimeout))
        // A trace for each post of log lines would bury those of the rollouts.
        configuration.tracing.tracer = nil
        configuration.connectionPool.idleTimeout = .seconds(4)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 512
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    /// Lives as long as the process, as its event loops do.
    package static let sharedClient = HTTPClient(
        eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: clientConfiguration())

    /// For event streams: one that is silent for as long as three heartbeats take has died.
    package static let sharedEventClient = HTTPClient(
        eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: clientConfiguration(readTimeout: .seconds(46)))

    /// Sends a request and reads its answer to the end.
    ///
    /// - Throws: What the HTTP client throws when there is no whole answer within `timeout`, or it has more than
    ///   `maximumBytes`.
    package func send(
        _ method: HTTPMethod, _ url: String, apiKey: String?, body: [UInt8]? = nil, timeout: Duration,
        maximumBytes: Int
    ) async throws -> Answer {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let request = Self.request(method, url, apiKey: apiKey, body: body)
        let response = try await client.execute(request, deadline: deadline, logger: nil)
        let buffer = try await response.body.collect(upTo: maximumBytes)
        return Answer(
            code: Int(response.status.code), headers: response.headers, body: Array(buffer.readableBytesView))
    }

    /// The same for those who must not depend on the threads of tasks: nothing here runs on them.
    func send(
        _ method: HTTPMethod, _ url: String, apiKey: String?, body: [UInt8], timeout: Duration, maximumBytes: Int
    ) -> EventLoopFuture<Answer> {
        do {
            let request = try HTTPClient.Request(
                url: url, method: method, headers: Self.headers(apiKey: apiKey, hasBody: true),
                body: .byteBuffer(ByteBuffer(bytes: body)))
            let answer = ResponseAccumulator(request: request, maxBodySize: maximumBytes)
            return client.execute(request: request, delegate: answer, deadline: .now() + TimeAmount(timeout))
                .futureResult.map { response in
                    Answer(
                        code: Int(response.status.code), headers: response.headers,
                        body: response.body.map { Array($0.readableBytesView) } ?? [])
                }
        } catch {
            return HTTPClient.defaultEventLoopGroup.any().makeFailedFuture(error)
        }
    }

    /// Begins a request whose answer is read piece by piece.
    func open(_ url: String, apiKey: String?, headers: HTTPHeaders) async throws -> HTTPClientResponse {
        var request = Self.request(.GET, url, apiKey: apiKey, body: nil)
        request.headers.add(contentsOf: headers)
        return try await client.execute(request, deadline: .distantFuture, logger: nil)
    }

    private static func request(
        _ method: HTTPMethod, _ url: String, apiKey: String?, body: [UInt8]?
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers = headers(apiKey: apiKey, hasBody: body != nil)
        request.body = body.map { .bytes(ByteBuffer(bytes: $0)) }
        return request
    }

    private static func headers(apiKey: String?, hasBody: Bool) -> HTTPHeaders {
        var headers: HTTPHeaders = ["user-agent": "rollcall"]
        if let apiKey { headers.add(name: "authorization", value: "Bearer \(apiKey)") }
        if hasBody { headers.add(name: "content-type", value: "application/json") }
        return headers
    }

    /// A short sentence about an error of the HTTP client.
    package static func reason(_ error: any Error) -> String {
        if let error = error as? HTTPClientError {
            switch error {
            case .connectTimeout: return "no connection within the time allowed"
            case .deadlineExceeded, .readTimeout: return "no answer within the time allowed"
            case .remoteConnectionClosed: return "the connection was closed before the answer"
            case .cancelled: return "the request was cancelled"
            default: return error.shortDescription
            }
        }
        if let error = error as? NIOConnectionError {
            return error.connectionErrors.first.map { "\($0.error)" } ?? "the name has no address"
        }
        return String("\(error)".prefix(200))
    }
}
