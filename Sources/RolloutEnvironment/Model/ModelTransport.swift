// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// What carries a model call: HTTP in production, a script in tests.
package protocol ModelTransport: Sendable {
    /// Sends the call and returns as soon as the answer's head is there.
    func send(_ request: ModelRequest) async throws -> ModelResponse
}

/// A chat completions call, complete but for its bytes.
package struct ModelRequest: Sendable {
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: JSONObject

    package init(url: String, headers: [(name: String, value: String)], body: JSONObject) {
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// The answer to a ``ModelRequest``.
package struct ModelResponse: Sendable {
    package var status: Int
    /// Names in lower case.
    package var headers: [(name: String, value: String)]
    package var body: any AsyncSequence<[UInt8], any Error> & Sendable

    package init(
        status: Int, headers: [(name: String, value: String)] = [],
        body: any AsyncSequence<[UInt8], any Error> & Sendable
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer whose body is there already.
    package init(status: Int, headers: [(name: String, value: String)] = [], bytes: [UInt8]) {
        self.init(
            status: status, headers: headers,
            body: AsyncThrowingStream<[UInt8], any Error> { continuation in
                continuation.yield(bytes)
                continuation.finish()
            })
    }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The whole body.
    ///
    /// - Throws: ``ModelError`` when it is longer than `limit` bytes.
    package func collect(upTo limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in body {
            guard bytes.count + chunk.count <= limit else {
                throw ModelError(
                    .modelAnswerTooLarge,
                    "The model's answer is longer than \(limit) bytes; raise model.maximumAnswerBytes or lower max_tokens."
                )
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }
}
