import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("the log of a connection")
struct ConnectionLogTests {
    private static func note(
        _ message: String, _ place: RecordedPlace = .source(0), _ stage: RecordedStage = .mapped,
        isFailure: Bool = false
    ) -> StageNote {
        StageNote(place, stage, isFailure: isFailure, message, correlationID: "c")
    }

    private static func messages(_ recorder: ConnectionRecorder) -> [String] {
        recorder.retrieveLogs().entries.map(\.message)
    }

    @Test("each address, stage and outcome keeps its last ten")
    func rings() throws {
        let rig = try RecorderRig()
        for number in 0..<25 { rig.recorder.note(Self.note("good \(number)")) }
        for number in 0..<12 { rig.recorder.note(Self.note("bad \(number)", isFailure: true)) }
        rig.recorder.note(Self.note("elsewhere", .target(0)))
        rig.recorder.note(Self.note("later", .source(0), .enforced))
        #expect(
            Self.messages(rig.recorder)
                == (15..<25).map { "good \($0)" } + (2..<12).map { "bad \($0)" } + ["elsewhere", "later"])
    }

    @Test("successes are logged for an hour after opening, and for another hour after each reading")
    func hour() throws {
        let rig = try RecorderRig()
        let opened = rig.clock.now
        rig.recorder.note(Self.note("first"))
        rig.clock.advance(seconds: 3_599)
        #expect(rig.recorder.logsSuccesses)
        let logs = rig.recorder.retrieveLogs()
        #expect(logs.enabledSince == opened)
        #expect(logs.enabledUntil == Timestamp(milliseconds: rig.clock.now.milliseconds + 3_600_000))
        rig.clock.advance(seconds: 3_599)
        #expect(rig.recorder.logsSuccesses)
        rig.clock.advance(seconds: 1)
        #expect(!rig.recorder.logsSuccesses)
        rig.recorder.note(Self.note("unseen"))
        rig.recorder.note(Self.note("failed", isFailure: true))
        let later = rig.recorder.retrieveLogs()
        #expect(later.entries.map(\.message) == ["failed"])
        #expect(later.enabledSince == rig.clock.now)
        #expect(rig.recorder.logsSuccesses)
    }

    @Test("a connection that is closed logs no successes, and reading does not change that")
    func closed() throws {
        let rig = try RecorderRig(isOpen: false)
        rig.recorder.note(Self.note("unseen"))
        rig.recorder.note(Self.note("failed", isFailure: true))
        for _ in 0..<2 {
            let logs = rig.recorder.retrieveLogs()
            #expect(logs.entries.map(\.message) == ["failed"])
            #expect(logs.enabledSince == nil && logs.enabledUntil == nil)
            #expect(!rig.recorder.wantsSuccesses)
        }
        rig.recorder.enableLogs()
        #expect(rig.recorder.retrieveLogs().enabledSince == rig.clock.now)
        rig.recorder.disableLogs()
        #expect(rig.recorder.retrieveLogs().enabledSince == nil)
    }

    @Test("a note of a success is not made when nobody wants it")
    func unwanted() throws {
        let rig = try RecorderRig(isOpen: false)
        var made = 0
        func make() -> StageNote {
            made += 1
            return Self.note("x")
        }
        rig.recorder.noteSuccess(make())
        #expect(made == 0)
        rig.recorder.enableLogs()
        rig.recorder.noteSuccess(make())
        #expect(made == 1)
        rig.recorder.disableLogs()
        let tap = rig.recorder.tap(TapFilter())
        rig.recorder.noteSuccess(make())
        #expect(made == 2)
        _ = consume tap
    }

    @Test("a reset leaves one entry about itself")
    func reset() throws {
        let rig = try RecorderRig()
        rig.recorder.note(Self.note("x"))
        rig.recorder.note(Self.note("y", isFailure: true))
        rig.recorder.resetLogs()
        let entries = rig.recorder.retrieveLogs().entries
        #expect(entries.count == 1)
        #expect(entries.first?.category == .connection)
        #expect(entries.first?.stage == .other)
        #expect(entries.first?.isFailure == false)
        #expect(entries.first?.address == nil)
    }

    @Test("long texts are cut, and the whole log has a bound at which successes go first")
    func bytes() throws {
        let rig = try RecorderRig(sources: (0..<60).map { ["s\($0)"] })
        let long = String(repeating: "ä", count: 50_000)
        for source in 0..<60 {
            for _ in 0..<10 {
                rig.recorder.note(Self.note(long, .source(source), isFailure: source < 5))
            }
        }
        let entries = rig.recorder.retrieveLogs().entries
        #expect(entries.reduce(0) { $0 + $1.cost } <= ConnectionRecorder.logByteMaximum)
        #expect(entries.filter(\.isFailure).count == 50)
        #expect(entries.allSatisfy { $0.message.utf8.count <= ConnectionRecorder.messageByteMaximum + 3 })
        #expect(entries.allSatisfy { $0.message.hasSuffix("ä…") })
    }

    @Test("a failure names the address it happened at when that is not the configured one")
    func address() throws {
        let rig = try RecorderRig()
        var note = Self.note("no thing id.", isFailure: true)
        note.address = "a/b/c"
        rig.recorder.note(note)
        note.address = "a/#"
        rig.recorder.note(note)
        let entries = rig.recorder.retrieveLogs().entries
        #expect(entries.map(\.address) == ["a/#", "a/#"])
        #expect(entries.map(\.message) == ["no thing id. Address: a/b/c.", "no thing id."])
    }
}

