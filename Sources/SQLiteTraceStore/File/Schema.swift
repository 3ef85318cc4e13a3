// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import TraceStore

/// The tables, and the steps that lead to them from earlier versions.
enum Schema {
    /// Marks a database as one of ours: "Roll".
    static let applicationID = 0x526F_6C6C

    /// The version that this program reads and writes.
    static var version: Int { migrations.count }

    /// Refuses a database that is not ours, or not of this version.
    static func expect(_ db: Database, path: String) throws {
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        guard application == applicationID else {
            throw StoreError(.unusable, "\(path) is no store; name one with --store sqlite:PATH")
        }
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found == version else {
            throw StoreError(
                .unusable,
                "\(path) has schema version \(found) and this program knows \(version); "
                    + "use the program whose gateway wrote it last")
        }
    }

    /// Brings a new or older database to ``version``; refuses one that is newer or not ours.
    static func prepare(_ db: Database, path: String) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        guard application == applicationID || (application == 0 && tables == 0) else {
            throw StoreError(
                .unusable, "\(path) is a database of another program; name another file with --store sqlite:PATH")
        }
        guard found <= version else {
            throw StoreError(
                .unusable,
                "\(path) has schema version \(found) and this program knows versions up to \(version); "
                    + "use the newer program that wrote it, or another file")
        }
        guard found < version || application == 0 else { return }
        try db.inTransaction(.immediate) {
            for migration in migrations[found...] { try db.execute(sql: migration) }
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: "PRAGMA user_version = \(version)")
            return .commit
        }
    }

    /// One step a version, never changed once released.
    private static let migrations = [
        """
        -- What clients write is BLOB, not TEXT: it may contain NUL, at which a bound TEXT would end. An empty BLOB may be
        -- stored as NULL.
        CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
        CREATE TABLE account(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

        -- Tags may be long, so they are found by their hash.
        CREATE TABLE tag(id INTEGER PRIMARY KEY, account INTEGER NOT NULL, hash INTEGER NOT NULL, text BLOB) STRICT;
        CREATE INDEX tag_hash ON tag(account, hash);
        -- A rollout's lines share one set of tags or two, and so do its calls.
        CREATE TABLE tagset(id INTEGER PRIMARY KEY, account INTEGER NOT NULL, tags BLOB) STRICT;
        CREATE TABLE tagset_tag(tag INTEGER NOT NULL, tagset INTEGER NOT NULL, PRIMARY KEY(tag, tagset))
          STRICT, WITHOUT ROWID;

        -- attempt: the number of the newest one, 0 while none has a name. known: when it became known.
        CREATE TABLE rollout(
          id INTEGER PRIMARY KEY, account INTEGER NOT NULL, name BLOB NOT NULL, invocation BLOB, experiment BLOB,
          run BLOB, row BLOB, registered BLOB, attempt INTEGER NOT NULL, known INTEGER NOT NULL,
          UNIQUE(account, name)) STRICT;
        CREATE INDEX rollout_experiment ON rollout(account, experiment);
        CREATE INDEX rollout_run ON rollout(account, run);
        CREATE INDEX rollout_invocation ON rollout(account, invocation);
        -- Number 0 holds what is known of a rollout without attempts. log: the line that set the status; verdict: whether
        -- the gateway itself set it. deadline is a time, lease a duration; those from calls to completion_tokens are the budget.
        -- watched: 1 while the rollout runs and has one of them, 2 when a budget has ended it.
        CREATE TABLE attempt(
          rollout INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT, opened INTEGER, log INTEGER,
          verdict INTEGER NOT NULL, watched INTEGER NOT NULL, deadline INTEGER, lease INTEGER, calls INTEGER,
          turns INTEGER, prompt_tokens INTEGER, completion_tokens INTEGER, capture TEXT,
          PRIMARY KEY(rollout, number)) STRICT, WITHOUT ROWID;
        CREATE INDEX attempt_watched ON attempt(rollout) WHERE watched > 0;
        -- result: the evaluation result, JSON. stored: when.
        CREATE TABLE score(
          rollout INTEGER NOT NULL, attempt INTEGER NOT NULL, scorer BLOB, stored INTEGER NOT NULL, result BLOB,
          PRIMARY KEY(rollout, attempt, scorer)) STRICT, WITHOUT ROWID;

        -- id: the time of the commit in microseconds, strictly rising. rollout, attempt, superseded: of the line's
        -- first rollout; log_rollout has those of the others.
        CREATE TABLE log(
          id INTEGER PRIMARY KEY, account INTEGER NOT NULL, tagset INTEGER NOT NULL, rollout INTEGER,
          attempt INTEGER NOT NULL, superseded INTEGER NOT NULL, program BLOB, severity BLOB, code INTEGER,
          sent INTEGER, client_id BLOB, status BLOB, extras BLOB, message BLOB) STRICT;
        CREATE INDEX log_tagset ON log(tagset);
        CREATE INDEX log_client_id ON log(account, client_id) WHERE client_id IS NOT NULL;
        CREATE TABLE log_rollout(
          rollout INTEGER NOT NULL, log INTEGER NOT NULL, attempt INTEGER NOT NULL, superseded INTEGER NOT NULL,
          PRIMARY KEY(rollout, log)) STRICT, WITHOUT ROWID;

        -- base and script: what the request repeats of which call. The large columns come last.
        -- capture: what was to be captured, and what of it is missing, as JSON. prompt_ids: the token ids of the prompt
        -- after the prompt_shared first ones, which are those of the call prompt_base.
        CREATE TABLE call(
          id INTEGER PRIMARY KEY, account INTEGER NOT NULL, rollout INTEGER NOT NULL, tagset INTEGER NOT NULL,
          attempt INTEGER NOT NULL, state INTEGER NOT NULL, base INTEGER, depth INTEGER NOT NULL, parent INTEGER,
          turn INTEGER NOT NULL,
          started INTEGER NOT NULL, first_byte INTEGER, ended INTEGER NOT NULL, streamed INTEGER NOT NULL,
          answer_status INTEGER, prompt_tokens INTEGER, completion_tokens INTEGER, upstream TEXT NOT NULL, edits TEXT, error TEXT, requested_model TEXT, answered_model TEXT, fingerprint TEXT,
          policy_version TEXT, finish_reason TEXT, request_id TEXT NOT NULL,
          capture TEXT, prompt_base INTEGER, prompt_shared INTEGER, script BLOB, lengths BLOB, envelope BLOB,
          prompt_ids BLOB, added BLOB, answer BLOB, tokens BLOB) STRICT;
        CREATE INDEX call_tagset ON call(tagset);

        -- former: the ids before, when the event tells of other ids.
        CREATE TABLE event(
          seq INTEGER PRIMARY KEY, rollout INTEGER NOT NULL, attempt INTEGER NOT NULL, log INTEGER NOT NULL,
          former BLOB) STRICT;
        CREATE INDEX event_rollout ON event(rollout);
        CREATE TABLE probe(bytes BLOB NOT NULL) STRICT;
        """
    ]
}
