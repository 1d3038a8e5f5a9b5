// swift-tools-version:6.2
import PackageDescription

/// Settings every Swift target shares. Each flag earns its place:
/// - `ExistentialAny`: an existential costs a witness call and often an allocation, so it must be visible as `any`.
/// - `MemberImportVisibility`, `InternalImportsByDefault`: what leaks through a target's API shows in its import list.
let sharedSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Targets on the per-message path. `-cross-module-optimization` lets small public functions of the lower targets be
/// inlined in release builds; without it every JSON accessor is a call (measured, see ARCHITECTURE.md).
let hotPathSettings: [SwiftSetting] =
    sharedSettings + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

let package = Package(
    name: "twinspan",
    platforms: [.macOS(.v15)],
    products: [
        // The libraries are what the benchmarks measure; they promise nothing to anybody else.
        .library(name: "TwinspanJSON", targets: ["TwinspanJSON"]),
        .library(name: "TwinspanProtocol", targets: ["TwinspanProtocol"]),
        .library(name: "TwinspanExpressions", targets: ["TwinspanExpressions"]),
        .library(name: "TwinspanPolicies", targets: ["TwinspanPolicies"]),
        .library(name: "TwinspanEngine", targets: ["TwinspanEngine"]),
        .library(name: "TwinspanMapping", targets: ["TwinspanMapping"]),
        .library(name: "TwinspanJavaScript", targets: ["TwinspanJavaScript"]),
        .executable(name: "twinspan", targets: ["twinspan"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // C libraries. They compile nothing; the shim holds only what Swift cannot import.
        .systemLibrary(
            name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        // Without its pkg-config file, which begins with a comment that SwiftPM warns of in every build.
        .systemLibrary(name: "CQpidProton", providers: [.apt(["libqpid-proton11-dev"])]),
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSSH", providers: [.apt(["libssh-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),

        // Level 0 and 1: values and the wire vocabulary.
        .target(name: "TwinspanJSON", swiftSettings: hotPathSettings),
        .target(name: "TwinspanProtocol", dependencies: ["TwinspanJSON"], swiftSettings: hotPathSettings),

        // Level 2: siblings that never import each other.
        .target(
            name: "TwinspanPolicies", dependencies: ["TwinspanJSON", "TwinspanProtocol"],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanExpressions", dependencies: ["TwinspanJSON", "TwinspanProtocol"],
            swiftSettings: hotPathSettings),

        // Level 3: mapping, the twin engine, the connection model.
        .target(
            name: "TwinspanMapping",
            dependencies: ["TwinspanJSON", "TwinspanProtocol", "TwinspanExpressions"],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanJavaScript",
            dependencies: ["TwinspanMapping", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON"],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanEngine",
            dependencies: ["TwinspanJSON", "TwinspanProtocol", "TwinspanPolicies", "TwinspanExpressions"],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanConnections",
            dependencies: ["TwinspanJSON", "TwinspanProtocol", "TwinspanExpressions", "CYAML"],
            swiftSettings: sharedSettings),

        // Level 4: the store and the broker adapters.
        .target(
            name: "TwinspanSQLite",
            dependencies: [
                "TwinspanEngine", "TwinspanProtocol", "TwinspanPolicies", "TwinspanJSON",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: sharedSettings),
        .target(
            name: "TwinspanNetwork",
            dependencies: ["TwinspanConnections", "TwinspanProtocol", "TwinspanJSON", "COpenSSL", "CSSH"],
            swiftSettings: sharedSettings),
        .target(
            name: "TwinspanMQTT",
            dependencies: [
                "TwinspanConnections", "TwinspanNetwork", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                "CMosquitto",
            ],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanAMQP091",
            dependencies: [
                "TwinspanConnections", "TwinspanNetwork", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                "CRabbitMQ",
            ],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanAMQP10",
            dependencies: [
                "TwinspanConnections", "TwinspanNetwork", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                "CQpidProton",
            ],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanKafka",
            dependencies: [
                "TwinspanConnections", "TwinspanNetwork", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                "CRdKafka",
            ],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanHTTPPush",
            dependencies: [
                "TwinspanConnections", "TwinspanNetwork", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: sharedSettings),

        // Level 5: what drives connections, and the HTTP door.
        .target(
            name: "TwinspanSupervisor",
            dependencies: [
                "TwinspanConnections", "TwinspanMapping", "TwinspanEngine", "TwinspanPolicies",
                "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: hotPathSettings),
        .target(
            name: "TwinspanHTTP",
            dependencies: [
                "TwinspanEngine", "TwinspanPolicies", "TwinspanExpressions", "TwinspanConnections",
                "TwinspanProtocol", "TwinspanJSON", "CCrypt",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: sharedSettings),

        // Level 6: the executable is the only place where adapters meet the supervisor.
        .executableTarget(
            name: "twinspan",
            dependencies: [
                "TwinspanJSON", "TwinspanProtocol", "TwinspanPolicies", "TwinspanExpressions", "TwinspanMapping",
                "TwinspanEngine", "TwinspanConnections", "TwinspanSQLite", "TwinspanNetwork", "TwinspanMQTT",
                "TwinspanAMQP091", "TwinspanAMQP10", "TwinspanKafka", "TwinspanHTTPPush", "TwinspanSupervisor",
                "TwinspanHTTP", "TwinspanJavaScript",
                "CMalloc",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: sharedSettings),

        // Test support and tests. Every target has its own tests, files mirror sources.
        .target(
            name: "TwinspanTestSupport",
            dependencies: [
                "TwinspanConnections", "TwinspanEngine", "TwinspanProtocol", "TwinspanJSON",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: sharedSettings),
        .testTarget(name: "TwinspanJSONTests", dependencies: ["TwinspanJSON"], swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanProtocolTests", dependencies: ["TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport"],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanPoliciesTests", dependencies: ["TwinspanPolicies", "TwinspanProtocol", "TwinspanJSON"],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanExpressionsTests",
            dependencies: ["TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON"],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanMappingTests",
            dependencies: [
                "TwinspanMapping", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanJavaScriptTests",
            dependencies: [
                "TwinspanJavaScript", "TwinspanMapping", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanConnectionsTests",
            dependencies: ["TwinspanConnections", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON"],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanMQTTTests",
            dependencies: [
                "TwinspanMQTT", "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions", "TwinspanProtocol",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanNetworkTests",
            dependencies: [
                "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions",
                "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanAMQP091Tests",
            dependencies: [
                "TwinspanAMQP091", "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions",
                "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanAMQP10Tests",
            dependencies: [
                "TwinspanAMQP10", "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions",
                "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanKafkaTests",
            dependencies: [
                "TwinspanKafka", "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions",
                "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanHTTPPushTests",
            dependencies: [
                "TwinspanHTTPPush", "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions",
                "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanEngineTests",
            dependencies: [
                "TwinspanEngine", "TwinspanSQLite", "TwinspanPolicies", "TwinspanProtocol", "TwinspanJSON",
                "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanSQLiteTests",
            dependencies: [
                "TwinspanSQLite", "TwinspanEngine", "TwinspanPolicies", "TwinspanProtocol", "TwinspanJSON",
                "TwinspanTestSupport",
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanSupervisorTests",
            dependencies: [
                "TwinspanSupervisor", "TwinspanConnections", "TwinspanEngine", "TwinspanSQLite", "TwinspanMapping",
                "TwinspanExpressions", "TwinspanPolicies", "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "TwinspanHTTPTests",
            dependencies: [
                "TwinspanHTTP", "TwinspanEngine", "TwinspanSQLite", "TwinspanConnections", "TwinspanPolicies",
                "TwinspanProtocol", "TwinspanJSON", "TwinspanTestSupport",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "BrokerTests",
            dependencies: [
                "TwinspanMQTT", "TwinspanAMQP091", "TwinspanAMQP10", "TwinspanKafka", "TwinspanHTTPPush",
                "TwinspanNetwork", "TwinspanConnections", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
                "TwinspanTestSupport", "TwinspanSupervisor", "TwinspanEngine", "TwinspanSQLite",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["amqp10-peer.py"],
            swiftSettings: sharedSettings),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["TwinspanTestSupport", "TwinspanJSON", "TwinspanProtocol", "CMosquitto"],
            swiftSettings: sharedSettings),
        .testTarget(name: "TidyTests", swiftSettings: sharedSettings),
    ],
    swiftLanguageModes: [.v6]
)
