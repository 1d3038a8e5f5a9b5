import Foundation
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSQLite

@Suite("Policies that are due")
struct DuePolicyTests {
    private static func policy(_ id: String, expiry: Int64?, announcement: String = "") throws -> (
        PolicyID, PolicyState
    ) {
        let expiry = expiry.map { #","expiry":"\#(Timestamp(milliseconds: $0).iso8601)"\#(announcement)"# } ?? ""
        let text = """
            {"policyId":"\(id)","entries":{"l":{"subjects":{"a:b":{"type":"t"\(expiry)}},"resources":{},
            "importable":"implicit"}}}
            """
        let policyID = try PolicyID(id)
        return (
            policyID,
            try PolicyState(
                id: policyID, revision: 1, created: Timestamp(milliseconds: 1), modified: Timestamp(milliseconds: 1),
                text: JSONText(try JSONValue.parse(text)))
        )
    }

    private static func due(
        _ store: SQLiteStore, before: Int64, limit: Int = 100, after last: DuePolicy? = nil
    ) throws -> [String] {
        try store.policiesDue(before: Timestamp(milliseconds: before), after: last, limit: limit)
            .map { "\($0.id) \($0.due.milliseconds)" }
    }

    @Test("they are found by time, page by page; a change, a removal of the expiry and a deletion move them")
    func found() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        var rows = RowBatch(cursor: 0)
        rows.policies = try [
            Self.policy("n:b", expiry: 5_000), Self.policy("n:a", expiry: 5_000), Self.policy("n:c", expiry: 9_000),
            Self.policy("n:never", expiry: nil),
            Self.policy("n:ahead", expiry: 70_000, announcement: #","announcement":{"beforeExpiry":"1m"}"#),
            Self.policy("n:past", expiry: -5_000),
        ]
        try store.write(rows)
        #expect(try Self.due(store, before: 4_999) == ["n:past -5000"])
        #expect(try Self.due(store, before: 9_999) == ["n:past -5000", "n:a 5000", "n:b 5000", "n:c 9000"])
        #expect(try Self.due(store, before: .max).count == 5)
        let page = try store.policiesDue(before: Timestamp(milliseconds: .max), after: nil, limit: 2)
        #expect(try Self.due(store, before: .max, after: page.last) == ["n:b 5000", "n:c 9000", "n:ahead 10000"])
        rows.policies = try [Self.policy("n:a", expiry: 8_000), Self.policy("n:b", expiry: nil)]
        rows.policies.append((try PolicyID("n:c"), .never))
        try store.write(rows)
        store.close()
        _ = try store.open(discardingAfter: nil)
        #expect(try Self.due(store, before: 9_999) == ["n:past -5000", "n:a 8000"])
        store.close()
    }

    @Test("a store of the fourth version learns once which of its policies are due")
    func migrated() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        do {
            let store = try SQLiteStore(directory: directory.path, durability: .os)
            _ = try store.open(discardingAfter: nil)
            var rows = RowBatch(cursor: 0)
            rows.policies = try [
                Self.policy("n:a", expiry: 5_000), Self.policy("n:never", expiry: nil),
                Self.policy("n:b", expiry: 7_000), Self.policy("n:broken", expiry: 7_000),
            ]
            rows.policies.append((try PolicyID("n:deleted"), .never))
            try store.write(rows)
            store.close()
        }
        // Back to what the fourth version had.
        for (name, sql) in [
            (
                "twins",
                """
                DROP INDEX policy_due; ALTER TABLE policy DROP COLUMN due;
                UPDATE policy SET json = CAST('{"entries":"expiry"}' AS BLOB) WHERE id = 'n:broken';
                """
            ), ("journal", "DROP TABLE announcement;"),
        ] {
            let writer = try WriterConnection(path: "\(directory.path)/\(name).db", isSynced: false)
            try writer.run(sql + " DELETE FROM grdb_migrations WHERE identifier = 'v5'")
        }
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        #expect(try Self.due(store, before: .max) == ["n:a 5000", "n:b 7000"])
        #expect(try store.policy(try PolicyID("n:a"))?.due == Timestamp(milliseconds: 5_000))
        #expect(try store.announcementsOfRemoved().isEmpty)
        store.close()
    }
}
