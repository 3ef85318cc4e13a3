// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A line on a terminal that stays below everything else that is written there.
///
/// Text goes in its place, and the line follows it, in one piece: nothing flickers, and neither cuts the other.
final class StandingLine: Sendable {
    private let shown = Mutex("")
    private let write: @Sendable (String) -> Void

    /// - Parameter write: Puts text on the terminal.
    init(write: @escaping @Sendable (String) -> Void = { StandardStreams.note($0) }) { self.write = write }

    private static let clearing = "\r\u{1B}[K"

    /// Replaces the line, if it is another one; an empty one takes it away.
    func show(_ text: String) {
        shown.withLock { shown in
            guard text != shown else { return }
            write(Self.clearing + text)
            shown = text
        }
    }

    /// Writes whole lines of other text.
    func note(_ text: String) {
        shown.withLock { shown in write(shown.isEmpty ? text : Self.clearing + text + shown) }
    }
}
