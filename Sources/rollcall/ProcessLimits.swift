// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import RolloutTracing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the system lets a process have.
enum ProcessLimits {
    /// Runs as many event loops as there are cores that this process may use. NIO counts those of the machine or the
    /// container; a process that `taskset` keeps to some of them would only have its loops take turns.
    ///
    /// To be called once, before there is any event loop.
    static func useOneEventLoopPerCore() {
        NIOSingletons.groupLoopCountSuggestion = min(System.coreCount, usableCores ?? .max)
    }

    /// How many cores this process may run on; `nil` where the system does not tell.
    private static var usableCores: Int? {
        // A line of it is a mask in hexadecimal digits, such as "Cpus_allowed:\tff,ffffffff".
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let mask = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed:") })
        else { return nil }
        let count = mask.drop { $0 != ":" }.reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }
        return count > 0 ? count : nil
    }

    /// Makes a write beyond the largest size of a file an error of that write, as on a full disk. Otherwise it would end
    /// the process.
    static func failBeyondFileSize() { signal(SIGXFSZ, SIG_IGN) }

    /// Raises the number of files, and so of connections, that may be open.
    static func raiseOpenFiles() { OpenFiles.raiseLimit() }

    /// Gives large buffers back to the system as soon as they are free, and keeps up to 4 MB for the others.
    ///
    /// After the first large one the C library would otherwise keep what is as large, and a few large answers at once
    /// would take their memory for good. Of the others it would give back what each batch of calls frees, and the next
    /// batch would fault on every page again.
    static func returnLargeBuffers() {
        #if canImport(Glibc)
        // The C library's own function, looked up by its name, has this type: `int mallopt(int, int)`.
        typealias SetOption = @convention(c) (CInt, CInt) -> CInt
        guard let function = dlsym(nil, "mallopt") else { return }
        let setOption = unsafeBitCast(function, to: SetOption.self)
        let (trimThreshold, mmapThreshold): (CInt, CInt) = (-1, -3)
        _ = setOption(trimThreshold, 4 << 20)
        _ = setOption(mmapThreshold, 512 << 10)
        #endif
    }
}
