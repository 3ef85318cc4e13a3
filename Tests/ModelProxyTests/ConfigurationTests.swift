// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import Testing
import TraceStore

@Suite("ModelProxy: keys and upstreams")
struct ConfigurationTests {
    @Test("a ring without keys takes any bearer, or none")
    func open() {
        #expect(KeyRing.open.account(authorization: nil) == .default)
        #expect(KeyRing.open.account(authorization: "Bearer None") == .default)
        #expect(KeyRing(list: " , ").isOpen)
    }

    @Test("keys of a list are the default account's")
    func list() {
        let ring = KeyRing(list: "alpha, beta")
        #expect(ring.account(authorization: "Bearer beta") == .default)
        #expect(ring.account(authorization: "bearer alpha") == .default)
        #expect(ring.account(authorization: "Bearer  alpha ") == .default)
        for wrong in [nil, "", "alpha", "Basic alpha", "Bearer alph", "Bearer alphaa", "Bearer Alpha", "Bearer "] {
            #expect(ring.account(authorization: wrong) == nil, "\(wrong ?? "nil")")
        }
        #expect("\(ring)" == "2 keys")
    }

    @Test("a key may begin with what joins the character before it")
    func joining() {
        let ring = KeyRing(list: "alpha,\u{301}beta")
        #expect(ring.account(authorization: "Bearer alpha") == .default)
        #expect(ring.account(authorization: "Bearer \u{301}beta") == .default)
    }

    @Test("a keys file names accounts, and has comments")
    func file() throws {
        let ring = try KeyRing(file: "# keys\n\nk1 team-a\r\nk2\n", name: "keys")
        #expect(ring.account(authorization: "Bearer k1") == Account("team-a"))
        #expect(ring.account(authorization: "Bearer k2") == .default)
        #expect(throws: KeyFileError.self) { try KeyRing(file: "a b c", name: "keys") }
        #expect(throws: KeyFileError.self) { try KeyRing(file: "# none", name: "keys") }
    }

    @Test("the standard upstream is called where the path names none")
    func standard() throws {
        let rules = try UpstreamRules(upstream: "http://LOCALHOST:8000/v1/", upstreamKey: "k")
        let target = try rules.resolve(baseURL: nil, suffix: "/chat/completions").get()
        #expect(target.url == "http://localhost:8000/v1/chat/completions")
        #expect(target.key == "k")
        let none = try UpstreamRules(upstream: nil).resolve(baseURL: nil, suffix: "/models")
        #expect(throws: GatewayProblem.self) { try none.get() }
        if case .failure(let problem) = none {
            #expect(problem.status == 503 && problem.message.contains("--upstream"))
        }
    }

    @Test(
        "a model's name may have a separator in it, but none that leads to another place",
        arguments: [
            ("/models/org%2Fname", true), ("/models/a%5Cb", true), ("/models/.hidden", true), ("/models/..", false),
            ("/models/%2E%2e", false), ("/models/a%2F..%2f..%2Fadmin", false), ("/models/a%5C..%5Cb", false),
        ])
    func names(suffix: String, passes: Bool) throws {
        let result = try UpstreamRules(upstream: "http://localhost:8000/v1").resolve(baseURL: nil, suffix: suffix)
        if passes {
            #expect(try result.get().url == "http://localhost:8000/v1" + suffix)
        } else {
            #expect(throws: GatewayProblem.self) { try result.get() }
        }
    }

    struct Rule: Sendable {
        var allowed: String
        var url: String
        var passes: Bool
    }

    @Test(
        "an upstream is allowed by origin, port and whole segments of its path",
        arguments: [
            Rule(allowed: "http://localhost:8001", url: "http://localhost:8001/v1", passes: true),
            Rule(allowed: "http://localhost:8001", url: "http://localhost:8002/v1", passes: false),
            Rule(allowed: "http://localhost:*", url: "http://localhost:8002/v1", passes: true),
            Rule(allowed: "http://localhost", url: "http://localhost:80/v1", passes: true),
            Rule(allowed: "http://localhost", url: "http://localhost:8080/v1", passes: false),
            Rule(allowed: "https://api.example.com", url: "https://API.example.com:443/inference/v1", passes: true),
            Rule(allowed: "https://api.example.com", url: "http://api.example.com/v1", passes: false),
            Rule(
                allowed: "https://api.example.com/inference", url: "https://api.example.com/inference/v1", passes: true),
            Rule(allowed: "https://api.example.com/inference", url: "https://api.example.com/inference", passes: true),
            Rule(
                allowed: "https://api.example.com/inference", url: "https://api.example.com/inference2/v1",
                passes: false),
            Rule(
                allowed: "https://api.example.com/inference", url: "https://api.example.com/inference/../admin",
                passes: false),
            Rule(
                allowed: "https://api.example.com/inference", url: "https://api.example.com/inference/%2E%2e/admin",
                passes: false),
            Rule(allowed: "https://api.example.com", url: "https://api.example.com.evil.org/v1", passes: false),
            Rule(allowed: "https://api.example.com", url: "https://api.example.com@evil.org/v1", passes: false),
            Rule(allowed: "http://[::1]:*", url: "http://[::1]:9/v1", passes: true),
            Rule(allowed: "http://localhost:*", url: "http://localhost:*/v1", passes: false),
            Rule(allowed: "http://localhost:*", url: "http://localhost:1/v1?x=1", passes: false),
            Rule(allowed: "http://localhost:*", url: "http://localhost:1/a b", passes: false),
            Rule(allowed: "http://localhost:*", url: "http://localhost:1/chat/completions", passes: true),
        ])
    func allowed(_ rule: Rule) throws {
        let rules = try UpstreamRules(upstream: nil, allowed: [rule.allowed])
        let result = rules.resolve(baseURL: rule.url, suffix: "/chat/completions")
        switch result {
        case .success(let target):
            #expect(rule.passes)
            #expect(!target.url.contains("/chat/completions/chat"))
        case .failure(let problem):
            #expect(!rule.passes)
            #expect(problem.status == 403 && problem.message.contains("--allow-upstream") || problem.status == 400)
        }
    }

