// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writing to standard output and standard error without a buffer in between.
enum StandardStreams {
    static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

    static func print(_ bytes: [UInt8]) { write(bytes + [0x0A], to: STDOUT_FILENO) }

    static func note(_ text: String) { write(text, to: STDERR_FILENO) }

    static var noteIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// How many columns the terminal has that notes go to; 80 where it does not tell.
    static var noteWidth: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { pointer in
                #if canImport(Glibc)
                Glibc.write(descriptor, pointer.baseAddress, pointer.count)
                #elseif canImport(Musl)
                Musl.write(descriptor, pointer.baseAddress, pointer.count)
                #else
                Darwin.write(descriptor, pointer.baseAddress, pointer.count)
                #endif
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            // A reader that is gone has seen enough.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
