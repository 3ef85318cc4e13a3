// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import NIOSSL
import TestSupport
import Testing

@Suite("ModelProxy: upstreams behind TLS")
struct TLSUpstreamTests {
    private func certificate() throws -> NIOSSLCertificate {
        try NIOSSLCertificate(bytes: Array(TestCertificate.pem.utf8), format: .pem)
    }

    private func start() async throws -> RawUpstream {
        let key = try NIOSSLPrivateKey(bytes: Array(TestCertificate.key.utf8), format: .pem)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(try certificate())], privateKey: .privateKey(key)))
        return try await RawUpstream.start {
            try $0.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
        }
    }

    @Test("a trusted certificate serves, by name and by address", arguments: ["localhost", "127.0.0.1"])
    func trusted(host: String) async throws {
        let upstream = try await start()
        let trusted = try certificate()
        try await TestGateway.with(
            upstream: "https://\(host):\(upstream.port)/v1", configure: { $0.tls.trustRoots = .certificates([trusted]) }
        ) { gateway in
            async let answer = gateway.exchange()
            let served = try await upstream.connection(0, with: "hi")
            #expect(served.text.contains("host: \(host):\(upstream.port)\r\n"))
            try await served.send(Script.answer())
            #expect(try await answer.text == Script.completion)
        }
        try await upstream.stop()
    }

    @Test("an unknown certificate is refused before a byte of the request goes out")
    func untrusted() async throws {
        let upstream = try await start()
        try await TestGateway.with(upstream: "https://localhost:\(upstream.port)") { gateway in
            let answer = try await gateway.exchange()
            #expect(answer.status == 502 && answer.text.contains("certificate"))
            #expect(upstream.connections.allSatisfy { $0.bytes.isEmpty })
        }
        try await upstream.stop()
    }

    @Test("a server that does not shake hands is given up")
    func noHandshake() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(
            upstream: "https://localhost:\(upstream.port)", configure: { $0.timeouts.connect = .milliseconds(300) }
        ) { gateway in
            let answer = try await gateway.exchange()
            #expect(answer.status == 502)
        }
        try await upstream.stop()
    }
}
