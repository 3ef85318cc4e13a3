// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import TraceStore

extension BatchWriter {
    /// The row of a set of tags, in their order, each once. Lines and calls have one tag at least.
    mutating func tagset(_ tags: [String], _ account: Int64, _ db: Database) throws -> Int64 {
        var seen: Set<TagKey> = []
        let key = tags.map { TagKey($0, account: account) }.filter { seen.insert($0).inserted }
        if let row = staged.tagsets[key] ?? tagsets.value(for: key) { return row }
        let row = try storedTagset(key, account, db)
        staged.tagsets[key] = row
        return row
    }

    private mutating func storedTagset(_ tags: [TagKey], _ account: Int64, _ db: Database) throws -> Int64 {
        var tagRows: [Int64] = []
        var mayBeStored = true
        for tag in tags {
            let (row, isNew) = try self.tag(tag, db)
            tagRows.append(row)
            // No set has a tag that has just been made.
            if isNew { mayBeStored = false }
        }
        let blob = Blob.encoded(texts: tags.map(\.tag.text))
        // The newest of the tags is the one that the fewest sets have.
        if mayBeStored, let newest = tagRows.max() {
            let sets = "SELECT tagset FROM tagset_tag WHERE tag = ?"
            let found = try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT id FROM tagset WHERE id IN (\(sets)) AND tags IS ?"),
                arguments: [newest, Data(blob)])
            if let found { return found }
        }
        let insertSet = try db.cachedStatement(sql: "INSERT INTO tagset(account, tags) VALUES (?, ?)")
        let insertTag = try db.cachedStatement(sql: "INSERT INTO tagset_tag(tag, tagset) VALUES (?, ?)")
        self.row.append(account)
        self.row.append(blob)
        try self.row.execute(insertSet)
        let row = db.lastInsertedRowID
        for tagRow in tagRows {
            self.row.append(tagRow)
            self.row.append(row)
            try self.row.execute(insertTag)
        }
        return row
    }

    private mutating func tag(_ key: TagKey, _ db: Database) throws -> (row: Int64, isNew: Bool) {
        if let row = staged.tags[key] ?? tags.value(for: key) { return (row, false) }
        let found = try TagRows.tag(key.tag.text, key.account, seed: hashSeed, db)
        if found == nil {
            let insert = try db.cachedStatement(sql: "INSERT INTO tag(account, hash, text) VALUES (?, ?, ?)")
            row.append(key.account)
            row.append(Blob.hash(key.tag.text.utf8, seed: hashSeed))
            row.append(blobOf: key.tag.text)
            try row.execute(insert)
        }
        let row = found ?? db.lastInsertedRowID
        staged.tags[key] = row
        return (row, found == nil)
    }
}
