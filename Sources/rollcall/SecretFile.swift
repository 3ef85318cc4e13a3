// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging

/// A file that a flag names, with something in it that others must not read.
struct SecretFile {
    /// The file cannot be read.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    let path: String
    let flag: String

    init(_ path: String, flag: String) {
        self.path = path
        self.flag = flag
    }

    /// Its text, without white space around it. Warns when others can read it, too.
    func read(_ logger: Logger) throws(Unusable) -> String {
        checkPermissions(logger)
        // By a handle: it may be a pipe that a shell has made.
        guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.readToEnd() ?? Data(),
            let text = String(data: data, encoding: .utf8)
        else { throw Unusable(description: "\(flag): the file \(path) cannot be read as UTF-8 text") }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func checkPermissions(_ logger: Logger) {
        // Of the file itself, should a link lead to it.
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: target)
        guard let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue, mode & 0o077 != 0 else { return }
        logger.warning("\(flag): \(path) can be read by others than its owner; chmod 600 makes it secret")
    }
}
