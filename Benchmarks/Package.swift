// swift-tools-version:6.2
import PackageDescription

/// The Swift part of the benchmarks, a package of its own so that nothing here reaches users of the product.
let package = Package(
    name: "twinspan-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "twinspan", path: ".."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
    ],
    targets: [
        // The C library that TwinspanJSON is measured against.
        .systemLibrary(name: "CcJSON", pkgConfig: "libcjson", providers: [.apt(["libcjson-dev"])]),
        .executableTarget(
            name: "hummingbird-constant",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .executableTarget(
            name: "json-bench",
            dependencies: [.product(name: "TwinspanJSON", package: "twinspan"), "CcJSON"]),
        // Replaces malloc of the program that links it, to count allocations.
        .target(name: "CAllocationCounter"),
        .executableTarget(
            name: "engine-bench",
            dependencies: [
                .product(name: "TwinspanEngine", package: "twinspan"),
                .product(name: "TwinspanExpressions", package: "twinspan"),
                .product(name: "TwinspanPolicies", package: "twinspan"),
                .product(name: "TwinspanProtocol", package: "twinspan"),
                .product(name: "TwinspanJSON", package: "twinspan"), "CcJSON", "CAllocationCounter",
            ]),
        // The MQTT client of the C programs; the driver compiles the rest of that folder.
        .target(
            name: "CBaselineClient", path: "Baseline", sources: ["client.c", "program.c"], publicHeadersPath: "."),
        .executableTarget(
            name: "push-client",
            dependencies: [
                "CBaselineClient",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .executableTarget(
            name: "script-bench",
            dependencies: [
                .product(name: "TwinspanJavaScript", package: "twinspan"),
                .product(name: "TwinspanMapping", package: "twinspan"),
                .product(name: "TwinspanProtocol", package: "twinspan"),
                .product(name: "TwinspanJSON", package: "twinspan"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
