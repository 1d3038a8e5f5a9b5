import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@Suite("Policies of files")
struct PolicySeedTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)
    private static let owner = """
        "owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{"policy:/":{"grant":["READ","WRITE"]}}}
        """

    /// A policy, and the one problem it has.
    struct Row: Sendable, CustomStringConvertible {
        var description: String
        /// The path, with a `!` behind it when its key is meant.
        var at: String
        /// A part of the message.
        var says: String
        var json: String
        var isError = true

        init(_ name: String, at path: String, _ says: String, warns: Bool = false, _ json: String) {
            description = name
            at = path
            self.says = says
            self.json = json
            isError = !warns
        }
    }

    private static func entry(_ parts: String) -> String {
        #"{"policyId":"n:p","entries":{\#(owner),"e":{\#(parts)}}}"#
    }
    private static func imports(_ imports: String) -> String {
        #"{"policyId":"n:p","imports":\#(imports),"entries":{}}"#
    }
    private static func subject(_ id: String, _ value: String) -> String {
        entry(#""subjects":{"\#(id)":\#(value)},"resources":{}"#)
    }
    private static func resource(_ key: String, _ value: String) -> String {
        entry(#""subjects":{},"resources":{"\#(key)":\#(value)}"#)
    }
    private static let many = (0..<11).map { #""n:i\#($0)":{}"# }.joined(separator: ",")

    // A.1.1, A.6, A.9: every rule that reading can break.
    static let rows: [Row] = [
        Row("no object", at: "/", "json.invalid", "[]"),
        Row("no id", at: "/", "no 'policyId'", #"{"entries":{\#(owner)}}"#),
        Row("a bad id", at: "/policyId", "policies:id.invalid", #"{"policyId":"p","entries":{\#(owner)}}"#),
        Row("an id of another kind", at: "/policyId", "id.invalid", #"{"policyId":7,"entries":{\#(owner)}}"#),
        Row("no entries", at: "/", "json.field.missing", #"{"policyId":"n:p"}"#),
        Row("entries of another kind", at: "/entries", "must be an object", #"{"policyId":"n:p","entries":[]}"#),
        Row(
            "an unknown key", at: "/entires!", "unknown key 'entires'", warns: true,
            #"{"policyId":"n:p","entires":{},"entries":{\#(owner)}}"#),
        Row(
            "nobody who can write it", at: "/entries", "policy.modificationinvalid", #"{"policyId":"n:p","entries":{}}"#
        ),
        Row(
            "an owner for a while", at: "/entries", "policy.modificationinvalid",
            #"{"policyId":"n:p","entries":{"e":{"subjects":{"a:b":{"type":"t","expiry":"2099-01-01T00:00:00Z"}},"#
                + #""resources":{"policy:/":{"grant":["WRITE"]}}}}}"#),
        Row(
            "a reserved label", at: "/entries/importedX!", "policies:label.invalid",
            #"{"policyId":"n:p","entries":{\#(owner),"importedX":{"subjects":{},"resources":{}}}}"#),
        Row(
            "a label with a slash", at: "/entries/a/b!", "policies:entry.invalid",
            #"{"policyId":"n:p","entries":{\#(owner),"a/b":{"subjects":{},"resources":{}}}}"#),
        Row(
            "an entry of another kind", at: "/entries/e", "must be an object",
            #"{"policyId":"n:p","entries":{\#(owner),"e":5}}"#),
        Row(
            "an unknown key of an entry", at: "/entries/e/subject!", "unknown key", warns: true, entry(#""subject":{}"#)
        ),
        Row("subjects of another kind", at: "/entries/e/subjects", "must be an object", entry(#""subjects":[]"#)),
        Row(
            "no colon", at: "/entries/e/subjects/ditto!", "policies:subjectid.invalid",
            subject("ditto", #"{"type":"t"}"#)),
        Row("no subject", at: "/entries/e/subjects/nginx:!", "subjectid.invalid", subject("nginx:", #"{"type":"t"}"#)),
        Row(
            "a placeholder", at: "/entries/e/subjects/{{ request:subjectId }}!", "no caller",
            subject("{{ request:subjectId }}", #"{"type":"t"}"#)),
        Row("a subject of another kind", at: "/entries/e/subjects/a:b", "must be an object", subject("a:b", "true")),
        Row("no type", at: "/entries/e/subjects/a:b", "no 'type'", subject("a:b", "{}")),
        Row(
            "a type of another kind", at: "/entries/e/subjects/a:b/type", "json.invalid", subject("a:b", #"{"type":1}"#)
        ),
        Row(
            "an unknown key of a subject", at: "/entries/e/subjects/a:b/expires!", "unknown key", warns: true,
            subject("a:b", #"{"type":"t","expires":"2099-01-01T00:00:00Z"}"#)),
        Row(
            "an expiry that is none", at: "/entries/e/subjects/a:b/expiry", "policies:subjectexpiry.invalid",
            subject("a:b", #"{"type":"t","expiry":"soon"}"#)),
        Row(
            "an expiry that has passed", at: "/entries/e/subjects/a:b/expiry", "has passed", warns: true,
            subject("a:b", #"{"type":"t","expiry":"2020-01-01T00:00:00Z"}"#)),
        Row(
            "an announcement that is none", at: "/entries/e/subjects/a:b/announcement", "subjectannouncement.invalid",
            subject("a:b", #"{"type":"t","announcement":{"beforeExpiry":"2d"}}"#)),
        Row(
            "a resource without a type", at: "/entries/e/resources/features!", "json.invalid",
            resource("features", "{}")),
        Row(
            "a resource without a slash", at: "/entries/e/resources/thing:a!", "json.invalid", resource("thing:a", "{}")
        ),
        Row(
            "a resource with two slashes", at: "/entries/e/resources/thing://!", "json.pointer.invalid",
            resource("thing://", "{}")),
        Row(
            "a resource of an unknown type", at: "/entries/e/resources/thng:/!", "nothing is decided", warns: true,
            resource("thng:/", "{}")),
        Row(
            "a resource of another kind", at: "/entries/e/resources/thing:/", "must be an object",
            resource("thing:/", "1")),
        Row(
            "an unknown key of a resource", at: "/entries/e/resources/thing://grants!", "unknown key", warns: true,
            resource("thing:/", #"{"grants":["READ"]}"#)),
        Row(
            "an unknown permission", at: "/entries/e/resources/thing://grant/1", "policies:entry.invalid",
            resource("thing:/", #"{"grant":["READ","WRIT"]}"#)),
        Row(
            "permissions of another kind", at: "/entries/e/resources/thing://revoke", "must be an array",
            resource("thing:/", #"{"revoke":"READ"}"#)),
        Row("a bad namespace", at: "/entries/e/namespaces", "policies:entry.invalid", entry(#""namespaces":["*.a"]"#)),
        Row(
            "importable is none", at: "/entries/e/importable", "policies:entry.invalid", entry(#""importable":"often""#)
        ),
        Row(
            "an unknown addition", at: "/entries/e/allowedAdditions", "policies:entry.invalid",
            entry(#""allowedAdditions":["friends"]"#)),
        Row("references of another kind", at: "/entries/e/references", "must be an array", entry(#""references":{}"#)),
        Row(
            "a reference to nothing", at: "/entries/e/references/0", "json.field.missing",
            entry(#""references":[{}]"#)),
        Row(
            "a reference to an absent entry", at: "/entries/e/references/1", "does not exist",
            entry(#""references":[{"entry":"owner"},{"entry":"x"}]"#)),
        Row(
            "a reference twice", at: "/entries/e/references/1", "given twice",
            entry(#""references":[{"entry":"owner"},{"entry":"owner"}]"#)),
        Row(
            "a reference to itself", at: "/entries/e/references/0", "entry itself",
            entry(#""references":[{"entry":"e"}]"#)),
        Row(
            "a reference to what is not imported", at: "/entries/e/references/0", "policies:import.invalid",
            entry(#""references":[{"import":"n:q","entry":"x"}]"#)),
        Row("imports of another kind", at: "/imports", "must be an object", imports("[]")),
        Row("an import of no id", at: "/imports/q!", "policies:id.invalid", imports(#"{"q":{}}"#)),
        Row("an import of itself", at: "/imports/n:p!", "policies:import.invalid", imports(#"{"n:p":{}}"#)),
        Row("an import of another kind", at: "/imports/n:q", "must be an object", imports(#"{"n:q":[]}"#)),
        Row(
            "an unknown key of an import", at: "/imports/n:q/entrys!", "unknown key", warns: true,
            imports(#"{"n:q":{"entrys":[]}}"#)),
        Row("labels of another kind", at: "/imports/n:q/entries", "json.invalid", imports(#"{"n:q":{"entries":"L"}}"#)),
        Row(
            "a transitive import of no id", at: "/imports/n:q/transitiveImports", "policies:import.invalid",
            imports(#"{"n:q":{"entries":[],"transitiveImports":["q"]}}"#)),
        Row("too many imports", at: "/imports", "policies:imports.toolarge", imports("{\(many)}")),
        Row(
            "a policy that is too large", at: "/", "policies:policy.toolarge",
            entry(#""subjects":{"a:b":{"type":"\#(String(repeating: "x", count: 110_000))"}},"resources":{}"#)),
    ]

    @Test("what is wrong is said where it is, and only errors keep a policy from being used", arguments: rows)
    func wrong(row: Row) throws {
        let (seed, problems) = PolicySeed.read(try JSONValue.parse(row.json), now: Self.now)
        let found = problems.map { "/\($0.path.joined(separator: "/"))\($0.isAboutKey ? "!" : ""): \($0.message)" }
        #expect(problems.count == 1, "\(found)")
        let problem = try #require(problems.first)
        #expect("/\(problem.path.joined(separator: "/"))\(problem.isAboutKey ? "!" : "")" == row.at)
        #expect(problem.message.contains(row.says), "\(problem.message)")
        #expect(!problem.message.hasSuffix(".") && problem.hint?.hasSuffix(".") != true)
        #expect(problem.isError == row.isError)
        #expect((seed == nil) == row.isError)
    }

    @Test("all problems are told at once")
    func all() throws {
        let json = """
            {"policyId":"p","imports":{"q":{}},"entries":{"e":{"subjects":{"x":{"type":"t"},"a:b":{}},\
            "resources":{"thing:/":{"grant":["R","W"]}},"importable":1}}}
            """
        let problems = PolicySeed.read(try JSONValue.parse(json), now: Self.now).problems
        #expect(problems.count == 7, "\(problems.map(\.message))")
    }

    @Test("a policy without owner is taken where the operator allows it, or when it imports one (A.9.3)")
    func owners() throws {
        let json = try JSONValue.parse(#"{"policyId":"n:p","entries":{}}"#)
        let access = AccessSettings(preventsLockout: false)
        #expect(PolicySeed.read(json, access: access, now: Self.now).seed != nil)
        let importing = try JSONValue.parse(#"{"policyId":"n:p","imports":{"n:q":{}},"_revision":7}"#)
        let (seed, problems) = PolicySeed.read(importing, now: Self.now)
        #expect(seed?.imports.map(\.policyID.text) == ["n:q"] && problems == [])
    }
}

@Suite("Things of files")
struct ThingSeedTests {
    static let rows: [PolicySeedTests.Row] = [
        .init("no object", at: "/", "json.invalid", "7"),
        .init("no id", at: "/", "no 'thingId'", #"{"policyId":"n:p"}"#),
        .init("a bad id", at: "/thingId", "things:id.invalid", #"{"thingId":"t","policyId":"n:p"}"#),
        .init("no policy", at: "/", "no 'policyId'", #"{"thingId":"n:t"}"#),
        .init("a bad policy", at: "/policyId", "policies:id.invalid", #"{"thingId":"n:t","policyId":null}"#),
        .init(
            "an inline policy", at: "/_policy!", "cannot bring its policy",
            #"{"thingId":"n:t","policyId":"n:p","_policy":{}}"#),
        .init(
            "a copied policy", at: "/_copyPolicyFrom!", "cannot bring its policy",
            #"{"thingId":"n:t","policyId":"n:p","_copyPolicyFrom":"n:q"}"#),
        .init(
            "an unknown key", at: "/feature!", "unknown key", warns: true,
            #"{"thingId":"n:t","policyId":"n:p","feature":{},"_revision":3}"#),
        .init(
            "a bad definition", at: "/definition", "things:definition.identifier.invalid",
            #"{"thingId":"n:t","policyId":"n:p","definition":"x"}"#),
        .init(
            "attributes of another kind", at: "/attributes", "json.invalid",
            #"{"thingId":"n:t","policyId":"n:p","attributes":[]}"#),
        .init(
            "a bad key", at: "/attributes/a/b/c!", "json.key.invalid",
            #"{"thingId":"n:t","policyId":"n:p","attributes":{"a":{"b/c":1}}}"#),
        .init(
            "features of another kind", at: "/features", "json.invalid",
            #"{"thingId":"n:t","policyId":"n:p","features":1}"#),
        .init(
            "a bad feature id", at: "/features/a/b!", "json.key.invalid",
            #"{"thingId":"n:t","policyId":"n:p","features":{"a/b":{}}}"#),
        .init(
            "a feature of another kind", at: "/features/a", "json.invalid",
            #"{"thingId":"n:t","policyId":"n:p","features":{"a":[]}}"#),
        .init(
            "an unknown key of a feature", at: "/features/a/property!", "unknown key", warns: true,
            #"{"thingId":"n:t","policyId":"n:p","features":{"a":{"property":{}}}}"#),
        .init(
            "an empty feature definition", at: "/features/a/definition", "definition",
            #"{"thingId":"n:t","policyId":"n:p","features":{"a":{"definition":[]}}}"#),
        .init(
            "properties of another kind", at: "/features/a/properties", "json.invalid",
            #"{"thingId":"n:t","policyId":"n:p","features":{"a":{"properties":1}}}"#),
        .init(
            "metadata of another kind", at: "/_metadata", "json.invalid",
            #"{"thingId":"n:t","policyId":"n:p","_metadata":1}"#),
        .init(
            "a thing that is too large", at: "/", "things:thing.toolarge",
            #"{"thingId":"n:t","policyId":"n:p","attributes":{"a":"\#(String(repeating: "x", count: 110_000))"}}"#),
    ]

    // spec/protocol.md §1.2, §2.1–2.3.
    @Test("what is wrong is said where it is, and only errors keep a thing from being used", arguments: rows)
    func wrong(row: PolicySeedTests.Row) throws {
        let (seed, problems) = ThingSeed.read(try JSONValue.parse(row.json))
        #expect(problems.count == 1, "\(problems.map(\.message))")
        let problem = try #require(problems.first)
        #expect("/\(problem.path.joined(separator: "/"))\(problem.isAboutKey ? "!" : "")" == row.at)
        #expect(problem.message.contains(row.says), "\(problem.message)")
        #expect(problem.isError == row.isError)
        #expect((seed == nil) == row.isError)
    }
}
