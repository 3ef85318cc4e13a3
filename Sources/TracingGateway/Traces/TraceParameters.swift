// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore

/// The query of a request for traces. What other gateways take is taken, checked, and left alone where it has no
/// meaning here.
struct TraceParameters {
    let query: CallQuery
    let sampleSize: Int?
    let includesPayloads: Bool

    init(_ parameters: QueryParameters, _ account: Account, _ limits: RouteLimits) throws(Problem) {
        let tags = try parameters.requiredList("tags", "at least one tag such as rollout_id:x")
        let limit = min(try parameters.count("limit") ?? 100, limits.traces)
        let from = try parameters.timestamp("from_timestamp")
        let to = try parameters.timestamp("to_timestamp")
        let hoursBack = try parameters.number("hours_back")
        _ = try parameters.number("sleep_between_gets")
        _ = try parameters.count("max_retries")
        sampleSize = try parameters.count("sample_size")
        includesPayloads = try parameters.flag("include_payloads")
        var since = from?.microseconds
        if let hoursBack, from == nil, to == nil {
            since = QueryParameters.since(hoursBack: hoursBack, now: WallClock.now())
        }
        query = CallQuery(
            account: account, tags: tags, limit: limit, since: since, until: to?.microseconds,
            attempts: try parameters.attempts())
    }
}
