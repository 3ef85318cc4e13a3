// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// Reads one announced rollout. Whatever it holds, the answer is a registration or an error with the field's path.
struct RegistrationBody {
    let account: Account
    let limits: RouteLimits

    static let maximumDeadlineSeconds = 30 * 86_400.0

    func registration(_ item: JSONReader) throws(JSONDecodingError) -> Registration {
        _ = try item.object()
        var metadata: RolloutMetadata = try item["metadata"].decode()
        for (name, id) in metadata.ids where id.utf8.count > limits.idBytes {
            throw item["metadata"][name].error(expected: "at most \(limits.idBytes) bytes")
        }
        if let attempt = item["attempt"].present { metadata.attempt = try attempt.decode() }
        var registration = Registration(account: account, metadata: metadata)
        registration.timeLimit = try item["deadline_seconds"].present?.microseconds(upTo: Self.maximumDeadlineSeconds)
        registration.budget = try item["budget"].present.map(budget)
        return registration
    }

    /// A bound that is mistyped would be none, so other names are refused.
    private func budget(_ reader: JSONReader) throws(JSONDecodingError) -> Budget {
        var budget = Budget()
        for member in try reader.object().members {
            let name = member.key.text
            guard let limit = Budget.Limit(rawValue: name) else {
                let names = Budget.Limit.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader[name].error(expected: "no such name: a budget has \(names)")
            }
            guard let value = reader[name].present else { continue }
            guard let bound = value.value?.int, bound >= 1 else {
                throw value.error(expected: "a whole number, 1 or more")
            }
            budget[limit] = bound
        }
        return budget
    }
}
