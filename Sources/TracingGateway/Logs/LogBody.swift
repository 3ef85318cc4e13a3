// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// Reads the body of a log post. Whatever it holds, the answer is a record or an error with the field's path.
struct LogBody {
    let account: Account
    /// The attempt of the post's path, which beats the body's.
    let pathAttempt: AttemptID?
    let limits: RouteLimits

    static let maximumClientIDBytes = 256
    static let maximumLeaseSeconds = 86_400.0
    /// Tags whose values are ids.
    private static let idTags = ["rollout_id:", "invocation_id:", "experiment_id:", "run_id:", "row_id:"]

    func record(_ reader: JSONReader) throws(JSONDecodingError) -> LogRecord {
        _ = try reader.object()
        let tags = try tags(reader["tags"])
        let status = reader["status"].present
        _ = try status?.object()
        let extras = reader["extras"].present
        _ = try extras?.object()
        var record = LogRecord(
            account: account, program: try reader["program"].present?.string() ?? LogLine.defaultProgram,
            message: try reader["message"].present?.string() ?? "",
            severity: extras?["level"].value?.string ?? "INFO", tags: tags, status: status?.value?.serialized(),
            code: status?["code"].value?.int.flatMap { StatusCode(rawValue: $0) }, extras: extras?.value?.serialized(),
            sentAt: extras?["timestamp"].value?.string.flatMap { Timestamp($0) }?.microseconds,
            attempt: try attempt(extras))
        if let own = extras?["rollcall"], own.value?.object != nil {
            let lease = try own["lease_seconds"].present?.microseconds(upTo: Self.maximumLeaseSeconds)
            if record.code == .running {
                record.lease = lease
                record.isRenewal = lease != nil && own["renewal"].value == true
            }
        }
        return record
    }

    private func tags(_ reader: JSONReader) throws(JSONDecodingError) -> [String] {
        guard let array = reader.value?.array, !array.isEmpty, array.count <= limits.tags else {
            throw reader.error(expected: "1 to \(limits.tags) tags (--max-tags) such as \"rollout_id:x\"")
        }
        var seen: Set<String> = []
        var tags: [String] = []
        for element in try reader.elements() {
            let tag = try element.string()
            if let name = Self.idTags.first(where: tag.hasPrefix), tag.utf8.count - name.utf8.count > limits.idBytes {
                throw element.error(expected: "\(name) and an id of at most \(limits.idBytes) bytes (--max-id-bytes)")
            }
            if seen.insert(tag).inserted { tags.append(tag) }
        }
        return tags
    }

    /// Only what has the form that is ours is ours: a sender that knows nothing of attempts may use the name otherwise.
    private func attempt(_ extras: JSONReader?) throws(JSONDecodingError) -> AttemptID? {
        guard let own = extras?["rollcall"], own.value?.object != nil else { return pathAttempt }
        let bodyAttempt: AttemptID? = try own["attempt"].present?.decode()
        return pathAttempt ?? bodyAttempt
    }

    /// An item of a batch: a log body with an `id` of its sender's.
    func batchRecord(_ reader: JSONReader) throws(JSONDecodingError) -> LogRecord {
        var record = try record(reader)
        if let id = reader["id"].present {
            guard let text = id.value?.string, (1...Self.maximumClientIDBytes).contains(text.utf8.count) else {
                throw id.error(expected: "a string of 1 to \(Self.maximumClientIDBytes) bytes")
            }
            record.clientID = text
        }
        return record
    }
}

extension JSONReader {
    /// A duration that is written in seconds.
    func microseconds(upTo maximum: Double) throws(JSONDecodingError) -> Int64 {
        guard let seconds = value?.double, seconds >= 0.001, seconds <= maximum else {
            throw error(expected: "a number of seconds from 0.001 to \(Int(maximum))")
        }
        return Int64(seconds * 1_000_000)
    }
}
