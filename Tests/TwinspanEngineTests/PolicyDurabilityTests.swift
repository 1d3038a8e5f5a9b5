import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// What becomes of changes of parts when the process ends at once: the journal alone makes the same policy.
@Suite("Durability of policies")
struct PolicyDurabilityTests {
    /// One change of every kind that the table of §6.3 has, in an order in which all are accepted.
    static let changes: [(path: String, value: String?)] =
        PolicyPartTests.rows.filter { $0.path != "/entries" }.map { ($0.path, $0.value) } + [
            ("/entries/e/subjects/https://iss.org/y:s/1/", nil), ("/entries/e/resources/own:/", nil),
            ("/entries/e/allowedAdditions", nil), ("/entries/plain/references", nil), ("/imports/n:free", nil),
            ("/entries/日本", nil), ("/imports", nil), ("/imports/n:last", #"{"entries":["x"]}"#),
        ]

    @Test("a stop without rows, and the journal rebuilds every part", arguments: [true, false])
    func reopen(writesRows: Bool) throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let inner = try SQLiteStore(directory: directory.path, durability: .os)
        let first = try EngineRig(store: FaultyStore(inner))
        try first.makeImported()
        try first.policy(.create, "n:p", PolicySample.rich)
        for (path, value) in Self.changes {
            first.clock.advance(by: .seconds(1))
            try first.policy(value == nil ? .delete : .modify, "n:p", value, at: path)
        }
        let id = try PolicyID("n:p")
        let live = try Self.state(first, id)
        #expect(live.revision == Int64(Self.changes.count + 1))
        if !writesRows { first.store.state.update { $0.isDead = true } }
        first.engine.stop()

        let second = try EngineRig(store: FaultyStore(inner))
        let read = try second.policy(.retrieve, "n:p", fields: "_revision,_created,_modified,imports,entries")
        #expect(read.revision == live.revision)
        #expect(read.value?.value.object?["_modified"]?.string == live.modified.iso8601)
        let reopened = try Self.state(second, id)
        #expect(reopened.text == live.text)
        #expect((reopened.created, reopened.modified) == (live.created, live.modified))
        var replay = Replay(store: EmptyStore())
        var revisions: [Int64] = []
        for record in try inner.journal(after: 0, limit: .max) {
            try replay.apply(record)
            if case .policy(let event) = record.content, event.policyID == id { revisions.append(event.revision) }
        }
        #expect(revisions == Array(1...live.revision))
        let rebuilt = try #require(replay.rows(cursor: 0).policies.first { $0.id == id }?.state)
        #expect(rebuilt.text == live.text)
        #expect((rebuilt.revision, rebuilt.created, rebuilt.modified) == (live.revision, live.created, live.modified))
        second.engine.stop()
    }

    @Test("a deleted policy goes on counting when it is made again, across a restart")
    func tombstone() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let inner = try SQLiteStore(directory: directory.path, durability: .os)
        let first = try EngineRig(store: FaultyStore(inner))
        try first.policy(.create, "n:p", Sample.policy())
        try first.policy(.modify, "n:p", "{}", at: "/entries/x")
        #expect(try first.policy(.delete, "n:p").revision == 3)
        first.engine.stop()
        let second = try EngineRig(store: FaultyStore(inner))
        expectPolicyError("policies:policy.notfound", 404) { try second.policy(.retrieve, "n:p", at: "/entries/x") }
        #expect(try second.policy(.modify, "n:p", Sample.policy()).revision == 4)
        expectPolicyError("policies:entry.notfound", 404) { try second.policy(.retrieve, "n:p", at: "/entries/x") }
        second.engine.stop()
    }

    static let contradictions: [(action: ThingEvent.Action, path: String, value: String?)] = [
        (.modified, "/entries/none/subjects", "{}"), (.created, "/entries/none/subjects/u:x", #"{"type":"t"}"#),
        (.deleted, "/entries/none/references", nil), (.modified, "/imports/n:x/entries", "[]"),
        (.modified, "/entries/E0", nil), (.modified, "/", nil), (.merged, "/entries/E0", "{}"), (.merged, "/", "{}"),
        (.modified, "/entries/E0/importable", "1"),
    ]

    @Test("a record that cannot follow is called inconsistent", arguments: contradictions)
    func contradiction(action: ThingEvent.Action, path: String, value: String?) throws {
        let id = try PolicyID("n:p")
        var event = PolicyEvent(
            policyID: id, action: .created, value: JSONText(try json(Sample.policy())), revision: 1,
            timestamp: Timestamp(milliseconds: 0))
        let state = try PolicyState.never.applying(event)
        event = PolicyEvent(
            policyID: id, action: action, path: try JSONPointer(policyPath: path),
            value: try value.map { JSONText(try json($0)) }, revision: 2, timestamp: Timestamp(milliseconds: 1))
        #expect(throws: InconsistentEvent.self) { try state.applying(event) }
        event.revision = 3
        #expect(throws: InconsistentEvent.self) { try state.applying(event) }
    }

    private static func state(_ rig: EngineRig, _ id: PolicyID) throws -> PolicyState {
        try #require(
            rig.engine.policies.content.withLock { content in
                content.cache.slot(of: id).map { content.cache[$0].state }
            })
    }
}
