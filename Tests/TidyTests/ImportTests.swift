// Which target may know which: the table of ARCHITECTURE.md, checked against the imports and the package manifest.
import Foundation
import Testing

@Suite("imports")
struct ImportTests {
    private static let adapterImports: Set<String> = [
        "TwinspanConnections", "TwinspanNetwork", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON",
    ]

    /// Everything a target may import beside the standard library, `Glibc` and `Synchronization`. What is not listed is
    /// forbidden; Foundation is listed where it is allowed.
    private static let allowed: [String: Set<String>] = [
        "TwinspanJSON": [],
        "TwinspanProtocol": ["TwinspanJSON"],
        "TwinspanPolicies": ["TwinspanJSON", "TwinspanProtocol"],
        "TwinspanExpressions": ["TwinspanJSON", "TwinspanProtocol"],
        "TwinspanMapping": ["TwinspanJSON", "TwinspanProtocol", "TwinspanExpressions"],
        "TwinspanJavaScript": ["TwinspanMapping", "TwinspanExpressions", "TwinspanProtocol", "TwinspanJSON"],
        "TwinspanEngine": ["TwinspanJSON", "TwinspanProtocol", "TwinspanPolicies", "TwinspanExpressions"],
        "TwinspanConnections": ["TwinspanJSON", "TwinspanProtocol", "TwinspanExpressions", "CYAML"],
        "TwinspanSQLite": [
            "TwinspanEngine", "TwinspanProtocol", "TwinspanPolicies", "TwinspanJSON", "GRDB", "GRDBSQLite",
            "Foundation",
        ],
        "TwinspanNetwork": ["TwinspanConnections", "TwinspanProtocol", "TwinspanJSON", "COpenSSL", "CSSH"],
        // Expressions, because the connection model holds parsed templates.
        "TwinspanMQTT": adapterImports.union(["CMosquitto"]),
        "TwinspanAMQP091": adapterImports.union(["CRabbitMQ"]),
        "TwinspanAMQP10": adapterImports.union(["CQpidProton"]),
        "TwinspanKafka": adapterImports.union(["CRdKafka"]),
        "TwinspanHTTPPush": adapterImports.union([
            "AsyncHTTPClient", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "NIOTLS", "Logging",
        ]),
        "TwinspanSupervisor": [
            "TwinspanConnections", "TwinspanMapping", "TwinspanEngine", "TwinspanPolicies", "TwinspanExpressions",
            "TwinspanProtocol", "TwinspanJSON", "Logging",
        ],
        "TwinspanHTTP": [
            "TwinspanEngine", "TwinspanPolicies", "TwinspanExpressions", "TwinspanConnections", "TwinspanProtocol",
            "TwinspanJSON", "CCrypt", "Hummingbird", "HummingbirdCore", "HTTPTypes", "NIOConcurrencyHelpers", "NIOCore",
            "NIOHTTP1", "NIOPosix",
            "Logging", "ServiceLifecycle",
        ],
        "twinspan": [
            "TwinspanJSON", "TwinspanProtocol", "TwinspanPolicies", "TwinspanExpressions", "TwinspanMapping",
            "TwinspanEngine", "TwinspanConnections", "TwinspanSQLite", "TwinspanNetwork", "TwinspanMQTT",
            "TwinspanAMQP091", "TwinspanAMQP10", "TwinspanKafka", "TwinspanHTTPPush", "TwinspanSupervisor",
            "TwinspanHTTP", "TwinspanJavaScript", "CMalloc", "ArgumentParser", "Logging", "ServiceLifecycle",
        ],
        "TwinspanTestSupport": [
            "TwinspanConnections", "TwinspanEngine", "TwinspanProtocol", "TwinspanJSON", "Foundation", "Testing",
            "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL",
        ],
    ]

    private static let free: Set<String> = ["Swift", "Glibc", "Synchronization"]

    /// Where the modules of C libraries may be imported.
    private static let places = [
        "CMosquitto": "Sources/TwinspanMQTT/Client/", "CRabbitMQ": "Sources/TwinspanAMQP091/Client/",
        "CQpidProton": "Sources/TwinspanAMQP10/Client/", "CRdKafka": "Sources/TwinspanKafka/Client/",
        "COpenSSL": "Sources/TwinspanNetwork/TLS/", "CSSH": "Sources/TwinspanNetwork/SSH/Client/",
        "CYAML": "Sources/TwinspanConnections/YAML/",
        "CCrypt": "Sources/TwinspanHTTP/Authentication/", "CMalloc": "Sources/twinspan/Composition/",
        "GRDBSQLite": "Sources/TwinspanSQLite/",
    ]

