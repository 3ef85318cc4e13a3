// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Hummingbird
import NIOCore
import NIOHTTP1
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: who may call") struct AccessTests {
    private static let secret = "s3cret-in-front-of-paths"

    private static func finishing(
        _ configure: (inout RolloutEnvironment.Configuration) -> Void
    ) -> RolloutEnvironment {
        var configuration = RolloutEnvironment.Configuration.test
        configure(&configuration)
        return RolloutEnvironment(configuration) { _ in .finished() }
    }

    // MARK: Keys

    @Test("with keys, of the variable too, whatever starts, ends or tells something of rollouts wants one as bearer")
    func bearer() async throws {
        let environment = Self.finishing {
            $0.acceptedAPIKeys = ["configured-key"]
            $0.variables["ROLLCALL_ENVIRONMENT_KEYS"] = "first-key, second-key"
        }
        let places: [(HTTPMethod, String)] = [
            (.POST, "/init"), (.POST, "/"), (.POST, "/cancel"), (.GET, "/status?rollout_id=r"), (.GET, "/metrics"),
        ]
        let wrong = [nil, "Bearer", "Bearer ", "Bearer first-ke", "Bearer first-key2", "Basic first-key", "first-key"]
        try await ServedEnvironment.with(environment) { environment in
            for (method, path) in places {
                // What is wrong with a body is not told before, either.
                for body in [InitRequest.test("r", gateway: "http://127.0.0.1:9").serialized(), Array("{".utf8)] {
                    for authorization in wrong {
                        let headers = authorization.map { [("authorization", $0)] } ?? []
                        let answer = try await environment.send(
                            method, path, body: method == .POST ? body : nil, headers: headers)
                        #expect(answer.status == 401, "\(method) \(path) \(authorization ?? "none")")
                        #expect(answer.json?["error"]?["code"] == "invalid_api_key")
                        #expect(answer.json?["error"]?["type"] == "authentication_error")
                        #expect(answer.headers.first(name: "www-authenticate") == "Bearer")
                        let id = answer.headers.first(name: "x-rollcall-request-id")
                        #expect(id != nil && answer.json?["request_id"]?.string == id)
                        #expect(!answer.text.contains("first-key") && !answer.text.contains("configured-key"))
                    }
                }
                for key in ["configured-key", "first-key", "second-key"] {
                    let headers = [("authorization", "bearer \(key)")]
                    let answer = try await environment.send(method, path, headers: headers)
                    #expect([200, 400].contains(answer.status), "\(method) \(path)")
                }
            }
            for path in ["/health", "/", "/openapi.json"] {
                #expect(try await environment.send(.GET, path).status == 200)
            }
            let description = try await environment.send(.GET, "/openapi.json").json
            #expect(description?["security"] == [["bearer": []]])
        }
    }

    @Test("/init takes the key as api_key, which is all that the Python client sends")
    func bodyKey() async throws {
        try await FakeGateway.with { gateway in
            let environment = Self.finishing { $0.variables["ROLLCALL_ENVIRONMENT_KEYS"] = "caller-key-1234" }
            try await ServedEnvironment.with(environment) { environment in
                let answer = try await environment.initialize(.test("r", gateway: gateway.url))
                #expect(answer.status == 200, "\(answer.text)")
                let wrong = try await environment.initialize(.test("r", gateway: gateway.url, key: "other-key-1234"))
                #expect(wrong.status == 401)
                var request = InitRequest.test("r", gateway: gateway.url)
                request.metadata.additional["deadline_seconds"] = "soon"
                #expect(try await environment.initialize(request).status == 400)
            }
        }
    }

    // MARK: The secret in front of the path

    @Test("with a path secret everything stands behind it, and nothing is told to those without it")
    func pathSecret() async throws {
        try await FakeGateway.with { gateway in
            let log = KeptLog()
            let environment = Self.finishing {
                $0.pathSecret = Self.secret
                $0.logger = log.logger
            }
            try await ServedEnvironment.with(environment) { environment in
                for path in ["/init", "", "/", "//init", "/init/"] {
                    let request = InitRequest.test("r\(path.count)", gateway: gateway.url)
                    let answer = try await environment.post("/\(Self.secret)\(path)", request.json)
                    #expect(answer.status == 200, "\(path): \(answer.text)")
                }
                for path in ["/health", "", "/openapi.json", "/status?rollout_id=r5", "/metrics"] {
                    #expect(try await environment.send(.GET, "/\(Self.secret)\(path)").status == 200, "\(path)")
                }
                #expect(try await environment.post("/\(Self.secret)/cancel", ["all": true]).status == 200)
                #expect(try await environment.send(.OPTIONS, "/\(Self.secret)/init").status == 204)
                let unknown = try await environment.send(.GET, "/\(Self.secret)/other")
                #expect(unknown.status == 404 && unknown.message.contains("There is no /other;"), "\(unknown.text)")
                let method = try await environment.send(.PUT, "/\(Self.secret)/init")
                #expect(method.status == 405 && method.headers.first(name: "allow") == "POST, OPTIONS")
                let description = try await environment.send(.GET, "/\(Self.secret)/openapi.json")
                #expect(description.json?["servers"] == [["url": "."]])
                for answer in [unknown, method, description] { #expect(!answer.text.contains(Self.secret)) }

                let outside = [
                    "/init", "/", "/health", "/openapi.json", "/metrics", "/status?rollout_id=r5", "/cancel",
                    "/\(Self.secret.dropLast())/init", "/\(Self.secret)x/init", "/\(Self.secret.uppercased())/init",
                    "/init/\(Self.secret)", "/x/\(Self.secret)/init", "/?\(Self.secret)",
                ]
                for path in outside {
                    for method in [HTTPMethod.GET, .POST, .OPTIONS, .PUT] {
                        let answer = try await environment.send(method, path)
                        #expect(answer.status == 404, "\(method) \(path)")
                        #expect(answer.json?["error"]?["code"] == "not_found")
                        #expect(answer.message == "There is nothing at this address.")
                        #expect(answer.headers.first(name: "access-control-allow-origin") == nil)
                    }
                }
            }
            #expect(log.lines.contains { $0.contains("accepted a rollout") })
            #expect(!log.lines.contains { $0.contains(Self.secret) })
        }
    }

    @Test("an agent that repeats the secret does not get it into its rollout's status")
    func masked() async throws {
        struct Broken: Error, CustomStringConvertible { let description: String }
        try await FakeGateway.with { gateway in
            var configuration = RolloutEnvironment.Configuration.test
            configuration.pathSecret = Self.secret
            let environment = RolloutEnvironment(configuration) { _ in
                throw Broken(description: "/\(Self.secret)/init went wrong")
            }
            try await ServedEnvironment.with(environment) { environment in
                _ = try await environment.post("/\(Self.secret)/init", InitRequest.test("r", gateway: gateway.url).json)
                try await eventually("end") { !gateway.terminal(of: "r").isEmpty }
            }
            let message = try #require(gateway.lines(of: "r").last?.message)
            #expect(message.contains("/[redacted]/init went wrong"))
        }
    }

    @Test("added to somebody's router, the routes stand behind the secret, too")
    func mounted() async throws {
        for (secret, expected) in [(Self.secret, 200), ("short", 404)] {
            let environment = Self.finishing { $0.pathSecret = secret }
            let router = Router()
            router.get("health") { _, _ in "mine" }
            environment.addRoutes(to: router.group("agents"))
            let port = Kept<Int>()
            let application = Application(
                router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { port.value = $0.localAddress?.port },
                logger: RolloutEnvironment.Configuration.test.logger)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await application.run() }
                defer { tasks.cancelAll() }
                try await eventually("listening application") { port.value != nil }
                func status(_ path: String) async throws -> Int {
                    let request = HTTPClientRequest(url: "http://127.0.0.1:\(port.value!)\(path)")
                    return Int(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status.code)
                }
                #expect(try await status("/agents/\(secret)/health") == expected)
                #expect(try await status("/agents/health") == 404)
                #expect(try await status("/agents/another-secret-text/health") == 404)
                #expect(try await status("/health") == 200)
            }
        }
    }

    @Test(
        "a secret that is short, or that a URL would not take as it is, is refused at the start",
        arguments: [
            "", "short", "fifteen-letters", "a secret with spaces", "slash/slash/slash/slash", "ümlaut-ümlaut-ümlaut",
        ])
    func refusedSecret(_ secret: String) async throws {
        let environment = Self.finishing { $0.pathSecret = secret }
        let error = await #expect(throws: RolloutEnvironment.ConfigurationError.self) {
            try await environment.run(host: "127.0.0.1", port: 0)
        }
        #expect(error?.setting == .pathSecret)
        #expect(error?.description.contains("16 characters") == true)
        #expect(secret.isEmpty || error?.description.contains(secret) == false)
    }

    // MARK: Openness

    @Test(
        "an environment that listens beyond this machine, open to all, says so",
        arguments: [
            ("0.0.0.0", nil, nil, true), ("127.0.0.1", nil, nil, false), ("0.0.0.0", "a-key", nil, false),
            ("0.0.0.0", nil, secret, false),
        ] as [(String, String?, String?, Bool)])
    func openness(host: String, key: String?, secret: String?, warns: Bool) async throws {
        let log = KeptLog()
        let environment = Self.finishing {
            $0.logger = log.logger
            $0.variables["ROLLCALL_ENVIRONMENT_KEYS"] = key
            $0.pathSecret = secret
        }
        try await ServedEnvironment.with(environment, host: host) { _ in
            let warnings = log.lines.filter { $0.hasPrefix("warning the environment listens on \(host)") }
            #expect(warnings.count == (warns ? 1 : 0))
        }
    }
}
