// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing

private let tags = "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/n/row_id/w"
private let chat = "/chat/completions"

@Suite("EvalProtocol: model paths")
struct ModelPathTests {
    static let formsTable: [(String, String)] = [
        ("{C}", "/chat/completions"),
        ("/v1{C}", "/chat/completions"),
        ("/project_id/p{C}", "/chat/completions project=p"),
        ("/v1/project_id/p%20q{C}", "/chat/completions project=p q"),
        ("//v1//chat/completions", "/chat/completions"),
        ("/v1/models", "/models"),
        ("/models/abc", "/models/abc"),
        ("/v1/models/accounts/fireworks/models/x", "/models/accounts/fireworks/models/x"),
        ("/v1/models/completions", "/models/completions"),
        ("/v1/embeddings", "/embeddings"),
        ("/v1/completions", "/completions"),
        ("/responses", "/responses"),
        ("/v1/messages", "/messages"),
        ("{T}{C}", "/chat/completions r,i,e,n,w"),
        ("/v1{T}{C}", "/chat/completions r,i,e,n,w"),
        ("/v1/project_id/p{T}{C}", "/chat/completions r,i,e,n,w project=p"),
        ("/project_id/p{T}{C}", "/chat/completions r,i,e,n,w project=p"),
        ("/attempt/a1{T}{C}", "/chat/completions r,i,e,n,w attempt=a1"),
        ("/v1/attempt/a1{T}{C}", "/chat/completions r,i,e,n,w attempt=a1"),
        ("/attempt/a1/v1{T}{C}", "/chat/completions r,i,e,n,w attempt=a1"),
        ("/attempt/a1/v1/project_id/p{T}{C}", "/chat/completions r,i,e,n,w attempt=a1 project=p"),
        ("/v1/project_id/p/attempt/a1{T}{C}", "/chat/completions r,i,e,n,w attempt=a1 project=p"),
        ("/{T}{C}", "/chat/completions r,i,e,n,w"),
        ("///v1//project_id//p///attempt/a{T}{C}", "/chat/completions r,i,e,n,w attempt=a project=p"),
        ("{T}/v1/messages", "/messages r,i,e,n,w"),
        ("{T}/responses", "/responses r,i,e,n,w"),
        ("{T}/completions", "/completions r,i,e,n,w"),
        ("{T}/v1/models", "/models r,i,e,n,w"),
        ("{T}/models/gpt", "/models/gpt r,i,e,n,w"),
        ("{T}/encoded_base_url/aHR0cDovL3g6MS92MQ=={C}", "/chat/completions r,i,e,n,w http://x:1/v1"),
        ("{T}/encoded_base_url/aHR0cDovL3g6MS92MQ%3D%3D/v1{C}", "/chat/completions r,i,e,n,w http://x:1/v1"),
        ("{T}/encoded_base_url/aHR0cDovL3g6MS92MQ{C}", "/chat/completions r,i,e,n,w http://x:1/v1"),
        (
            "{T}/encoded_base_url/x/encoded_base_url/aHR0cDovL3g6MS92MQ=={C}",
            "/chat/completions r,i,e,n,w/encoded_base_url/x http://x:1/v1"
        ),
        // A row's id may hold slashes, spaces, other letters, and words of the path itself.
        ("{T}/12{C}", "/chat/completions r,i,e,n,w/12"),
        ("{T}//12/{C}", "/chat/completions r,i,e,n,w//12/"),
        ("{T}%2F12{C}", "/chat/completions r,i,e,n,w/12"),
        ("{T}%20a%C3%A9%F0%9F%98%80{C}", "/chat/completions r,i,e,n,w aé😀"),
        ("{T} é{C}", "/chat/completions r,i,e,n,w é"),
        ("{T}/rollout_id/x{C}", "/chat/completions r,i,e,n,w/rollout_id/x"),
        ("{T}/chat/completions{C}", "/chat/completions r,i,e,n,w/chat/completions"),
        ("{T}100%{C}", "/chat/completions r,i,e,n,w100%"),
        ("{T}%zz%2{C}", "/chat/completions r,i,e,n,w%zz%2"),
        ("/rollout_id/r%2Fs/invocation_id/i/experiment_id/e/run_id/n/row_id/v1{C}", "/chat/completions r/s,i,e,n,v1"),
        (
            "/rollout_id/invocation_id/invocation_id/i/experiment_id/e/run_id/n/row_id/w{C}",
            "/chat/completions invocation_id,i,e,n,w"
        ),
    ]

