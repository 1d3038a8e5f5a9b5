// The worked examples of imports, references and roots: spec/policies-search.md A.13.18–22, resolved and judged.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct ResolvedExample: Sendable, CustomTestStringConvertible {
    let section: String
    let world: String
    let policy: String
    let subject: String
    let permission: Permission
    let path: String
    /// Whether the command that needs unrestricted WRITE, or partial READ, goes through.
    let isAdmitted: Bool
    var roots: [(pattern: String, policies: [String])] = []

    init(
        _ section: String, _ world: String, _ policy: String, _ subject: String, _ permission: Permission,
        _ path: String, _ isAdmitted: Bool, roots: [(pattern: String, policies: [String])] = []
    ) {
        (self.section, self.world, self.policy, self.subject) = (section, world, policy, subject)
        (self.permission, self.path, self.isAdmitted, self.roots) = (permission, path, isAdmitted, roots)
    }

    var testDescription: String { "\(section) \(subject) \(permission) \(path)" }
}

@Suite("PolicyEnforcer, resolved examples")
struct ResolvedExampleTests {
    static func importing(_ value: String) -> String {
        #"{"acme:base":{"viewer":{"s":["u:bob"],"g":{"thing:/":"R"}},"#
            + #""writer":{"s":["u:bob"],"g":{"thing:/":"W"},"i":"explicit"},"#
            + #""hid":{"s":["u:bob"],"g":{"thing:/":"WE"},"i":"never"}},"acme:p":{"imports":{"acme:base":\#(value)}}}"#
    }

    static func template(_ additions: String) -> String {
        #"{"t:roles":{"op":{\#(additions)"#
            + #""g":{"thing:/features/motor":"RW"},"r":{"thing:/features/motor/properties/cfg":"W"}}},"#
            + #""acme:p":{"imports":{"t:roles":{}},"#
            + #""op":{"ref":["t:roles op"],"s":["u:eve"],"g":{"thing:/attributes":"R"}}}}"#
    }

    static let local =
        #"{"acme:p":{"crew":{"s":["u:a","u:b"]},"read":{"ref":["crew"],"g":{"thing:/":"R"}}}}"#

    static func transitive(_ list: String) -> String {
        #"{"t:roles":{"driver":{"g":{"thing:/":"R"}}},"#
            + #""f:west":{"imports":{"t:roles":{}},"driver":{"ref":["t:roles driver"],"s":["u:alice"]}},"#
            + #""v:truck":{"imports":{"f:west":{\#(list)}}}}"#
    }

    static let rooted =
        #"{"acme:root":{"audit":{"s":["u:audit"],"g":{"thing:/":"R"}},"#
        + #""more":{"s":["u:audit"],"g":{"thing:/":"W"},"i":"explicit"},"#
        + #""less":{"s":["u:ann"],"r":{"thing:/attributes":"R"}}},"#
        + #""acme.eu:p":{"own":{"s":["u:ann"],"g":{"thing:/":"RW"}}},"acme:p":{}}"#
    static let acmeRoots: [(pattern: String, policies: [String])] = [("acme.*", ["acme:root"])]

