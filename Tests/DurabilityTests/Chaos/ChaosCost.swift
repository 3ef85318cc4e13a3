// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What a gateway may need, measured by what its clients have sent that was new.
struct ChaosCost {
    /// Bytes of messages that no call of their conversation had before, of answers and of lines: of all that were sent,
    /// for what was refused or cut is kept as well.
    let new: Int
    /// Bytes, if each complete call were kept with its whole history.
    let whole: Int
    private let records: Int

    init(_ ledger: ChaosLedger.State) {
        let lines = ledger.lines.keys.reduce(0) { $0 + $1.utf8.count }
        new = ledger.calls.values.reduce(lines) { $0 + $1.added + $1.wish.answer.count }
        whole = ledger.calls.values.reduce(lines) { total, call in
            call.isComplete ? total + call.body.count + call.wish.answer.count : total
        }
        records = ledger.calls.count + ledger.lines.count
    }

    /// What the store may take: twice the new, for pages are not full, and half a kilobyte for the rest of each record.
    ///
    /// Long conversations, 20 turns of 1 kB after 60 kB, are 20 × (60 + 10) = 1400 kB as a whole, 60 + 20 = 80 kB new.
    var allowedStore: Int { 2 * new + 512 * records + (1 << 20) }

    /// What a gateway may have in memory. In the long form the last one has given back 2 × ``whole``, some 500 MB: each
    /// trace has its request as it came and its messages.
    static let allowedMemory = 256 << 20
}