    static let othersTable: [String] = [
        "", "/", "/v1", "/logs", "chat/completions", "/chat", "/xchat/completions", "/chat/completions/",
        "/chat/completionsx", "/v2/chat/completions", "/v1/v1/chat/completions", "/foo/chat/completions",
        "/attempt/a/chat/completions", "/project_id/chat/completions", "/project_id/p/project_id/q/chat/completions",
        "/models/", "/rollout_id/r/chat/completions",
        "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/n/chat/completions",
        "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/n/row_id/chat/completions",
        "/rollout_id//invocation_id/i/experiment_id/e/run_id/n/row_id/w/chat/completions",
        "/rollout_id/r//invocation_id/i/experiment_id/e/run_id/n/row_id/w/chat/completions",
        "/rollout_id/r/experiment_id/e/invocation_id/i/run_id/n/row_id/w/chat/completions",
        "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/n/row_id/encoded_base_url/aHR0cDovL3g/chat/completions",
        "/foo{T}{C}", "{T}", "{T}/foo", "/encoded_base_url/aHR0cDovL3g/chat/completions",
        "/v1/attempt{T}{C}",
    ]

    static let errorsTable: [(String, ModelPathError)] = [
        ("{T}%FF{C}", .notUTF8(name: "row_id")),
        ("/rollout_id/%C3/invocation_id/i/experiment_id/e/run_id/n/row_id/w{C}", .notUTF8(name: "rollout_id")),
        ("/project_id/%80{C}", .notUTF8(name: "project_id")),
        ("{T}{X}{C}", .idTooLong(name: "row_id", limit: 256)),
        ("/attempt/a%20b{T}{C}", .badAttempt),
        ("/attempt/{X}{T}{C}", .badAttempt),
        ("{T}/encoded_base_url/a+b/{C}", .encodedBaseURLNotBase64),
        ("{T}/encoded_base_url/{C}", .encodedBaseURLNotBase64),
        ("{T}/encoded_base_url/a{C}", .encodedBaseURLNotBase64),
        ("{T}/encoded_base_url/_w=={C}", .encodedBaseURLNotBase64),
        ("{T}/encoded_base_url/ZmlsZTovLy94{C}", .encodedBaseURLNotHTTP),  // file:///x
        ("{T}/encoded_base_url/aHR0cDovLw=={C}", .encodedBaseURLNotHTTP),  // http://
        ("{T}/encoded_base_url/aHR0cDovL3gNCkE6IGI={C}", .encodedBaseURLNotHTTP),  // with a line end
    ]

    /// `{T}` stands for the five ids, `{C}` for the API, `{X}` for a text of 256 bytes.
    private func expand(_ path: String) -> String {
        path.replacing("{T}", with: tags).replacing("{C}", with: chat)
            .replacing("{X}", with: String(repeating: "x", count: 256))
    }

    /// A path in short: API, ids, attempt, project, upstream.
    private func short(_ path: String) throws -> String? {
        guard let path = try ModelPath(parsing: path) else { return nil }
        var parts = [path.apiSuffix]
        if let metadata = path.metadata { parts.append(metadata.ids.map(\.id).joined(separator: ",")) }
        if let attempt = path.metadata?.attempt { parts.append("attempt=\(attempt)") }
        if let project = path.projectID { parts.append("project=\(project)") }
        if let url = path.upstreamBaseURL { parts.append(url) }
        return parts.joined(separator: " ")
    }

    @Test("reads every form of the path", arguments: formsTable)
    func forms(_ path: String, _ expected: String) throws {
        #expect(try short(expand(path)) == expected)
    }

    @Test("is nothing for other paths, and for those with only some of the ids", arguments: othersTable)
    func others(_ path: String) throws {
        #expect(try short(expand(path)) == nil)
    }

    @Test("what cannot be used is an error", arguments: errorsTable)
    func errors(_ path: String, _ expected: ModelPathError) {
        #expect(throws: expected) { try ModelPath(parsing: expand(path)) }
        #expect(expected.description.hasPrefix("the path's "))
    }

