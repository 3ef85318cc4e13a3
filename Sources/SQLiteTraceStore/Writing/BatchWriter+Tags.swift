// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import TraceStore

extension BatchWriter {
    /// The row of a set of tags, in their order, each once.
    mutating func tagset(_ tags: [String], _ account: Int64, _ db: Database) throws -> Int64 {
        let key = TagsetKey(account: account, tags: tags)
        if let row = staged.tagsets[key] ?? tagsets.value(for: key) { return row }
        let row = try storedTagset(tags, account, db)
        staged.tagsets[key] = row
        return row
    }

    private func storedTagset(_ tags: [String], _ account: Int64, _ db: Database) throws -> Int64 {
        var seen: Set<[UInt8]> = []
        let tags = tags.filter { seen.insert([UInt8]($0.utf8)).inserted }
        let blob = Blob.encoded(texts: tags)
        let hash = Blob.hash(blob, seed: hashSeed)
        let found = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM tagset WHERE account = ? AND hash = ? AND tags IS ?"),
            arguments: [account, hash, Data(blob)])
        if let found { return found }
        try db.cachedStatement(sql: "INSERT INTO tagset(account, hash, tags) VALUES (?, ?, ?)")
            .execute(arguments: [account, hash, Data(blob)])
        let row = db.lastInsertedRowID
        for tag in tags {
            try db.cachedStatement(sql: "INSERT INTO tagset_tag(tag, tagset) VALUES (?, ?)")
                .execute(arguments: [try self.tag(tag, account, db), row])
        }
        return row
    }

    private func tag(_ text: String, _ account: Int64, _ db: Database) throws -> Int64 {
        if let found = try TagRows.tag(text, account, seed: hashSeed, db) { return found }
        try db.cachedStatement(sql: "INSERT INTO tag(account, hash, text) VALUES (?, ?, ?)")
            .execute(arguments: [account, Blob.hash(text.utf8, seed: hashSeed), text.blob])
        return db.lastInsertedRowID
    }
}
