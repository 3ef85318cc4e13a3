// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

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
    /// Makes a write beyond the largest size of a file an error of that write, as on a full disk. Otherwise it would end
    /// the process.
    static func failBeyondFileSize() { signal(SIGXFSZ, SIG_IGN) }

    /// Raises the number of files, and so of connections, that may be open.
    static func raiseOpenFiles() { OpenFiles.raiseLimit() }

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
}