@Suite("the JSON of a log")
struct ConnectionLogsJSONTests {
    private static func entry(_ milliseconds: Int64, _ message: String = "m") -> ConnectionLogEntry {
        ConnectionLogEntry(
            timestamp: Timestamp(milliseconds: milliseconds), category: .source, stage: .consumed, isFailure: false,
            message: message, correlationID: "c", address: "a")
    }

    private static func body(_ logs: ConnectionLogs, byteMaximum: Int = 250_000) throws -> JSONObject {
        ConnectionLogsJSON.body(logs, connectionID: try ConnectionID("c1"), byteMaximum: byteMaximum)
    }

    @Test("an entry has all members, or only those it needs")
    func members() throws {
        var full = Self.entry(0)
        full.entityType = "thing"
        full.entityID = "a:b"
        let bare = ConnectionLogEntry(
            timestamp: Timestamp(milliseconds: 5), category: .connection, stage: .other, isFailure: true,
            message: "n")
        let body = try Self.body(
            ConnectionLogs(
                entries: [full, bare], enabledSince: Timestamp(milliseconds: 0),
                enabledUntil: Timestamp(milliseconds: 3_600_000)))
        let expected = #"""
            {"connectionId":"c1","connectionLogs":[{"correlationId":"c","timestamp":"1970-01-01T00:00:00Z",\#
            "category":"source","type":"consumed","level":"success","message":"m","address":"a",\#
            "entityType":"thing","entityId":"a:b"},{"correlationId":"<not-provided>",\#
            "timestamp":"1970-01-01T00:00:00.005Z","category":"connection","type":"other","level":"failure",\#
            "message":"n"}],"enabledSince":"1970-01-01T00:00:00Z","enabledUntil":"1970-01-01T01:00:00Z"}
            """#
        #expect(JSONValue.object(body).text == expected)
    }

    @Test("a log that is off is empty and has no times")
    func off() throws {
        #expect(
            JSONValue.object(try Self.body(ConnectionLogs(entries: []))).text
                == #"{"connectionId":"c1","connectionLogs":[],"enabledSince":null,"enabledUntil":null}"#)
    }

    @Test("entries are sorted by time")
    func sorted() throws {
        let body = try Self.body(ConnectionLogs(entries: [30, 10, 20, 10].map { Self.entry($0, "\($0)") }))
        let messages = body["connectionLogs"]?.array?.map { $0.object?["message"]?.string ?? "" }
        #expect(messages == ["10", "10", "20", "30"])
    }

    @Test("the newest entries that fit are shown", arguments: [100, 300, 1_000, 5_000])
    func bound(byteMaximum: Int) throws {
        let logs = ConnectionLogs(entries: (0..<200).map { Self.entry($0, "\"\(1_000 + $0)\"") })
        let body = try Self.body(logs, byteMaximum: byteMaximum)
        let shown = body["connectionLogs"]?.array ?? []
        #expect(JSONValue.object(body).bytes.count <= max(byteMaximum, 95))
        let next = shown.first.map { $0.bytes.count + 1 } ?? 150
        #expect(JSONValue.object(body).bytes.count + next > byteMaximum)
        #expect(shown.isEmpty || shown.last?.object?["message"]?.string == "\"1199\"")
    }
}
