// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import OpenAPI

extension APIAnswer {
    /// What the gateway answers to a request of any kind.
    package static let toAnyRequest: [APIAnswer] = [
        .problem(400, "The request is not HTTP/1.1, or something in its path is not percent-encoded UTF-8.")
            .named("NotHTTP"),
        .problem(408, "The request's head stopped on its way, or takes too long.").named("SlowHead"),
        .problem(431, "The request's head is too large.").named("HeadTooLarge"),
        .problem(500, "The gateway has failed; its log says why.").named("Failed"),
        .later(503, "The store takes no records, or too much is going on at once.").named("Unavailable"),
    ]

    /// To one without a key, or with a wrong one.
    package static let wrongKey = APIAnswer.problem(401, "The gateway has keys, and this is none of them.")
        .header("www-authenticate", "The kind of key.", .string()).named("WrongKey")

    package static let toAnyBody: [APIAnswer] = [
        .problem(400, "The body is not what it has to be; the field is named.").named("WrongBody"),
        .problem(408, "The body stopped on its way, or takes too long.").named("SlowBody"),
        .problem(413, "The body is larger than the gateway takes.").named("BodyTooLarge"),
    ]

    /// The first answer of each status, in the order of the statuses.
    package static func sorted(_ answers: [APIAnswer]) -> [APIAnswer] {
        var seen: Set<String> = []
        return answers.filter { seen.insert($0.status).inserted }.sorted { $0.status < $1.status }
    }
}
