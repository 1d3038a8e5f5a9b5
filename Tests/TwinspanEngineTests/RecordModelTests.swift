import Foundation
import Testing
import TwinspanEngine
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

/// What the store should have after any mix of changes, records, faults and restarts.
private struct RecordModel {
    var inbox: [Int64: InboxMessage] = [:]
    var letters: [Int64: DeadLetter] = [:]
    var cursors: [String: Int64] = [:]
    var connections: [String: StoredConnection] = [:]
    /// By everything but the offset.
    var positions: [StoredPosition: StoredPosition] = [:]
    /// By everything but the time.
    var announcements: [StoredAnnouncement: StoredAnnouncement] = [:]

    mutating func apply(_ record: StoreRecord) {
        switch record {
        case .inboxPut(let message): inbox[message.id] = message
        case .inboxRemove(let id): inbox[id] = nil
        case .deadLetterPut(let letter): letters[letter.id] = letter
        case .deadLetterRemove(let id): letters[id] = nil
        case .cursorPut(let name, let sequence): cursors[name] = sequence
        case .cursorRemove(let name): cursors[name] = nil
        case .positionPut(let position): positions[position.key] = position
        case .positionRemove(let position): positions[position.key] = nil
        case .connectionPut(let connection): connections[connection.id.text] = connection
        case .connectionRemove(let id): connections[id.text] = nil
        case .announcementPut(let announcement): announcements[announcement.key] = announcement
        case .announcementRemove(let announcement): announcements[announcement.key] = nil
        }
    }

    var stored: StoredRecords {
        var stored = StoredRecords()
        let messages = inbox.values.sorted { $0.id < $1.id }
        for name in ["plant", "yard"] {
            stored.inbox += messages.filter { $0.message.connection.text == name }.map { String(describing: $0) }
        }
        stored.letters = letters.values.sorted { $0.id > $1.id }.map { String(describing: $0) }
        stored.cursors = cursors
        stored.positions = Set(positions.values)
        stored.announcements = Set(announcements.values)
        stored.connections = connections.sorted { $0.key < $1.key }.map { String(describing: $0.value) }
        return stored
    }
}

extension StoredPosition {
    fileprivate var key: StoredPosition {
        var key = self
        key.offset = 0
        return key
    }
}

extension StoredAnnouncement {
    fileprivate var key: StoredAnnouncement { StoredAnnouncement(policyID: policyID, subject: subject) }
}

@Suite("A model of records")
struct RecordModelTests {
    private static func record(_ random: inout SeededRandom) throws -> StoreRecord {
        let id = Int64.random(in: 1...20, using: &random)
        let connection = Bool.random(using: &random) ? "plant" : "yard"
        let bytes = Int.random(in: 0...2_000, using: &random)
        let time = Int64.random(in: 0...1_000_000, using: &random)
        let name = "r\(id % 4)"
        let position = StoredPosition(
            connection: try ConnectionID(connection), reader: "g\(id % 2)\u{0}'", topic: "t\(id % 3)",
            partition: Int32(id % 2), offset: time)
        let announcement = StoredAnnouncement(
            policyID: try PolicyID("n:p\(id % 2)"), subject: "s\(id % 3)\u{0}'",
            deleteAt: id % 5 == 0 ? nil : Timestamp(milliseconds: time))
        switch Int.random(in: 0..<14, using: &random) {
        case 0:
            return .inboxPut(
                try RecordSample.inbox(
                    id, connection, bytes: bytes, attempts: Int.random(in: 0...3, using: &random), at: time))
        case 1: return .inboxRemove(id: id)
        case 2:
            return .deadLetterPut(
                try RecordSample.letter(
                    id, connection, bytes: bytes, diedAt: time, correlationID: id % 2 == 0 ? nil : "c"))
        case 3: return .deadLetterRemove(id: id)
        case 4: return .cursorPut(name: name, sequence: time)
        case 5: return .cursorRemove(name: name)
        case 6, 7: return .positionPut(position)
        case 8: return .positionRemove(position)
        case 9: return .connectionPut(try RecordSample.connection(name, revision: id))
        case 10, 11: return .announcementPut(announcement)
        case 12: return .announcementRemove(announcement)
        default: return .connectionRemove(try ConnectionID(name))
        }
    }

    @Test("any mix of changes, records, faults, restarts and kills leaves what was committed, and nothing else")
    func random() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("records seed \(seed)")
        var random = SeededRandom(seed)
        var model = RecordModel()
        var directory = try TemporaryDirectory(isInMemory: true)
        var newest: Int64 = 0
        var value = 0
        for _ in 0..<8 {
            let rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os))
            #expect(rig.engine.gate.committed == newest, "seed \(seed)")
            #expect(try StoredRecords(rig.store.inner.records) == model.stored, "seed \(seed)")
            for _ in 0..<12 {
                let fails = Int.random(in: 0..<4, using: &random) == 0
                if fails {
                    let fault = FaultyStore.Fault.allCases.randomElement(using: &random) ?? .halfway
                    rig.store.state.update { $0.faults = [fault] }
                }
                // Held back, so that all of it is one commit.
                rig.store.state.update { $0.isBlocked = true }
                var next = model
                var ticket = rig.engine.keep([.cursorPut(name: "always", sequence: Int64(value))])
                next.apply(.cursorPut(name: "always", sequence: Int64(value)))
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    value += 1
                    if Bool.random(using: &random) {
                        let command = try EngineRig.command(.modify, "n:t", "/", #"{"attributes":{"v":\#(value)}}"#)
                        ticket = rig.engine.execute(command, as: EngineRig.owner, origin: nil).ticket
                    } else {
                        let records = try (0..<3).map { _ in try Self.record(&random) }
                        for record in records { next.apply(record) }
                        ticket = rig.engine.keep(records)
                    }
                }
                rig.store.state.update { $0.isBlocked = false }
                let outcome = rig.engine.commit(ticket, patience: .seconds(20))
                #expect(outcome == (fails ? .rejected : .committed), "seed \(seed)")
                if fails {
                    try rig.awaitCondition("open") { $0 == .open }
                } else {
                    model = next
                    newest = ticket.sequence
                }
                let records = rig.store.inner.records
                #expect(try StoredRecords(records) == model.stored, "seed \(seed)")
                #expect(records.loads == (try StoredRecords.loads(records)), "seed \(seed)")
                #expect(rig.engine.gate.committed == newest, "seed \(seed)")
            }
            try expectGapless(rig.store.inner, withRecords: true)
            let copy = Bool.random(using: &random) ? try copyAfterKill(of: directory) : nil
            rig.engine.stop()
            if let copy { directory = copy }
        }
    }
}
