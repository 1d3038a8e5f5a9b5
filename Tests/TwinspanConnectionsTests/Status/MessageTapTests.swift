import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("a tap")
struct MessageTapTests {
    private static func lines(_ tap: MessageTap) throws -> [JSONObject]? {
        guard let bytes = tap.take() else { return nil }
        return try bytes.split(separator: UInt8(ascii: "\n")).compactMap { try JSONValue.parse(Array($0)).object }
    }

    private static let note = StageNote(
        .source(0), .mapped, isFailure: true, "Nonsense.", correlationID: "c", entityType: "thing", entityID: "a:b",
        address: "a/b", reason: "mapping", details: [("mapper", "Ditto")])

    @Test("shows every member of a note in a line of JSON")
    func line() throws {
        let rig = try RecorderRig(isOpen: false)
        #expect(!rig.recorder.isTapped)
        let tap = try #require(rig.recorder.tap(TapFilter()))
        #expect(rig.recorder.isTapped)
        rig.recorder.note(Self.note)
        let expected = #"""
            {"time":"2023-11-14T22:13:20Z","connection":"c1","direction":"inbound","source":1,"stage":"mapped",\#
            "outcome":"failure","address":"a/b","thing":"a:b","correlationId":"c","reason":"mapping",\#
            "message":"Nonsense.","details":{"mapper":"Ditto"}}
            """#
        #expect(String(decoding: try #require(tap.take()), as: UTF8.self) == expected + "\n")
        rig.recorder.note(StageNote(.target(1), .published, "Sent."))
        rig.recorder.note(StageNote(.responses, .published, "Answered.", entityType: "policy", entityID: "p:q"))
        rig.recorder.note(StageNote(.connection, .other, "Open."))
        let lines = try #require(try Self.lines(tap))
        #expect(lines.map { $0["direction"]?.string } == ["outbound", "outbound", nil])
        #expect(lines.map { $0["target"]?.int64 } == [2, nil, nil])
        #expect(lines.map { $0["address"]?.string } == [nil, "_responses", nil])
        #expect(lines.map { $0["policy"]?.string } == [nil, "p:q", nil])
        #expect(lines.map { $0["outcome"]?.string } == ["success", "success", "success"])
    }

    @Test(
        "a filter lets through what it names, and nothing else",
        arguments: [
            (TapFilter(), true), (TapFilter(thing: "a:b"), true), (TapFilter(thing: "a:*"), true),
            (TapFilter(thing: "?:b"), true), (TapFilter(outcome: .failure), true), (TapFilter(stage: .mapped), true),
            (TapFilter(correlationID: "c"), true),
            (TapFilter(thing: "a:b", outcome: .failure, correlationID: "c", stage: .mapped), true),
            (TapFilter(thing: "a:B"), false), (TapFilter(thing: "a:"), false), (TapFilter(thing: "b:*"), false),
            (TapFilter(thing: ""), false), (TapFilter(outcome: .success), false),
            (TapFilter(stage: .enforced), false), (TapFilter(correlationID: "C"), false),
            (TapFilter(thing: "a:b", stage: .consumed), false), (TapFilter(thing: "a:b|x"), false),
        ] as [(TapFilter, Bool)])
    func filters(filter: TapFilter, expected: Bool) throws {
        let rig = try RecorderRig()
        let tap = try #require(rig.recorder.tap(filter))
        rig.recorder.note(Self.note)
        #expect(try Self.lines(tap)?.isEmpty == !expected)
    }

    @Test("a filter for a thing lets nothing through that has none")
    func withoutThing() throws {
        let rig = try RecorderRig()
        let tap = try #require(rig.recorder.tap(TapFilter(thing: "*")))
        rig.recorder.note(StageNote(.source(0), .consumed, "x"))
        rig.recorder.note(StageNote(.source(0), .mapped, "x", entityType: "policy", entityID: "a:b"))
        #expect(try Self.lines(tap)?.isEmpty == true)
    }

    @Test(
        "words of a filter that nobody knows are told with the nearest one",
        arguments: [
            ("outcome", "failed", "outcome 'failed'"), ("outcome", "SUCCESS", "Did you mean 'success'?"),
            ("stage", "maped", "Did you mean 'mapped'?"), ("stage", "nonsense", "Known are consumed, mapped"),
        ])
    func words(name: String, word: String, expected: String) {
        let failure = #expect(throws: TapFilterFailure.self) {
            _ = try TapFilter.parse(
                thing: nil, outcome: name == "outcome" ? word : nil, correlationID: nil,
                stage: name == "stage" ? word : nil)
        }
        let text = [failure?.message, failure?.hint].compactMap { $0 }.joined(separator: " ")
        #expect(text.contains(expected))
    }

    @Test("empty parameters count as absent")
    func emptyWords() throws {
        let filter = try TapFilter.parse(thing: "", outcome: "", correlationID: "", stage: "")
        #expect(filter.admits(StageNote(.source(0), .consumed, "x")))
    }

    @Test("a slow reader gets what fits and is told what is missing", arguments: [1, 4_000])
    func slow(bytes: Int) throws {
        let rig = try RecorderRig()
        let tap = try #require(rig.recorder.tap(TapFilter()))
        let text = String(repeating: "x", count: bytes)
        for _ in 0..<5_000 { rig.recorder.note(StageNote(.source(0), .consumed, text)) }
        let taken = try #require(tap.take())
        #expect(taken.count <= TapQueue.byteMaximum + 300)
        let lines = try taken.split(separator: UInt8(ascii: "\n")).compactMap {
            try JSONValue.parse(Array($0)).object
        }
        #expect(lines.count <= TapQueue.lineMaximum + 1)
        #expect(lines.last?["dropped"]?.int64 == Int64(5_000 - (lines.count - 1)))
        rig.recorder.note(StageNote(.source(0), .consumed, "again"))
        #expect(try Self.lines(tap)?.map { $0["message"]?.string } == ["again"])
    }

    @Test("the number of taps is bounded, and one that goes away makes room")
    func number() throws {
        let rig = try RecorderRig()
        var taps = (0..<20).compactMap { _ in rig.recorder.tap(TapFilter()) }
        #expect(taps.count == ConnectionRecorder.tapMaximum)
        taps.removeLast()
        taps.append(try #require(rig.recorder.tap(TapFilter())))
        #expect(rig.recorder.tap(TapFilter()) == nil)
        taps.forEach { $0.close() }
        #expect(!rig.recorder.isTapped)
        #expect(taps.allSatisfy { $0.take() == nil })
    }

    @Test("the end of the connection is the last line")
    func end() throws {
        let rig = try RecorderRig()
        let tap = try #require(rig.recorder.tap(TapFilter()))
        rig.recorder.note(StageNote(.source(0), .consumed, "x"))
        rig.recorder.endTaps()
        rig.recorder.note(StageNote(.source(0), .consumed, "y"))
        let lines = try #require(try Self.lines(tap))
        #expect(lines.count == 2)
        #expect(lines.last?["message"]?.string?.contains("tap ends") == true)
        #expect(tap.take() == nil)
    }

    @Test("a task that waits is woken by a line, by the end, and by its own cancellation", .timeLimit(.minutes(1)))
    func waiting() async throws {
        let rig = try RecorderRig()
        let tap = try #require(rig.recorder.tap(TapFilter()))
        let reader = Task { await tap.lines() }
        rig.recorder.note(StageNote(.source(0), .consumed, "x"))
        #expect(await reader.value?.isEmpty == false)
        let ended = Task { await tap.lines() }
        rig.recorder.endTaps()
        #expect(await ended.value != nil)
        #expect(await tap.lines() == nil)
        let cancelled = try #require(rig.recorder.tap(TapFilter()))
        let waiting = Task { await cancelled.lines() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        #expect(!rig.recorder.isTapped)
    }
}
