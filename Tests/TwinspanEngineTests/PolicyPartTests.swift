import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

/// Modify and delete of the resources below a policy: the table of spec/protocol.md §6.3.
@Suite("Parts of a policy")
struct PolicyPartTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        let value: String
        let status: Int
        /// What is stored when it differs from what was sent.
        let stored: String
        var testDescription: String { "\(path) := \(value) → \(status)" }
        init(_ path: String, _ value: String, _ status: Int, stored: String? = nil) {
            (self.path, self.value, self.status, self.stored) = (path, value, status, stored ?? value)
        }
    }

    static let entry = #"{"subjects":{"u:n":{"type":""}},"resources":{},"importable":"never"}"#
    static let both = #"{"grant":["READ"],"revoke":["EXECUTE"]}"#

    static let rows: [Row] = [
        Row(
            "/entries", #"{"owner":\#(entry)}"#, 204),
        Row("/entries", "{}", 204),
        Row("/entries/plain", entry, 204), Row("/entries/new", entry, 201),
        Row("/entries/日本", "{}", 201, stored: #"{"subjects":{},"resources":{},"importable":"implicit"}"#),
        Row(
            "/entries/new", #"{"x":1,"_y":2,"namespaces":["a","a"],"references":[]}"#, 201,
            stored: #"{"subjects":{},"resources":{},"namespaces":["a"],"importable":"implicit"}"#),
        Row("/entries/e/subjects", #"{"u:n":{"type":"t"}}"#, 204), Row("/entries/e/subjects", "{}", 204),
        Row("/entries/e/subjects/test:b", #"{"type":"changed"}"#, 204),
        Row("/entries/e/subjects/u:new", #"{"type":"t"}"#, 201),
        Row("/entries/e/subjects/https://iss.org/x:s/1", #"{"type":"changed"}"#, 204),
        Row("/entries/e/subjects/https://iss.org/y:s/1/", #"{"type":"t"}"#, 201),
        Row("/entries/e/resources", #"{"thing:/":\#(both)}"#, 204), Row("/entries/e/resources", "{}", 204),
        Row("/entries/e/resources/thing:/attributes/a", both, 204),
        Row("/entries/e/resources/thing:/attributes", both, 201), Row("/entries/e/resources/own:/", both, 201),
        Row("/entries/e/resources/thing:/", "{}", 201, stored: #"{"grant":[],"revoke":[]}"#),
        Row("/entries/e/namespaces", #"["c.*","d"]"#, 204), Row("/entries/e/namespaces", "[]", 204),
        Row("/entries/plain/namespaces", #"["c.*","c.*"]"#, 204, stored: #"["c.*"]"#),
        Row("/entries/e/importable", #""never""#, 204), Row("/entries/plain/importable", #""explicit""#, 204),
        Row("/entries/e/allowedAdditions", "[]", 204),
        Row("/entries/plain/allowedAdditions", #"["resources","namespaces"]"#, 204),
        Row("/entries/plain/references", #"[{"entry":"t"}]"#, 201), Row("/entries/plain/references", "[]", 204),
        Row("/entries/e/references", #"[{"entry":"plain"}]"#, 204), Row("/entries/e/references", "[]", 204),
        Row("/imports", #"{"n:base":{"entries":["L","M"]}}"#, 204),
        Row("/imports/n:free", #"{"entries":["x"]}"#, 204), Row("/imports/n:new", "{}", 201),
        Row(
            "/imports/n:new", #"{"transitiveImports":["n:x"]}"#, 201,
            stored: #"{"entries":[],"transitiveImports":["n:x"]}"#),
        Row("/imports/n:base/entries", #"["L","M",3]"#, 204, stored: #"["L","M"]"#),
        Row("/imports/n:free/entries", "[]", 204),
        Row("/imports/n:base/transitiveImports", #"["n:x"]"#, 204),
        Row("/imports/n:free/transitiveImports", "[]", 204),
    ]

    @Test("a part is modified or created, with its event, and nothing else changes", arguments: rows)
    func modify(row: Row) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let pointer = try JSONPointer(policyPath: row.path)
        let before = try #require(try fixture.policy())
        let response = try fixture.rig.policy(.modify, "n:p", row.value, at: row.path)
        let stored = try json(row.stored)
        #expect(response.status == row.status)
        #expect(response.action == .modify)
        #expect(response.revision == 2)
        #expect(response.value?.value == (row.status == 201 ? .some(stored) : .none))
        #expect(response.etag?.hasPrefix("\"hash:") == true)
        let event = try #require(try fixture.newestPolicyEvent())
        let isCreated = row.status == 201 && pointer.last != "references"
        #expect(event.action == (isCreated ? .created : .modified))
        #expect(event.path == pointer)
        #expect(event.value?.value == stored)
        #expect((event.revision, event.timestamp) == (2, fixture.rig.clock.now))
        // An emptied policy is nobody's: whatever it says is then read from the state.
        let after = try #require(try Self.state(fixture).text)
        var expected = before
        if !stored.isEmptyList(ofDefaultAt: pointer) { expected.set(stored, at: pointer) }
        if pointer.last == "references", stored.array?.isEmpty == true { expected.remove(at: pointer) }
        if pointer.last == "transitiveImports", before.value(at: pointer) == nil, pointer.segments[1] == "n:free" {
            expected.set(.array([]), at: JSONPointer(segments: ["imports", "n:free", "entries"]))
        }
        #expect(after.value == expected)
        guard pointer.segments != ["entries"] else { return }
        let read = try fixture.rig.policy(.retrieve, "n:p", at: row.path)
        #expect(read.value?.value == stored)
        #expect(read.etag == response.etag)
    }

    static func state(_ fixture: EngineFixture) throws -> PolicyState {
        let id = try PolicyID("n:p")
        return try #require(
            fixture.rig.engine.policies.content.withLock { content in
                content.cache.slot(of: id).map { content.cache[$0].state }
            })
    }

    static let deletions: [(path: String, absent: String)] = [
        ("/entries/plain", "policies:entry.notfound"), ("/entries/e", "policies:entry.notfound"),
        ("/entries/e/subjects/test:b", "policies:subject.notfound"),
        ("/entries/e/subjects/https://iss.org/x:s/1", "policies:subject.notfound"),
        ("/entries/e/resources/thing:/attributes/a", "policies:resource.notfound"),
        ("/imports/n:free", "policies:import.notfound"),
    ]

    @Test("a part is deleted once", arguments: deletions)
    func delete(path: String, absent: String) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let pointer = try JSONPointer(policyPath: path)
        var expected = try #require(try fixture.policy())
        expected.remove(at: pointer)
        let response = try fixture.rig.policy(.delete, "n:p", at: path)
        #expect((response.status, response.revision, response.etag) == (204, 2, nil))
        #expect(response.value == nil)
        let event = try #require(try fixture.newestPolicyEvent())
        #expect((event.action, event.path, event.value, event.revision) == (.deleted, pointer, nil, 2))
        #expect(try fixture.policy() == expected)
        expectPolicyError(absent, 404) { try fixture.rig.policy(.delete, "n:p", at: path) }
        expectPolicyError(absent, 404) { try fixture.rig.policy(.retrieve, "n:p", at: path) }
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 2)
    }

    @Test("lists that mean something when absent are deleted as often as one likes")
    func deleteLists() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let path = "/entries/e/allowedAdditions"
        try fixture.rig.policy(.modify, "n:p", "[]", at: path)
        let denied = try fixture.rig.policy(.retrieve, "n:p", at: path)
        #expect(try fixture.rig.policy(.delete, "n:p", at: path).status == 204)
        let unset = try fixture.rig.policy(.retrieve, "n:p", at: path)
        #expect(denied.value?.value == [] && unset.value?.value == [])
        #expect(denied.etag != unset.etag)
        #expect(try fixture.rig.policy(.delete, "n:p", at: path).status == 204)
        #expect(try fixture.rig.policy(.delete, "n:p", at: "/entries/e/references").status == 204)
        #expect(try fixture.rig.policy(.retrieve, "n:p", at: "/entries/e/references").value?.value == [])
        #expect(try fixture.rig.policy(.delete, "n:p", at: "/entries/e/references").revision == 6)
    }

    @Test("all imports are deleted at once, and come back with the first")
    func imports() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        try fixture.rig.policy(.delete, "n:p", at: "/entries/e/references")
        #expect(try fixture.rig.policy(.delete, "n:p", at: "/imports").status == 204)
        for action in [PolicyCommand.Action.delete, .retrieve] {
            expectPolicyError("policies:imports.notfound", 404) {
                try fixture.rig.policy(action, "n:p", at: "/imports")
            }
        }
        #expect(try fixture.rig.policy(.modify, "n:p", "{}", at: "/imports/n:x").status == 201)
        #expect(try fixture.rig.policy(.retrieve, "n:p", at: "/imports").value?.value == ["n:x": [:]])
        #expect(try fixture.rig.policy(.delete, "n:p", at: "/imports").revision == 5)
        #expect(try fixture.rig.policy(.modify, "n:p", "{}", at: "/imports").status == 204)
        #expect(try fixture.rig.policy(.retrieve, "n:p", at: "/imports").value?.value == [:])
    }

    @Test("a subject's expiry is stored at the next full hour")
    func expiry() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let rows = [
            ("2030-01-01T10:00:00Z", "2030-01-01T10:00:00Z"), ("2030-01-01T10:00:00.001Z", "2030-01-01T11:00:00Z"),
            ("2030-12-31T23:59:59Z", "2031-01-01T00:00:00Z"), ("2030-01-01T10:00:00+01:30", "2030-01-01T09:00:00Z"),
        ]
        for (given, stored) in rows {
            let subject = #"{"type":"t","expiry":"\#(given)"}"#
            try fixture.rig.policy(.modify, "n:p", subject, at: "/entries/e/subjects/u:x")
            let read = try fixture.rig.policy(.retrieve, "n:p", at: "/entries/e/subjects/u:x")
            #expect(read.value?.value.object?["expiry"]?.string == stored)
        }
        // The last one has passed, but the hour it is rounded to has not.
        fixture.rig.clock.setNow(1_700_000_000_000)  // 22:13:20
        let late = #"{"type":"t","expiry":"2023-11-14T22:01:00Z"}"#
        #expect(try fixture.rig.policy(.modify, "n:p", late, at: "/entries/e/subjects/u:x").status == 204)
    }
}

extension JSONValue {
    /// Whether this is an empty list that the canonical form leaves out.
    fileprivate func isEmptyList(ofDefaultAt pointer: JSONPointer) -> Bool {
        array?.isEmpty == true && (pointer.last == "references" || pointer.last == "transitiveImports")
    }
}
