// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a request got no answer, in words, and whether the other side may have seen it.
struct TransportFailure: Sendable {
    var reason: String
    var sent: Bool

    init(_ error: any Error) {
        switch error {
        case let error as NIOConnectionError:
            reason = Self.describe(error)
            sent = false
        case let error as HTTPClientError:
            reason = error.shortDescription
            sent =
                error != .connectTimeout && error != .getConnectionFromPoolTimeout
                && error != .invalidURL && error != .emptyScheme && error != .emptyHost
            switch error {
            case .connectTimeout: reason = "no connection within the time for connecting"
            case .remoteConnectionClosed: reason = "the connection was closed before an answer came"
            case .deadlineExceeded, .readTimeout: reason = "no answer in time"
            default: break
            }
        case let error as IOError:
            reason = Self.describe(error)
            sent = true
        default:
            // TLS failures come here; nothing of a request passes before the handshake is over, but which error is of
            // which time cannot be told, and a repetition of the same attempt does no harm.
            reason = "\(error)"
            sent = true
        }
    }

    private static func describe(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first {
            return "cannot connect to \(error.host):\(error.port): \(describe(first.error))"
        }
        if error.dnsAError != nil || error.dnsAAAAError != nil {
            return "the host name \(error.host) is not known"
        }
        return "cannot connect to \(error.host):\(error.port)"
    }

    /// The system's own words, such as `Connection refused`.
    private static func describe(_ error: any Error) -> String {
        guard let error = error as? IOError, let text = strerror(error.errnoCode) else { return "\(error)" }
        return String(cString: text)
    }
}
