// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Text of others made safe to show on a terminal.
package enum TerminalText {
    /// The text with every control character but line feed and tab shown as an escape, so that it can neither move
    /// the cursor nor change the title, nor turn its direction.
    package static func safe(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHarmful) else { return text }
        var safe = ""
        safe.reserveCapacity(text.utf8.count + 16)
        for scalar in text.unicodeScalars {
            if isHarmful(scalar) {
                safe += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    /// As ``safe(_:)``, on one line and at most `limit` characters long.
    package static func line(_ text: String, limit: Int = 200) -> String {
        let line = safe(String(text.prefix(limit + 1)).split(whereSeparator: \.isNewline).joined(separator: " "))
        return text.count > limit ? "\(line.prefix(limit))…" : line
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F: true
        // Marks that turn the direction of what follows, or that end lines for some programs and not for others.
        case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
