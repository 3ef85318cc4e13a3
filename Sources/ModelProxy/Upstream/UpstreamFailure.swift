// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Words for what went wrong on the way to an upstream.
enum UpstreamFailure {
    static func sentence(_ error: any Error) -> String {
        switch error {
        case let error as FramingError: error.description
        case let error as NIOConnectionError:
            if let cause = error.connectionErrors.last?.error {
                sentence(cause)
            } else {
                "its host name \(error.host) is not known"
            }
        case let error as IOError: words(error)
        case ChannelError.connectTimeout(let amount):
            "no connection within \(amount.nanoseconds / 1_000_000) ms (--upstream-connect-seconds)"
        case ChannelError.eof, ChannelError.alreadyClosed, ChannelError.ioOnClosedChannel:
            "it closed the connection"
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            "its TLS handshake failed (\(error)); check its certificate and the trusted ones"
        default: "\(error)"
        }
    }

    private static func words(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "it reset the connection"
        case ENETUNREACH, EHOSTUNREACH: "no route to it"
        default: error.description
        }
    }
}
