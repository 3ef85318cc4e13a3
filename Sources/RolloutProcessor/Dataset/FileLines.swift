// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The lines of a file, read in pieces.
final class FileLines {
    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    /// Up to where the buffer is known to hold no line end.
    private var searched = 0
    private var line = 0
    private var atEnd = false

    init(path: String) throws(DatasetError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw DatasetError(path: path, reason: "cannot be opened: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            close(descriptor)
            throw DatasetError(path: path, reason: "is a directory; name a JSON Lines file")
        }
    }

    deinit { close(descriptor) }

    /// The next line without its end; `nil` after the last.
    func next() throws(DatasetError) -> [UInt8]? {
        line += 1
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                defer {
                    start = end + 1
                    searched = start
                }
                return Array(buffer[start..<end])
            }
            if atEnd {
                defer {
                    start = buffer.count
                    searched = start
                }
                return start < buffer.count ? Array(buffer[start...]) : nil
            }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            guard buffer.count <= DatasetReader.maximumLineBytes else {
                throw DatasetError(
                    path: path, line: line, reason: "is longer than \(DatasetReader.maximumLineBytes) bytes")
            }
            try fill()
            if line == 1, buffer.starts(with: [0xEF, 0xBB, 0xBF]) { buffer.removeFirst(3) }
        }
    }

    private func fill() throws(DatasetError) {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &piece, piece.count)
        guard count >= 0 else {
            if errno == EINTR { return }
            throw DatasetError(path: path, line: line, reason: "cannot be read: \(String(cString: strerror(errno)))")
        }
        if count == 0 { atEnd = true } else { buffer.append(contentsOf: piece[..<count]) }
    }
}
