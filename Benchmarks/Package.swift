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
                .product(name: "TwinspanProtocol", package: "twinspan"),
                .product(name: "TwinspanJSON", package: "twinspan"), "CcJSON", "CAllocationCounter",
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
