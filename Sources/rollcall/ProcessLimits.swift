// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What the system lets a process have.
enum ProcessLimits {
    /// Makes a write beyond the largest size of a file an error of that write, as on a full disk. Otherwise it would end
    /// the process.
    static func failBeyondFileSize() { signal(SIGXFSZ, SIG_IGN) }

    /// Raises the number of files, and so of connections, that may be open, as far as the system lets an ordinary
    /// process; many systems begin with 1,024.
    static func raiseOpenFiles() {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = min(limit.rlim_max, 1 << 20)
        _ = setrlimit(resource, &limit)
    }

    /// Gives large buffers back to the system as soon as they are free. After the first of them the C library would
    /// otherwise keep what is as large, and a few large answers at once would take their memory for good.
    static func returnLargeBuffers() {
        #if canImport(Glibc)
        // The C library's own function, looked up by its name, has this type: `int mallopt(int, int)`.
        typealias SetOption = @convention(c) (CInt, CInt) -> CInt
        let mmapThreshold: CInt = -3
        guard let function = dlsym(nil, "mallopt") else { return }
        _ = unsafeBitCast(function, to: SetOption.self)(mmapThreshold, 512 << 10)
        #endif
    }

    #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif
}
