import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Who may read and change which part of a policy (spec/policies-search.md A.3.2, A.3.3), and what is read.
@Suite("Access to policies")
struct PolicyAccessTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        /// A legal value.
        let value: String
        /// The code without `policies:` and without `.notfound`, `.notmodifiable`.
        let code: String
        var testDescription: String { path }
        init(_ path: String, _ value: String, _ code: String) {
            (self.path, self.value, self.code) = (path, value, code)
        }
    }

    static let rows: [Row] = [
        Row("/", #"{"entries":{}}"#, "policy"), Row("/entries", "{}", "policy"), Row("/entries/plain", "{}", "entry"),
        Row("/entries/new", "{}", "entry"), Row("/entries/e/subjects", "{}", "subjects"),
        Row("/entries/e/subjects/test:b", #"{"type":"u"}"#, "subject"),
        Row("/entries/e/subjects/https://iss.org/x:s/1", #"{"type":"u"}"#, "subject"),
        Row("/entries/e/resources", "{}", "resources"),
        Row("/entries/e/resources/thing:/attributes/a", "{}", "resource"),
        Row("/entries/e/namespaces", "[]", "entry"), Row("/entries/e/importable", #""implicit""#, "entry"),
        Row("/entries/e/allowedAdditions", "[]", "entry"), Row("/entries/e/references", "[]", "entry"),
        Row("/imports", #"{"n:base":{"entries":["L"]}}"#, "imports"), Row("/imports/n:free", "{}", "import"),
        Row("/imports/n:base/entries", #"["L"]"#, "import"), Row("/imports/n:base/transitiveImports", "[]", "import"),
    ]

    private static let deletable: Set<String> = [
        "/", "/entries/plain", "/entries/e/subjects/test:b", "/entries/e/subjects/https://iss.org/x:s/1",
        "/entries/e/resources/thing:/attributes/a", "/entries/e/allowedAdditions", "/entries/e/references", "/imports",
        "/imports/n:free",
    ]

    /// The rich policy with what `test:x` may.
    private static func granting(_ permissions: String, at path: String) throws -> String {
        var policy = try json(PolicySample.rich)
        policy.set(
            try json(
                #"{"subjects":{"test:x":{"type":"t"}},"resources":{"policy:\#(path)":{"grant":[\#(permissions)]}}}"#),
            at: JSONPointer(segments: ["entries", "x"]))
        return policy.text
    }

    @Test(
        "without WRITE a change is refused, without READ nothing is found, by the code of the resource", arguments: rows
    )
    func strangers(row: Row) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(try Self.granting(#""READ""#, at: "/entries/t"))
        for subject in ["test:stranger", "test:x"] {
            let context = AuthorizationContext([subject])
            expectPolicyError("policies:\(row.code).notmodifiable", 403) {
                try fixture.rig.policy(.modify, "n:p", row.value, at: row.path, as: context)
            }
            if Self.deletable.contains(row.path) {
                expectPolicyError("policies:\(row.code).notmodifiable", 403) {
                    try fixture.rig.policy(.delete, "n:p", at: row.path, as: context)
                }
            }
            guard subject == "test:stranger" || !["/", "/entries"].contains(row.path) else { continue }
            expectPolicyError("policies:\(row.code).notfound", 404) {
                try fixture.rig.policy(.retrieve, "n:p", at: row.path, as: context)
            }
        }
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
    }

    @Test("WRITE on the resource is enough to change it, READ to read it", arguments: rows)
    func permitted(row: Row) throws {
        // A path with two slashes in a row cannot be addressed by a resource key.
        guard !row.path.contains("//"), row.path != "/", row.path != "/entries" else { return }
        let fixture = try EngineFixture()
        let context = AuthorizationContext(["test:x"])
        try fixture.makePolicy(try Self.granting(#""WRITE""#, at: row.path))
        #expect(try fixture.rig.policy(.modify, "n:p", row.value, at: row.path, as: context).status < 300)
        expectPolicyError("policies:\(row.code).notfound", 404) {
            try fixture.rig.policy(.retrieve, "n:p", at: row.path, as: context)
        }
        if Self.deletable.contains(row.path), row.path != "/imports" {
            #expect(try fixture.rig.policy(.delete, "n:p", at: row.path, as: context).status == 204)
        }
        expectPolicyError("policies:policy.notmodifiable", 403) {
            try fixture.rig.policy(.modify, "n:p", #"{"entries":{}}"#, as: context)
        }
        let other = try EngineFixture()
        try other.makePolicy(try Self.granting(#""READ""#, at: row.path))
        guard row.path != "/entries/new" else { return }
        #expect(try other.rig.policy(.retrieve, "n:p", at: row.path, as: context).status == 200)
    }

    @Test("a reader gets the part that he may read")
    func partial() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(try Self.granting(#""READ""#, at: "/entries/e/resources/thing:/attributes/a"))
        let context = AuthorizationContext(["test:x"])
        let resources: JSONValue = ["thing:/attributes/a": ["grant": ["READ"], "revoke": ["WRITE"]]]
        let rows: [(String, JSONValue)] = [
            ("/", ["policyId": "n:p", "entries": ["e": ["resources": resources]]]),
            ("/entries", ["e": ["resources": resources]]), ("/entries/e", ["resources": resources]),
            ("/entries/e/resources", resources),
        ]
        for (path, value) in rows {
            #expect(try fixture.rig.policy(.retrieve, "n:p", at: path, as: context).value?.value == value)
        }
        expectPolicyError("policies:subjects.notfound", 404) {
            try fixture.rig.policy(.retrieve, "n:p", at: "/entries/e/subjects", as: context)
        }
    }

    static let reads: [(String, String)] = [
        ("/entries/plain", #"{"subjects":{},"resources":{},"importable":"implicit"}"#),
        ("/entries/e/subjects", #"{"test:b":{"type":"t"},"https://iss.org/x:s/1":{"type":"t"}}"#),
        ("/entries/e/subjects/https://iss.org/x:s/1", #"{"type":"t"}"#),
        ("/entries/e/resources/thing:/attributes/a", #"{"grant":["READ"],"revoke":["WRITE"]}"#),
        ("/entries/e/namespaces", #"["a.b"]"#), ("/entries/e/importable", #""explicit""#),
        ("/entries/plain/importable", #""implicit""#), ("/entries/e/allowedAdditions", #"["subjects"]"#),
        ("/entries/plain/allowedAdditions", "[]"), ("/entries/plain/references", "[]"),
        ("/entries/e/references", #"[{"import":"n:base","entry":"L"},{"entry":"t"}]"#),
        ("/imports", #"{"n:base":{"entries":["L"]},"n:free":{}}"#), ("/imports/n:free", "{}"),
        ("/imports/n:base/entries", #"["L"]"#), ("/imports/n:free/entries", "[]"),
        ("/imports/n:base/transitiveImports", "[]"),
    ]

    @Test("every resource can be read, with a tag of its own", arguments: reads)
    func read(path: String, value: String) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let response = try fixture.rig.policy(.retrieve, "n:p", at: path)
        #expect((response.status, response.revision, response.action) == (200, 1, .retrieve))
        #expect(response.value?.value == (try json(value)))
        #expect(response.etag?.hasPrefix("\"hash:") == true)
    }

    static let absent: [(String, String)] = [
        ("/entries/none", "policies:entry.notfound"), ("/entries/none/subjects", "policies:entry.notfound"),
        ("/entries/none/importable", "policies:entry.notfound"),
        ("/entries/none/allowedAdditions", "policies:entry.notfound"),
        ("/entries/none/references", "policies:entry.notfound"),
        ("/entries/plain/namespaces", "policies:entry.notfound"),
        ("/entries/plain/subjects/u:x", "policies:subject.notfound"),
        ("/entries/plain/resources/thing:/", "policies:resource.notfound"),
        ("/imports/n:x", "policies:import.notfound"),
        ("/imports/n:x/entries", "policies:import.notfound"),
        ("/imports/n:x/transitiveImports", "policies:import.notfound"),
    ]

    @Test("what is not there is not found", arguments: absent)
    func notThere(path: String, code: String) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        expectPolicyError(code, 404) { try fixture.rig.policy(.retrieve, "n:p", at: path) }
    }

    @Test("fields select from the whole policy, special ones too")
    func fields() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let read = try fixture.rig.policy(
            .retrieve, "n:p", fields: "policyId,_revision,_namespace,entries/plain/importable")
        #expect(
            read.value?.value == [
                "policyId": "n:p", "_revision": 1, "_namespace": "n",
                "entries": ["plain": ["importable": "implicit"]],
            ])
    }

    @Test("the resolved view has no tag and heeds none; the original has")
    func views() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        for view in ["original", " ORIGINAL ", ""] {
            let read = try fixture.rig.policy(.retrieve, "n:p", headers: ["policy-view": view])
            #expect(read.etag == "\"rev:1\"")
        }
        let headers = ["policy-view": "Resolved", "if-none-match": "*", "if-match": "\"rev:9\""]
        let resolved = try fixture.rig.policy(.retrieve, "n:p", headers: headers)
        #expect((resolved.status, resolved.etag) == (200, nil))
        let part = try fixture.rig.policy(.retrieve, "n:p", at: "/entries/e", headers: ["policy-view": "resolved"])
        #expect(part.etag != nil)
        expectPolicyError("policies:policy.notfound", 404) {
            try fixture.rig.policy(.retrieve, "n:q", headers: headers)
        }
    }

    @Test("a failed precondition tells the present tag to those alone who may read the resource")
    func hiddenTag() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(try Self.granting(#""WRITE""#, at: "/entries/plain"))
        for (context, isTold) in [(AuthorizationContext(["test:x"]), false), (EngineRig.owner, true)] {
            do {
                try fixture.rig.policy(
                    .modify, "n:p", "{}", at: "/entries/plain", headers: ["if-match": "\"other\""], as: context)
                Issue.record("it was written")
            } catch let error as TwinspanError {
                #expect((error.code, error.status) == ("policies:precondition.failed", 412))
                #expect((error.etag != nil) == isTold)
            }
        }
    }

    @Test("the tag of a part is made of what its reader sees, and does not change with the rest")
    func tagsOfParts() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(try Self.granting(#""READ""#, at: "/entries/e/resources/thing:/attributes/a"))
        let reader = AuthorizationContext(["test:x"])
        func tag(_ path: String, _ context: AuthorizationContext) throws -> String {
            try #require(try fixture.rig.policy(.retrieve, "n:p", at: path, as: context).etag)
        }
        let (part, whole) = (try tag("/entries", reader), try tag("/entries", EngineRig.owner))
        #expect(part != whole)
        try fixture.rig.policy(.modify, "n:p", #"{"type":"another"}"#, at: "/entries/e/subjects/test:b")
        #expect(try tag("/entries", reader) == part)
        #expect(try tag("/entries", EngineRig.owner) != whole)
        expectPolicyError("policies:precondition.notmodified", 304) {
            try fixture.rig.policy(
                .retrieve, "n:p", at: "/entries", headers: ["if-none-match": part], as: reader)
        }
    }

    @Test("who may write but not read a part cannot try values by their tags")
    func guesses() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(try Self.granting(#""WRITE""#, at: "/entries/plain"))
        let writer = AuthorizationContext(["test:x"])
        let hidden = try fixture.rig.policy(.retrieve, "n:p", at: "/entries/plain").etag
        for guess in [try #require(hidden), #""hidden""#] {
            expectPolicyError("policies:precondition.failed", 412) {
                try fixture.rig.policy(
                    .modify, "n:p", "{}", at: "/entries/plain", headers: ["if-match": guess], as: writer)
            }
        }
        let written = try fixture.rig.policy(
            .modify, "n:p", "{}", at: "/entries/plain", headers: ["if-match": "*"], as: writer)
        #expect(written.status == 204)
    }
}
