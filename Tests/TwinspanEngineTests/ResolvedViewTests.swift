import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol
import TwinspanTestSupport

/// `policy-view: resolved` (spec/policies-search.md A.1.3, part H).
@Suite("Resolved view of a policy")
struct ResolvedViewTests {
    static let resolved = ["policy-view": " RESOLVED "]

    /// `n:p` imports `n:a` and through it `n:b`, refers to `n:a`, and stands under `r:root`.
    private static func fixture(
        readingBase: [String: String] = ["policy:/": "R"], own: [String: String] = ["policy:/": "R"]
    ) throws -> EngineFixture {
        let fixture = try EngineFixture(settings: try ResolvedAccessTests.rooted([("n", ["r:root"])]))
        let rig = fixture.rig
        let reader = WrittenPolicy.entry(["test:b"], readingBase, #""importable":"never""#)
        let open = WrittenPolicy.entry(["test:b"], ["policy:/": "R"], #""importable":"never""#)
        try rig.policy(
            .create, "n:b", WrittenPolicy.text([("deep", WrittenPolicy.entry(["u:deep"])), ("r", open)]))
        try rig.policy(
            .create, "n:a",
            WrittenPolicy.text(
                [("role", WrittenPolicy.entry(["u:role"], ["thing:/": "R"])), ("r", reader)],
                imports: #"{"n:b":{}}"#))
        try rig.policy(
            .create, "r:root", WrittenPolicy.text([("audit", WrittenPolicy.entry(["u:audit"])), ("r", open)]))
        try rig.policy(
            .create, "n:p",
            WrittenPolicy.text(
                [
                    ("mine", WrittenPolicy.entry(["u:mine"], [:], #""references":[{"import":"n:a","entry":"role"}]"#)),
                    ("r", WrittenPolicy.entry(["test:b"], own)),
                ], imports: #"{"n:a":{"transitiveImports":["n:b"]}}"#))
        return fixture
    }

    private static func labels(_ value: JSONText?) -> [String] {
        value?.value.object?["entries"]?.object?.members.map(\.key) ?? []
    }

    @Test("own entries come merged, then the imported ones, then those of the namespace roots")
    func merged() throws {
        let fixture = try Self.fixture()
        let read = try fixture.rig.policy(.retrieve, "n:p", headers: Self.resolved)
        #expect(
            Self.labels(read.value) == [
                "owner", "mine", "r", "imported-n:a-role", "imported-n:a-imported-n:b-deep", "nsimported-r:root-audit",
            ])
        let entries = try #require(read.value?.value.object?["entries"]?.object)
        #expect(entries["mine"]?.object?["subjects"]?.object?.members.map(\.key) == ["u:role", "u:mine"])
        #expect(entries["mine"]?.object?["resources"]?.object?["thing:/"] != nil)
        #expect(entries["imported-n:a-role"]?.object?["references"] == nil)
        let original = try fixture.rig.policy(.retrieve, "n:p")
        #expect(
            read.value?.value.object?.members.map(\.key) == original.value?.value.object?.members.map(\.key))
        #expect((read.etag, read.revision) == (nil, 1))
        #expect(Self.labels(original.value) == ["owner", "mine", "r"], "the original is as it was stored")
    }

    @Test("an entry is dropped for whoever may not read it where it comes from; what is merged is withheld too")
    func sources() throws {
        let stranger = AuthorizationContext(["test:b"])
        let own = ["owner", "mine", "r"]
        let rows: [([String: String], [String], isMerged: Bool)] = [
            (
                ["policy:/": "R"],
                own + ["imported-n:a-role", "imported-n:a-imported-n:b-deep", "nsimported-r:root-audit"], true
            ),
            (["policy:/imports": "R"], own + ["imported-n:a-imported-n:b-deep", "nsimported-r:root-audit"], false),
            (
                ["policy:/entries/role/subjects": "R"],
                own + ["imported-n:a-role", "imported-n:a-imported-n:b-deep", "nsimported-r:root-audit"], false
            ),
            (
                ["policy:/": "R", "policy:/entries/role": "-R"],
                own + ["imported-n:a-imported-n:b-deep", "nsimported-r:root-audit"], false
            ),
        ]
        for (rights, labels, isMerged) in rows {
            let fixture = try Self.fixture(readingBase: rights)
            let read = try fixture.rig.policy(.retrieve, "n:p", headers: Self.resolved, as: stranger)
            #expect(Self.labels(read.value) == labels, "\(rights)")
            let entries = read.value?.value.object?["entries"]?.object
            #expect((entries?["mine"]?.object?["resources"]?.object?["thing:/"] != nil) == isMerged, "\(rights)")
            if rights["policy:/entries/role/subjects"] != nil {
                #expect(entries?["imported-n:a-role"]?.object?.members.map(\.key) == ["subjects"])
            }
        }
    }

    @Test("the READ filter of the policy itself cuts the view")
    func filtered() throws {
        let stranger = AuthorizationContext(["test:b"])
        let fixture = try Self.fixture(
            own: ["policy:/entries/r": "R", "policy:/entries/imported-n:a-role/subjects": "R"])
        let read = try fixture.rig.policy(.retrieve, "n:p", headers: Self.resolved, as: stranger)
        #expect(read.value?.value.object?.members.map(\.key) == ["policyId", "entries"])
        #expect(Self.labels(read.value) == ["r", "imported-n:a-role"])
        #expect(
            read.value?.value.object?["entries"]?.object?["imported-n:a-role"] == [
                "subjects": ["u:role": ["type": "t"]]
            ])
        let hidden = try Self.fixture(own: [:])
        expectPolicyError("policies:policy.notfound", 404) {
            try hidden.rig.policy(.retrieve, "n:p", headers: Self.resolved, as: stranger)
        }
    }

    @Test("fields select from the merged document, special ones too; conditional headers are not even read")
    func fields() throws {
        let fixture = try Self.fixture()
        let read = try fixture.rig.policy(
            .retrieve, "n:p", headers: Self.resolved,
            fields: "_revision,entries/imported-n:a-role/importable,entries/nsimported-r:root-audit/subjects")
        #expect(
            read.value?.value == [
                "entries": [
                    "imported-n:a-role": ["importable": "implicit"],
                    "nsimported-r:root-audit": ["subjects": ["u:audit": ["type": "t"]]],
                ], "_revision": 1,
            ])
        for (name, text) in [("if-match", "x"), ("if-match", "\"rev:9\""), ("if-none-match", "*"), ("if-equal", "?")] {
            let headers = Self.resolved.merging([name: text]) { $1 }
            #expect(try fixture.rig.policy(.retrieve, "n:p", headers: headers).status == 200)
        }
    }

    @Test("parts are not touched by the view, unknown policies are not found, unknown views are refused")
    func others() throws {
        let fixture = try Self.fixture()
        let part = try fixture.rig.policy(.retrieve, "n:p", at: "/entries", headers: Self.resolved)
        #expect(part.value?.value.object?.members.map(\.key) == ["owner", "mine", "r"])
        #expect(part.etag != nil)
        expectPolicyError("policies:policy.notfound", 404) {
            try fixture.rig.policy(.retrieve, "n:none", headers: Self.resolved)
        }
        for view in ["effective", "resolved,original"] {
            expectPolicyError("policies:view.invalid", 400) {
                try fixture.rig.policy(.retrieve, "n:p", headers: ["policy-view": view])
            }
        }
    }

    @Test("the view follows every change of what it shows")
    func changes() throws {
        let fixture = try Self.fixture()
        func labels() throws -> [String] {
            Self.labels(try fixture.rig.policy(.retrieve, "n:p", headers: Self.resolved).value)
        }
        try fixture.rig.policy(.modify, "n:a", #""never""#, at: "/entries/role/importable")
        #expect(try labels().contains("imported-n:a-role") == false)
        try fixture.rig.policy(.delete, "n:b")
        try fixture.rig.policy(.delete, "r:root")
        #expect(try labels() == ["owner", "mine", "r"])
    }
}