    @Test("an id of 256 bytes still fits")
    func longestID() throws {
        #expect(try ModelPath(parsing: tags + String(repeating: "x", count: 255) + chat)?.metadata?.rowID.count == 256)
        #expect(try ModelPath(parsing: tags + String(repeating: "%C3%A9", count: 127) + chat) != nil)
    }
}

@Suite("EvalProtocol: tagged URLs")
struct TaggedURLTests {
    @Test(
        "finds the gateway, whatever stands between it and the tags",
        arguments: [
            ("http://localhost:4020", "http://localhost:4020", nil, nil),
            ("http://localhost:4020/", "http://localhost:4020", nil, nil),
            ("http://localhost:4020/v1", "http://localhost:4020", nil, nil),
            ("HTTP://LocalHost:4020/Base/v1/", "HTTP://LocalHost:4020/Base", nil, nil),
            ("http://gw/attempt/a1", "http://gw", "a1", nil),
            ("http://gw/v1/project_id/p/attempt/a1", "http://gw", "a1", "p"),
            ("http://gw/attempt/a1/v1/project_id/p", "http://gw", "a1", "p"),
            ("http://gw/x/attempt/a1/v1", "http://gw/x", "a1", nil),
            ("https://tracing.fireworks.ai/project_id/p", "https://tracing.fireworks.ai", nil, "p"),
        ] as [(String, String, String?, String?)])
    func gateways(_ front: String, _ gateway: String, _ attempt: String?, _ project: String?) throws {
        let url = try #require(TaggedURL(front + tags + "/"))
        #expect(url.gatewayURL == gateway)
        #expect(url.attempt?.description == attempt)
        #expect(url.projectID == project)
        #expect(url.metadata.ids.map(\.id) == ["r", "i", "e", "n", "w"])
        #expect(url.origin == gateway.lowercased().split(separator: "/").prefix(2).joined(separator: "//"))
    }

    @Test(
        "is nothing for URLs without tags",
        arguments: [
            "", "http://localhost:4020", "http://localhost:4020/v1", "http://gw/rollout_id/r", "/rollout_id/r",
            "\(tags)", "http://gw/attempt/a%20b\(tags)", "http://\(tags)",
            "http://gw/rollout_id/r/invocation_id/i/run_id/n/row_id/w",
        ])
    func untagged(_ text: String) { #expect(TaggedURL(text) == nil) }

    @Test("an attempt goes directly before the tags, once")
    func inserting() throws {
        let attempt = try #require(AttemptID("a.1"))
        for front in ["http://gw", "http://gw/v1", "http://gw/", "http://gw/project_id/p"] {
            let text = front + tags + "/encoded_base_url/aHR0cDovL3g6MS92MQ==/"
            let inserted = try #require(TaggedURL(text)).inserting(attempt)
            #expect(inserted == front + "/attempt/a.1" + tags + "/encoded_base_url/aHR0cDovL3g6MS92MQ==/")
            let again = try #require(TaggedURL(inserted))
            #expect(again.attempt == attempt && again.metadata.rowID == "w")
            #expect(again.inserting(attempt) == inserted)
        }
    }

    @Test("ids of every kind survive from the making to the gateway's reading")
    func making() throws {
        let ids = ["HumanEval/12", "a b", "é😀", "100%25", "a?b#c", "..", "x:y+z&=;@", "/", "row_id/encoded_base_url/"]
        for id in ids {
            let metadata = RolloutMetadata(
                invocationID: id, experimentID: id, rolloutID: id, runID: id, rowID: id)
            for upstream in [nil, "https://api.example.com/inference/v1"] as [String?] {
                let attempt = AttemptID("a")
                let url = TaggedURL.make(
                    gatewayURL: "http://localhost:1//", metadata: metadata, attempt: attempt, upstreamBaseURL: upstream)
                let path = try #require(
                    try ModelPath(parsing: String(url.dropFirst("http://localhost:1".count)) + chat))
                #expect(path.metadata?.ids.map(\.id) == metadata.ids.map(\.id))
                #expect(path.metadata?.attempt == attempt)
                #expect(path.upstreamBaseURL == upstream)
                let tagged = try #require(TaggedURL(url))
                #expect(tagged.gatewayURL == "http://localhost:1")
                #expect(tagged.metadata.ids.map(\.id) == metadata.ids.map(\.id))
            }
        }
    }
}
