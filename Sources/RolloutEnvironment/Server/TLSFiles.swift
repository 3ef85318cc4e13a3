// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOSSL

extension RolloutEnvironment {
    /// The certificate with which an environment is served over TLS, in two files in PEM.
    public struct TLSFiles: Sendable, Hashable {
        /// The path of the server's certificate, and after it those that lead to one that callers trust.
        public var certificate: String
        /// The path of its private key, without a passphrase.
        public var key: String

        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }
}

extension RolloutEnvironment.TLSFiles {
    private typealias ConfigurationError = RolloutEnvironment.ConfigurationError

    /// Reads both, and sees whether they belong together. Blocks.
    ///
    /// - Throws: ``RolloutEnvironment/ConfigurationError``.
    func configuration() throws -> TLSConfiguration {
        let certificates: [NIOSSLCertificate]
        let privateKey: NIOSSLPrivateKey
        let certificateText = try Self.contents(of: certificate, .tlsCertificate)
        let keyText = try Self.contents(of: key, .tlsKey)
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(certificateText)
        } catch {
            throw ConfigurationError(.tlsCertificate, "\(certificate) holds no certificate in PEM")
        }
        do {
            privateKey = try NIOSSLPrivateKey(bytes: keyText, format: .pem)
        } catch {
            throw ConfigurationError(.tlsKey, "\(key) holds no private key in PEM that needs no passphrase")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw ConfigurationError(
                .tlsKey, "the key in \(key) does not belong to the first certificate in \(certificate)")
        }
        return configuration
    }

    private static func contents(
        of path: String, _ setting: RolloutEnvironment.ConfigurationError.Setting
    ) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            let why = FileManager.default.fileExists(atPath: path) ? "\(path) cannot be read" : "there is no \(path)"
            throw ConfigurationError(setting, why)
        }
    }
}
