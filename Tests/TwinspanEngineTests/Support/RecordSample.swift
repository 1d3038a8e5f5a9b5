import Foundation
import TwinspanEngine
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

/// Records for tests, and everything a store has of them.
enum RecordSample {
    static func message(_ connection: String = "plant", bytes: Int = 10, at milliseconds: Int64 = 1_000) throws
        -> KeptMessage
    {
        KeptMessage(
            connection: try ConnectionID(connection), source: 3, address: "a/日本/'\"\u{0}",
            payload: (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 7) },
            headers: [("h", "1"), ("h", "\"2\"\u{1}"), ("", "")], qos: 1, isRetained: true,
            receivedAt: Timestamp(milliseconds: milliseconds), isBinary: bytes % 2 == 0)
    }

    static func inbox(
        _ id: Int64, _ connection: String = "plant", bytes: Int = 10, attempts: Int = 0, at milliseconds: Int64 = 1_000
    ) throws -> InboxMessage {
        InboxMessage(
            id: id, message: try message(connection, bytes: bytes, at: milliseconds), attempts: attempts,
            nextAttemptAt: attempts > 0 ? Timestamp(milliseconds: milliseconds + 1) : nil,
            lastError: attempts > 0 ? "no answer \u{0}'\(attempts)'" : nil)
    }

    static func letter(
        _ id: Int64, _ connection: String = "plant", bytes: Int = 10, diedAt milliseconds: Int64 = 2_000,
        correlationID: String? = "c-1\u{0}x"
    ) throws -> DeadLetter {
        DeadLetter(
            id: id, message: try message(connection, bytes: bytes), attempts: 2,
            diedAt: Timestamp(milliseconds: milliseconds), stage: "mapping",
            error: TwinspanError(
                code: "a:b", status: 400, message: "It is \"wrong\".", description: "Write it right.", href: nil),
            correlationID: correlationID)
    }

    static func connection(_ id: String, revision: Int64 = 1) throws -> StoredConnection {
        StoredConnection(
            id: try ConnectionID(id), revision: revision, created: Timestamp(milliseconds: 5),
            modified: Timestamp(milliseconds: 5 + revision), text: Array("{\"r\":\(revision)}".utf8))
    }
}

/// Everything of a store that is stored beside events, to be compared.
struct StoredRecords: Equatable {
    var inbox: [String] = []
    var letters: [String] = []
    var cursors: [String: Int64] = [:]
    var connections: [String] = []
    var positions: Set<StoredPosition> = []
    var announcements: Set<StoredAnnouncement> = []

    init() {}

    init(_ records: any RecordStore, of connections: [String] = ["plant", "yard"]) throws {
        for name in connections {
            inbox += try records.inbox(of: try ConnectionID(name)).map { String(describing: $0) }
        }
        letters = try records.deadLetters(DeadLetterQuery(limit: 100_000)).map { String(describing: $0) }
        cursors = try records.cursors()
        for name in connections {
            for reader in ["g0\u{0}'", "g1\u{0}'"] {
                positions.formUnion(try records.positions(of: try ConnectionID(name), reader: reader))
            }
        }
        for name in ["n:p0", "n:p1"] { announcements.formUnion(try records.announcements(of: try PolicyID(name))) }
        guard Set(try records.announcementsOfRemoved()) == announcements.filter({ $0.deleteAt != nil }) else {
            throw ScenarioFailure("those of removed subjects are not among the others")
        }
        self.connections = try records.storedConnections().map { String(describing: $0) }
    }

    /// The loads as they follow from what is stored.
    static func loads(_ records: any RecordStore, of connections: [String] = ["plant", "yard"]) throws -> RecordLoads {
        var loads = RecordLoads()
        for name in connections {
            let id = try ConnectionID(name)
            let inbox = try records.inbox(of: id)
            if let first = inbox.first {
                loads.inbox[id] = RecordLoad(
                    count: inbox.count, bytes: inbox.reduce(0) { $0 + Int64($1.byteCount) },
                    oldest: first.message.receivedAt)
            }
            let letters = try records.deadLetters(DeadLetterQuery(connection: id, limit: 100_000))
            if let last = letters.last {
                loads.deadLetters[id] = RecordLoad(
                    count: letters.count, bytes: letters.reduce(0) { $0 + Int64($1.byteCount) }, oldest: last.diedAt)
            }
        }
        loads.cursors = try records.cursors()
        // A set of candidates, which those that have gone may stay in.
        loads.positionOwners = records.loads.positionOwners
        loads.deadLettersExpired = records.loads.deadLettersExpired
        return loads
    }
}

/// A copy of a data directory as a killed process would leave it.
func copyAfterKill(of directory: TemporaryDirectory) throws -> TemporaryDirectory {
    let copy = try TemporaryDirectory(isInMemory: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: directory.path)
    where name.contains(".db") && !name.hasSuffix("-shm") {
        try FileManager.default.copyItem(atPath: "\(directory.path)/\(name)", toPath: "\(copy.path)/\(name)")
    }
    return copy
}