    @Test("a target imports only what the table allows")
    func imports() {
        let found = SourceTree.sources.flatMap { file in
            let allowed = (Self.allowed[file.target] ?? []).union(Self.free)
            return Self.imports(of: file).filter { !allowed.contains($0.module) }.map {
                "\(file.path):\($0.line): \(file.target) must not import \($0.module)"
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("C modules are imported only where their wrappers are")
    func placesOfC() {
        let found = (SourceTree.sources + SourceTree.tests).flatMap { file in
            Self.imports(of: file).filter { found in
                Self.places[found.module].map { !file.path.hasPrefix($0) } ?? false
            }.map { "\(file.path):\($0.line): \($0.module)" }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("the manifest declares no dependency that the table does not allow")
    func manifest() {
        let declared = ManifestTargets(SourceTree.manifest.text).dependencies
        #expect(Set(Self.allowed.keys).isSubset(of: declared.keys), "a target of the table is not in the manifest")
        let found = declared.filter { !$0.key.hasSuffix("Tests") }.flatMap { target, dependencies in
            dependencies.subtracting(Self.allowed[target] ?? []).map { "\(target) must not depend on \($0)" }
        }
        #expect(found.isEmpty, "\(found.sorted().joined(separator: "\n"))")
    }

    @Test("a target declares every module of ours that it imports")
    func declarations() {
        let declared = ManifestTargets(SourceTree.manifest.text).dependencies
        let found = (SourceTree.sources + SourceTree.tests).flatMap { file in
            let missing = Self.imports(of: file).filter { found in
                found.module.hasPrefix("Twinspan") && found.module != file.target
                    && !(declared[file.target]?.contains(found.module) ?? false)
            }
            return missing.map { "\(file.path):\($0.line): \($0.module)" }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test("no source imports the test support")
    func testSupport() {
        let found = SourceTree.sources.filter { file in
            file.target != "TwinspanTestSupport"
                && Self.imports(of: file).contains { $0.module == "TwinspanTestSupport" || $0.module == "Testing" }
        }.map(\.path)
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    private static func imports(of file: SourceFile) -> [(line: Int, module: String)] {
        file.code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let position = words.firstIndex(of: "import"), position <= 2, position + 1 < words.count else {
                return nil
            }
            let kinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "var", "typealias"]
            let module = words.dropFirst(position + 1).first { !kinds.contains($0) }
            return module.map { (index + 1, String($0.split(separator: ".")[0])) }
        }
    }
}

/// The targets of a manifest with what they depend on, read as text.
struct ManifestTargets {
    private(set) var dependencies: [String: Set<String>] = [:]

    init(_ manifest: String) {
        for kind in [".target(", ".executableTarget(", ".testTarget("] {
            for part in manifest.components(separatedBy: kind).dropFirst() { read(Substring(part)) }
        }
    }

    private mutating func read(_ part: Substring) {
        guard let name = Self.firstLiteral(part) else { return }
        let head = part.prefix(upTo: part.range(of: "swiftSettings")?.lowerBound ?? part.endIndex)
        guard let start = head.range(of: "dependencies: [")?.upperBound else {
            dependencies[name] = []
            return
        }
        let text = String(head[start...])
        // A product is written as its name and its package; the package is no module.
        let packages = text.components(separatedBy: "package: ").dropFirst().compactMap {
            Self.firstLiteral(Substring($0))
        }
        let products = text.components(separatedBy: ".product(name: ").dropFirst().compactMap {
            Self.firstLiteral(Substring($0))
        }
        let names = Set(Self.literals(Substring(text)))
        dependencies[name] = names.subtracting(Set(packages).subtracting(products))
    }

    private static func firstLiteral(_ text: Substring) -> String? { literals(text).first }

    private static func literals(_ text: Substring) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false).enumerated().compactMap { index, piece in
            index % 2 == 1 ? String(piece) : nil
        }
    }
}
