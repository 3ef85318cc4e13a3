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
            throw item["metadata"][name].error(expected: "at most \(limits.idBytes) bytes (--max-id-bytes)")
        }
        if let attempt = item["attempt"].present { metadata.attempt = try attempt.decode() }
        var registration = Registration(account: account, metadata: metadata)
        registration.timeLimit = try item["deadline_seconds"].present?.microseconds(upTo: Self.maximumDeadlineSeconds)
        registration.budget = try item["budget"].present?.decode()
        if let capture = item["capture"].present {
            guard let known = capture.value?.string.flatMap(Capture.init) else {
                throw capture.error(expected: Capture.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
            }
            registration.capture = known
        }
        return registration
    }
}