    static let rows: [ResolvedExample] = [
        ResolvedExample("A.13.18", importing("{}"), "acme:p", "u:bob", .read, "/", true),
        ResolvedExample("A.13.18", importing("{}"), "acme:p", "u:bob", .write, "/", false),
        ResolvedExample("A.13.18", importing(#"{"entries":["writer"]}"#), "acme:p", "u:bob", .write, "/", true),
        ResolvedExample("A.13.18", importing(#"{"entries":["hid"]}"#), "acme:p", "u:bob", .write, "/", false),
        ResolvedExample("A.13.18", importing(#"{"entries":["hid"]}"#), "acme:p", "u:bob", .execute, "/", false),
        ResolvedExample(
            "A.13.19", template(#""a":["subjects"],"#), "acme:p", "u:eve", .write, "/features/motor/properties/rpm",
            true),
        ResolvedExample(
            "A.13.19", template(#""a":["subjects"],"#), "acme:p", "u:eve", .write, "/features/motor/properties/cfg",
            false),
        ResolvedExample(
            "A.13.19", template(#""a":["subjects"],"#), "acme:p", "u:eve", .write, "/features/motor", false),
        ResolvedExample("A.13.19", template(#""a":["subjects"],"#), "acme:p", "u:eve", .read, "/attributes", false),
        ResolvedExample("A.13.19", template(""), "acme:p", "u:eve", .read, "/attributes", true),
        ResolvedExample("A.13.19", template(#""a":[],"#), "acme:p", "u:eve", .read, "/", false),
        ResolvedExample("A.13.20", local, "acme:p", "u:a", .read, "/", true),
        ResolvedExample("A.13.20", local, "acme:p", "u:b", .read, "/attributes", true),
        ResolvedExample("A.13.20", local, "acme:p", "u:c", .read, "/", false),
        ResolvedExample("A.13.21", transitive(""), "v:truck", "u:alice", .read, "/", false),
        ResolvedExample(
            "A.13.21", transitive(#""transitiveImports":["t:roles"]"#), "v:truck", "u:alice", .read, "/", true),
        ResolvedExample("A.13.22", rooted, "acme.eu:p", "u:audit", .read, "/", true, roots: acmeRoots),
        ResolvedExample("A.13.22", rooted, "acme.eu:p", "u:audit", .write, "/", false, roots: acmeRoots),
        ResolvedExample("A.13.22", rooted, "acme:p", "u:audit", .read, "/", false, roots: acmeRoots),
        ResolvedExample("A.7 revokes", rooted, "acme.eu:p", "u:ann", .read, "/attributes", false, roots: acmeRoots),
        ResolvedExample("A.7 revokes", rooted, "acme.eu:p", "u:ann", .read, "/features", true, roots: acmeRoots),
    ]

    @Test("what is imported, referred to or rooted decides", arguments: rows)
    func example(_ row: ResolvedExample) throws {
        let world = try PolicyWorld(row.world)
        let rules = try row.roots.map { ($0.pattern, try $0.policies.map { try PolicyID($0) }) }
        let roots = try #require(NamespaceRoots(rules)).roots(of: try PolicyID(row.policy))
        let resolved = try world.resolved(row.policy, roots: roots.map(\.text))
        let enforcer = PolicyEnforcer(resolved, revision: 1)
        let caller = AuthorizationContext([row.subject])
        let path = try JSONPointer(parsing: row.path)
        let isAdmitted =
            row.permission == .read
            ? enforcer.isPartial(.read, .thing, path, subjects: caller, namespace: "acme")
            : enforcer.isUnrestricted(row.permission, .thing, path, subjects: caller, namespace: "acme")
        #expect(isAdmitted == row.isAdmitted)
    }

    @Test("A.13.22: rooted entries are labelled, and the stored policy stays as it is")
    func labels() throws {
        let world = try PolicyWorld(Self.rooted)
        let resolved = try world.resolved("acme.eu:p", roots: ["acme:root"])
        #expect(
            resolved.entries.map(\.entry.label) == ["own", "nsimported-acme:root-audit", "nsimported-acme:root-less"])
    }

    static let orders: [(String, [String])] = [
        ("a.b:p", ["r:exact", "r:longer", "r:shorter", "r:all", "r:last"]),
        ("a.b.c:p", ["r:deep", "r:longer", "r:shorter", "r:all", "r:last"]),
        ("a:p", ["r:all", "r:last"]), ("r:all", ["r:last"]), ("z:p", ["r:all", "r:last"]),
    ]

    @Test("A.7: exact patterns first, then longer prefixes, then any; each root once")
    func order() throws {
        let rules = [
            ("*", ["r:all", "r:last"]), ("a.*", ["r:shorter", "r:longer"]), ("a.b.*", ["r:deep", "r:longer"]),
            ("a.b", ["r:exact", "r:longer"]),
        ]
        let roots = try #require(NamespaceRoots(try rules.map { ($0.0, try $0.1.map { try PolicyID($0) }) }))
        for (policy, expected) in Self.orders {
            #expect(roots.roots(of: try PolicyID(policy)).map(\.text) == expected, "\(policy)")
        }
    }

    @Test("A.7: other patterns are refused", arguments: ["", "**", "a*", "*.a", ".*", "a.*.b", "a b", "a:b"])
    func pattern(_ text: String) {
        #expect(NamespaceRoots([(text, [])]) == nil)
    }
}
