// swift-tools-version: 6.2

import PackageDescription

// Set by `make fuzz` alone: our modules then count what of them has run, and watch their memory.
let isFuzzing = Context.environment["ROLLCALL_FUZZ"] != nil
let sanitizers = "-sanitize=fuzzer,address"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (isFuzzing ? [.unsafeFlags([sanitizers, "-assert-config", "Debug"])] : [])

// The program has Swift's runtime and Foundation in it: it runs where no Swift is installed, and calls them directly.
let foundation = [
    "Foundation", "CoreFoundation", "FoundationInternationalization", "_FoundationICU", "FoundationEssentials",
    "_FoundationCollections", "_FoundationCShims",
]
let selfContained: [LinkerSetting] = [
    .unsafeFlags(["-static-stdlib"] + foundation.map { "-l\($0)" }, .when(platforms: [.linux]))
]

// Products of other packages, by the name they have in this file.
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS: Target.Dependency = .product(name: "HummingbirdTLS", package: "hummingbird")
let hummingbirdTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let inMemoryTracing: Target.Dependency = .product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
    name: "rollcall",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "WireJSON", targets: ["WireJSON"]),
        .library(name: "EvalProtocol", targets: ["EvalProtocol"]),
        .library(name: "RolloutTracing", targets: ["RolloutTracing"]),
        .library(name: "RolloutEnvironment", targets: ["RolloutEnvironment"]),
        .library(name: "RolloutProcessor", targets: ["RolloutProcessor"]),
        .library(name: "RolloutTesting", targets: ["RolloutTesting"]),
        .executable(name: "rollcall", targets: ["rollcall"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // The vocabulary.
        .target(name: "WireJSON", swiftSettings: settings),
        .target(name: "EvalProtocol", dependencies: ["WireJSON"], swiftSettings: settings),

        // What servers take and answer, described.
        .target(name: "OpenAPI", dependencies: ["EvalProtocol", "WireJSON"], swiftSettings: settings),

        // zstd, to read the payloads of gateways that compress them.
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),

        // What agents, environments and callers link.
        .target(
            name: "RolloutTracing",
            dependencies: [
                "EvalProtocol", "WireJSON", "CZstd", logging, asyncHTTPClient, serviceLifecycle, nioCore, nioHTTP1,
                nioPosix,
            ],
            swiftSettings: settings),
        .target(
            name: "RolloutEnvironment",
            dependencies: [
                "RolloutTracing", "PrometheusMetrics", "OpenAPI", "EvalProtocol", "WireJSON", logging, coreMetrics,
                asyncHTTPClient, hummingbird, hummingbirdCore, hummingbirdTLS, httpTypes, nioCore, nioHTTP1, nioPosix,
                nioSSL, serviceLifecycle, subprocess, systemPackage, tracing, unixSignals,
            ],
            swiftSettings: settings),
        .target(
            name: "RolloutProcessor",
            dependencies: [
                "RolloutTracing", "EvalProtocol", "WireJSON", logging, asyncHTTPClient, nioCore, nioHTTP1, nioPosix,
                nioSSL,
            ],
            swiftSettings: settings),
        .target(
            name: "RolloutTesting",
            dependencies: ["RolloutEnvironment", "RolloutTracing", "EvalProtocol", "WireJSON", logging],
            swiftSettings: settings),

        // The gateway.
        .target(
            name: "TraceStore", dependencies: ["EvalProtocol", "WireJSON", logging, coreMetrics],
            swiftSettings: settings),
        .target(name: "PrometheusMetrics", dependencies: [coreMetrics], swiftSettings: settings),
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .target(
            name: "SQLiteTraceStore",
            dependencies: ["CSQLite", "TraceStore", "EvalProtocol", "WireJSON", logging, grdb, grdbSQLite],
            swiftSettings: settings),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "ModelProxy",
            dependencies: [
                "CZlib", "TraceStore", "OpenAPI", "EvalProtocol", "WireJSON", logging, coreMetrics, nioCore, nioHTTP1,
                nioPosix, nioSSL, nioTLS,
            ],
            swiftSettings: settings),
        .target(
            name: "TracingGateway",
            dependencies: [
                "ModelProxy", "PrometheusMetrics", "TraceStore", "OpenAPI", "EvalProtocol", "WireJSON", logging,
                coreMetrics,
                hummingbird, hummingbirdCore, httpTypes, nioCore, nioHTTP1, nioHTTPTypesHTTP1, nioPosix,
                serviceLifecycle,
            ],
            swiftSettings: settings),

        // The command line.
        .executableTarget(
            name: "rollcall",
            dependencies: [
                "TracingGateway", "PrometheusMetrics", "SQLiteTraceStore", "ModelProxy", "TraceStore",
                "RolloutEnvironment", "RolloutProcessor",
                "RolloutTracing",
                "EvalProtocol", "WireJSON", argumentParser, logging, nioCore, nioPosix, serviceLifecycle, unixSignals,
            ],
            swiftSettings: settings, linkerSettings: selfContained),

        // Examples see the public API alone.
        .executableTarget(
            name: "HelloEnvironment",
            dependencies: ["RolloutEnvironment", argumentParser],
            path: "Examples/HelloEnvironment",
            packageAccess: false,
            swiftSettings: settings),
        .executableTarget(
            name: "CalculatorEnvironment",
            dependencies: ["RolloutEnvironment", "EvalProtocol", argumentParser],
            path: "Examples/CalculatorEnvironment",
            exclude: ["rows.jsonl"],
            packageAccess: false,
            swiftSettings: settings),

        .executableTarget(
            name: "SVGAgent",
            dependencies: ["RolloutEnvironment", argumentParser, subprocess],
            path: "Examples/SVGAgent",
            exclude: ["README.md", "rows.jsonl"],
            packageAccess: false,
            swiftSettings: settings),

        .executableTarget(
            name: "MountedAgent",
            dependencies: [
                "RolloutEnvironment", argumentParser, hummingbird, httpTypes, nioCore, serviceLifecycle, unixSignals,
            ],
            path: "Examples/MountedAgent",
            exclude: ["README.md"],
            packageAccess: false,
            swiftSettings: settings),

        // Tests, fast ones first. `TestSupport` is what several of them share.
        .target(
            name: "TestSupport",
            dependencies: ["EvalProtocol", "WireJSON", logging, asyncHTTPClient, nioCore, nioHTTP1, nioPosix],
            path: "Tests/TestSupport",
            swiftSettings: settings),
        .testTarget(name: "WireJSONTests", dependencies: ["WireJSON", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "EvalProtocolTests", dependencies: ["EvalProtocol", "WireJSON", "TestSupport"],
            resources: [.copy("payload_vectors.json")], swiftSettings: settings),
        .testTarget(
            name: "OpenAPITests", dependencies: ["OpenAPI", "WireJSON", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "TraceStoreTests",
            dependencies: ["TraceStore", "SQLiteTraceStore", "EvalProtocol", "WireJSON", "TestSupport", logging, grdb],
            swiftSettings: settings),
        .testTarget(
            name: "ModelProxyTests",
            dependencies: [
                "CZlib", "ModelProxy", "TraceStore", "EvalProtocol", "WireJSON", "TestSupport", logging, nioCore,
                nioEmbedded, nioHTTP1, nioPosix, nioSSL,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RolloutTracingTests",
            dependencies: [
                "RolloutTracing", "EvalProtocol", "WireJSON", "TestSupport", logging, asyncHTTPClient, nioCore,
                nioHTTP1,
                nioPosix,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RolloutEnvironmentTests",
            dependencies: [
                "RolloutEnvironment", "RolloutTesting", "RolloutTracing", "EvalProtocol", "WireJSON", "TestSupport",
                logging, asyncHTTPClient, hummingbird, inMemoryTracing, nioCore, nioHTTP1, nioSSL, serviceLifecycle,
                tracing,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RolloutProcessorTests",
            dependencies: [
                "RolloutProcessor", "RolloutTracing", "EvalProtocol", "WireJSON", "TestSupport", logging,
                asyncHTTPClient,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TracingGatewayTests",
            dependencies: [
                "TracingGateway", "RolloutTracing", "PrometheusMetrics", "SQLiteTraceStore", "ModelProxy", "TraceStore",
                "EvalProtocol", "WireJSON", "TestSupport", coreMetrics,
                logging, asyncHTTPClient, hummingbird, nioCore, nioHTTP1,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ExampleTests",
            dependencies: [
                "SVGAgent", "MountedAgent", "RolloutEnvironment", "RolloutProcessor", "RolloutTesting",
                "RolloutTracing",
                "EvalProtocol", "WireJSON", "TestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "DurabilityTests",
            dependencies: ["SQLiteTraceStore", "TraceStore", "EvalProtocol", "WireJSON", "TestSupport", grdb],
            resources: [.copy("diskfaults.c")], swiftSettings: settings),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "RolloutProcessor", "RolloutEnvironment", "RolloutTracing", "TracingGateway", "ModelProxy",
                "SQLiteTraceStore", "TraceStore", "EvalProtocol", "WireJSON", "TestSupport", logging, asyncHTTPClient,
                hummingbird, inMemoryTracing, nioCore, nioHTTP1, nioPosix, serviceLifecycle, tracing,
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)

if isFuzzing {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/CLibFuzzer"),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "CLibFuzzer", "CZstd", "TracingGateway", "ModelProxy", "TraceStore", "EvalProtocol", "WireJSON",
                nioCore,
            ],
            path: "Tests/Fuzz",
            swiftSettings: settings,
            // Debian's gold ends with an internal error here.
            linkerSettings: [.unsafeFlags([sanitizers, "-use-ld=lld"])]),
    ]
}
