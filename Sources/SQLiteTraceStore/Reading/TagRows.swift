// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import TraceStore

/// Reads tags and sets of tags.
enum TagRows {
    static func account(_ account: Account, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM account WHERE name = ?"), arguments: [account.name])
    }

    /// The seed of the file's hashes, where it is not at hand.
    static func hashSeed(_ db: Database) throws -> Int64 {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT value FROM meta WHERE key = 'hash_seed'")) ?? 0
    }

    static func tag(_ text: String, _ account: Int64, seed: Int64, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM tag WHERE account = ? AND hash = ? AND text IS ?"),
            arguments: [account, Blob.hash(text.utf8, seed: seed), text.blob])
    }

    static func tags(ofSet row: Int64, _ db: Database) throws -> [String] {
        let blob = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT tags FROM tagset WHERE id = ?"), arguments: [row])?.bytes(0)
        return Blob.texts(blob ?? [])
    }

    /// A condition that a row's set of tags has all of these, with its arguments; `nil` when no set has.
    static func condition(
        _ tags: [String], column: String, account: Int64, seed: Int64, _ db: Database
    ) throws -> (sql: String, arguments: StatementArguments)? {
        var rows: [Int64] = []
        for tag in tags {
            guard let row = try self.tag(tag, account, seed: seed, db) else { return nil }
            rows.append(row)
        }
        guard !rows.isEmpty else { return ("1", []) }
        let sets = Array(repeating: "SELECT tagset FROM tagset_tag WHERE tag = ?", count: rows.count)
        return ("\(column) IN (\(sets.joined(separator: " INTERSECT ")))", StatementArguments(rows))
    }

    /// The rollout that the tags name first.
    static func rolloutID(in tags: [String]) -> String? {
        tags.first { $0.hasPrefix("rollout_id:") }.map { String($0.dropFirst("rollout_id:".count)) }
    }
}