    @Test("a host is a name or an address", arguments: ["*.example.com", "a]b", "a`b", "a*b:80", "[a/b]", "[::1]x"])
    func hosts(host: String) {
        #expect(throws: ProxyConfigurationError.self) { try UpstreamRules(upstream: "http://\(host)") }
        #expect(throws: ProxyConfigurationError.self) { try UpstreamRules(upstream: nil, allowed: ["http://\(host)"]) }
    }

    @Test("a key belongs to its origin")
    func keys() throws {
        let rules = try UpstreamRules(
            upstream: "http://a:1/v1", upstreamKey: "ka", allowed: ["http://b:2=B_KEY", "http://c:3", "http://a:1"],
            environment: ["B_KEY": "kb"])
        #expect(try rules.resolve(baseURL: "http://b:2/v1", suffix: "/models").get().key == "kb")
        #expect(try rules.resolve(baseURL: "http://c:3/v1", suffix: "/models").get().key == nil)
        #expect(try rules.resolve(baseURL: "http://a:1/other", suffix: "/models").get().key == "ka")
        #expect(throws: ProxyConfigurationError.self) {
            try UpstreamRules(upstream: nil, allowed: ["http://b=NOT_SET"])
        }
        #expect(throws: ProxyConfigurationError.self) { try UpstreamRules(upstream: "localhost:8000") }
        #expect(throws: ProxyConfigurationError.self) { try UpstreamRules(upstream: "http://localhost:*") }
    }

    @Test("what is captured is said for all upstreams, and for one by its origin")
    func capture() throws {
        let rules = try UpstreamRules(
            upstream: "http://localhost:8000/v1",
            allowed: ["https://api.fireworks.ai/inference", "http://localhost:*"],
            capture: CaptureRules(
                captures: ["tokens", "https://api.fireworks.ai=logprobs", "http://localhost:*=none"],
                profiles: ["https://api.fireworks.ai=fireworks+routing", "vllm", "http://localhost:9=sglang"]))
        func target(_ base: String?) throws -> UpstreamTarget {
            try rules.resolve(baseURL: base, suffix: "/chat/completions").get()
        }
        #expect(try target(nil).capture == .none)
        #expect(try target(nil).profile == UpstreamProfile(.vllm))
        #expect(try target("https://api.fireworks.ai/inference/v1").capture == .logprobs)
        #expect(try target("https://api.fireworks.ai/inference/v1").profile.description == "fireworks+routing")
        #expect(try target("http://localhost:9/v1").profile.description == "sglang")
        let none = try UpstreamRules(upstream: "http://x").resolve(baseURL: nil, suffix: "/models").get()
        #expect(none.capture == .none && none.profile == UpstreamProfile(.openai))
    }

    @Test(
        "a capture or a profile that cannot be used is refused with the flag and what to write",
        arguments: [
            (["all"], [], "--capture: 'all' is none of none, logprobs, tokens"),
            (["x=tokens"], ["vllm"], "--capture: x is not usable"),
            (["logprobs"], ["tgi"], "--profile: 'tgi' is none of"),
            (["logprobs"], ["openai+routing"], "--profile"), (["logprobs"], ["vllm+"], "--profile"),
            (["tokens"], [], "--capture: each kind of server"),
            (["tokens"], ["http://a=vllm"], "--capture: each kind of server"),
            (["http://b=tokens"], ["http://a=vllm"], "--capture: each kind of server"),
        ] as [([String], [String], String)])
    func captureProblems(captures: [String], profiles: [String], message: String) {
        let error = #expect(throws: ProxyConfigurationError.self) {
            try CaptureRules(captures: captures, profiles: profiles)
        }
        #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
    }
}
