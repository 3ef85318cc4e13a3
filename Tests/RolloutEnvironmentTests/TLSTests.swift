// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Foundation
import NIOHTTP1
import NIOSSL
import RolloutEnvironment
import TestSupport
import Testing

@Suite("RolloutEnvironment: TLS") struct TLSTests {
    /// Runs `body` with a folder that has the certificate and its key in it.
    private static func withFiles(
        _ body: (URL, RolloutEnvironment.TLSFiles) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try TestCertificate.write(to: folder)
        try await body(folder, RolloutEnvironment.TLSFiles(certificate: files.certificate, key: files.key))
    }

    private static func withClient(
        _ configure: (inout TLSConfiguration) -> Void = { _ in }, _ body: (HTTPClient) async throws -> Void
    ) async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(TestCertificate.pem.utf8)))
        configure(&tls)
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            try await body(client)
        } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    private static func environment(_ files: RolloutEnvironment.TLSFiles) -> RolloutEnvironment {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.tls = files
        return RolloutEnvironment(configuration) { _ in .finished() }
    }

    @Test("rollouts are served over TLS 1.2 and 1.3, on localhost's both addresses, and over nothing else")
    func serves() async throws {
        try await FakeGateway.with { gateway in
            try await Self.withFiles { _, files in
                for version in [TLSVersion.tlsv12, .tlsv13] {
                    try await Self.withClient {
                        $0.minimumTLSVersion = version
                        $0.maximumTLSVersion = version
                    } _: { client in
                        try await ServedEnvironment.with(Self.environment(files), host: "localhost", tls: client) {
                            let answer = try await $0.initialize(.test("r-\(version)", gateway: gateway.url))
                            #expect(answer.status == 200, "\(answer.text)")
                            let plain = ServedEnvironment(
                                url: $0.url.replacing("https", with: "http"), group: $0.group)
                            await #expect(throws: (any Error).self) { try await plain.send(.GET, "/health") }
                        }
                    }
                }
                try await Self.withClient {
                    $0.minimumTLSVersion = .tlsv1
                    $0.maximumTLSVersion = .tlsv11
                } _: { old in
                    try await ServedEnvironment.with(Self.environment(files), tls: old) { environment in
                        await #expect(throws: (any Error).self) { try await environment.send(.GET, "/health") }
                    }
                }
            }
        }
    }

    @Test("files that are missing, hold something else or do not belong together are named before anything is served")
    func wrongFiles() async throws {
        try await Self.withFiles { folder, files in
            let other = folder.appending(path: "other.key").path
            let garbage = folder.appending(path: "garbage").path
            let missing = folder.appending(path: "missing").path
            try Data(TestCertificate.otherKey.utf8).write(to: URL(fileURLWithPath: other))
            try Data("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n".utf8)
                .write(to: URL(fileURLWithPath: garbage))
            typealias Setting = RolloutEnvironment.ConfigurationError.Setting
            let table: [(String, String, Setting, String)] = [
                (missing, files.key, .tlsCertificate, "there is no \(missing)"),
                (files.certificate, missing, .tlsKey, "there is no \(missing)"),
                (folder.path, files.key, .tlsCertificate, "\(folder.path) cannot be read"),
                (garbage, files.key, .tlsCertificate, "\(garbage) holds no certificate"),
                (files.key, files.key, .tlsCertificate, "\(files.key) holds no certificate"),
                (files.certificate, files.certificate, .tlsKey, "\(files.certificate) holds no private key"),
                (files.certificate, other, .tlsKey, "the key in \(other) does not belong"),
            ]
            for (certificate, key, setting, words) in table {
                let environment = Self.environment(.init(certificate: certificate, key: key))
                let error = await #expect(throws: RolloutEnvironment.ConfigurationError.self) {
                    try await EnvironmentServer(environment: environment, host: "127.0.0.1", port: 0).run()
                }
                #expect(error?.setting == setting)
                #expect(error?.reason.contains(words) == true, "\(error?.description ?? "none")")
            }
        }
    }
}
