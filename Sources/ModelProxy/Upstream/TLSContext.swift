// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Synchronization

/// The one TLS context of all connections to upstreams, made when first needed: reading the trusted certificates
/// takes a while.
final class TLSContext: Sendable {
    private let configuration: TLSConfiguration
    private let context = Mutex<NIOSSLContext?>(nil)

    init(_ configuration: TLSConfiguration) { self.configuration = configuration }

    func makeHandler(host: String) throws -> NIOSSLClientHandler {
        let context = try context.withLock { made in
            if let made { return made }
            let new = try NIOSSLContext(configuration: configuration)
            made = new
            return new
        }
        return try NIOSSLClientHandler(context: context, serverHostname: Self.isAddress(host) ? nil : host)
    }

    /// Whether it is an IP address, which has no place in SNI; the certificate is checked against it all the same.
    private static func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    }
}
