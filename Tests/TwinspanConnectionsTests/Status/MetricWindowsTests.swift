import Testing
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("metric windows")
struct MetricWindowsTests {
    /// What a message counted at second 50 shows in the three windows after a while.
    @Test(
        "a message leaves each window when it is older than that",
        arguments: [
            (0, [1, 1, 1]), (9, [1, 1, 1]), (49, [1, 1, 1]), (60, [0, 1, 1]), (61, [0, 1, 1]), (3_540, [0, 1, 1]),
            (3_600, [0, 0, 1]), (3_660, [0, 0, 1]), (82_000, [0, 0, 1]), (86_400, [0, 0, 0]),
            (1_000_000, [0, 0, 0]), (4_000_000_000, [0, 0, 0]),
        ] as [(Int64, [Int64])])
    func ages(seconds: Int64, expected: [Int64]) throws {
        let rig = try RecorderRig()
        rig.recorder.count(.source(0), .consumed)
        rig.clock.advance(seconds: seconds)
        #expect(rig.counted("a/#", .consumed) == expected)
    }

    @Test("counting after a pause clears what the pause made too old, and nothing else")
    func pauses() throws {
        let rig = try RecorderRig()
        rig.recorder.count(.source(0), .consumed, 5)
        rig.clock.advance(seconds: 30)
        rig.recorder.count(.source(0), .consumed, 2)
        #expect(rig.counted("a/#", .consumed) == [7, 7, 7])
        rig.clock.advance(seconds: 45)
        rig.recorder.count(.source(0), .consumed)
        #expect(rig.counted("a/#", .consumed) == [3, 8, 8])
        rig.clock.advance(seconds: 7_200)
        rig.recorder.count(.source(0), .consumed)
        #expect(rig.counted("a/#", .consumed) == [1, 1, 9])
        rig.clock.advance(seconds: 400_000)
        rig.recorder.count(.source(0), .consumed)
        #expect(rig.counted("a/#", .consumed) == [1, 1, 1])
    }

    @Test("a steady rate fills every window, with at most a bucket missing")
    func steady() throws {
        let rig = try RecorderRig()
        for _ in 0..<(30 * 360) {
            rig.recorder.count(.source(0), .consumed)
            rig.clock.advance(seconds: 10)
        }
        let counts = rig.counted("a/#", .consumed)
        #expect((5...6).contains(counts[0]))
        #expect((354...360).contains(counts[1]))
        #expect((8_280...8_640).contains(counts[2]))
    }

    @Test("setting the time of day neither loses nor doubles anything", arguments: [-86_400, 86_400, -1, 3_600])
    func jumps(seconds: Int64) throws {
        let rig = try RecorderRig()
        rig.recorder.count(.source(0), .consumed, 3)
        rig.clock.jump(seconds: seconds)
        rig.recorder.count(.source(0), .consumed, 4)
        #expect(rig.counted("a/#", .consumed) == [7, 7, 7])
        #expect(rig.measured("a/#", .consumed)?.success.lastMessageAt == rig.clock.now)
    }

    @Test("a clock that goes back counts into the newest second known")
    func clockBack() {
        var windows = MetricWindows(slotCount: 1)
        let now = Timestamp(milliseconds: 1)
        windows.add(1, slot: 0, .mapped, isFailure: false, second: 5_000, at: now)
        windows.add(1, slot: 0, .mapped, isFailure: false, second: 3, at: now)
        let count = windows.count(slot: 0, .mapped, isFailure: false, second: 3)
        #expect([count.lastMinute, count.lastHour, count.lastDay] == [2, 2, 2])
        #expect(windows.count(slot: 0, .mapped, isFailure: false, second: 5_100).lastMinute == 0)
    }

    @Test("successes and failures, stages and places are counted apart")
    func apart() throws {
        let rig = try RecorderRig(sources: [["a"], ["b"]])
        rig.recorder.count(.source(0), .mapped, 1)
        rig.recorder.count(.source(0), .mapped, isFailure: true, 2)
        rig.recorder.count(.source(1), .mapped, 4)
        rig.recorder.count(.target(0), .mapped, 8)
        rig.recorder.count(.responses, .mapped, 16)
        rig.recorder.count(.source(0), .enforced, 32)
        #expect(rig.measured("a", .mapped)?.success.lastMinute == 1)
        #expect(rig.measured("a", .mapped)?.failure.lastMinute == 2)
        #expect(rig.measured("b", .mapped)?.success.lastMinute == 4)
        #expect(rig.measured("out", .mapped)?.success.lastMinute == 8)
        #expect(rig.measured("_responses", .mapped)?.success.lastMinute == 16)
        #expect(rig.measured("a", .enforced)?.success.lastMinute == 32)
    }

    @Test("nothing is counted for no messages, unknown places and the connection itself")
    func nothing() throws {
        let rig = try RecorderRig()
        rig.recorder.count(.source(0), .consumed, 0)
        rig.recorder.count(.source(0), .consumed, -1)
        rig.recorder.count(.source(7), .consumed, 1)
        rig.recorder.count(.target(-1), .published, 1)
        rig.recorder.count(.connection, .other, 1)
        let metrics = rig.recorder.metrics
        let all = (metrics.sources + metrics.targets).flatMap(\.measurements)
        #expect(all.allSatisfy { $0.success == .init() && $0.failure == .init() })
    }

    @Test("a reset sets everything to zero")
    func reset() throws {
        let rig = try RecorderRig()
        rig.recorder.count(.source(0), .consumed, 3)
        rig.recorder.resetMetrics()
        #expect(rig.measured("a/#", .consumed)?.success == ConnectionMetrics.Count())
        rig.recorder.count(.source(0), .consumed)
        #expect(rig.counted("a/#", .consumed) == [1, 1, 1])
    }

    @Test("a source of MQTT has one address, joined; others have one per address, and the first takes the rest")
    func addresses() throws {
        let mqtt = try RecorderRig(sources: [["a", "b"]])
        mqtt.recorder.count(.source(0), .consumed, address: "b")
        #expect(mqtt.recorder.metrics.sources.map(\.address) == ["a;b"])
        #expect(mqtt.counted("a;b", .consumed) == [1, 1, 1])
        let kafka = try RecorderRig(.kafka, sources: [["a", "b"]])
        kafka.recorder.count(.source(0), .consumed, 1)
        kafka.recorder.count(.source(0), .consumed, 2, address: "b")
        kafka.recorder.count(.source(0), .consumed, 4, address: "a/made/up")
        #expect(kafka.recorder.metrics.sources.map(\.address) == ["a", "b"])
        #expect(kafka.counted("a", .consumed) == [5, 5, 5])
        #expect(kafka.counted("b", .consumed) == [2, 2, 2])
    }

    @Test("the number of addresses is bounded, and equal ones are one")
    func bounded() throws {
        let many = try RecorderRig(.kafka, sources: [(0..<5_000).map { "t\($0)" }])
        #expect(many.recorder.metrics.sources.count == RecordedAddresses.slotMaximum + 1)
        many.recorder.count(.source(0), .consumed, address: "t4999")
        #expect(many.counted("_others", .consumed) == [0, 0, 0])
        #expect(many.counted("t0", .consumed) == [1, 1, 1])
        let equal = try RecorderRig(targets: ["x", "x"])
        equal.recorder.count(.target(0), .published)
        equal.recorder.count(.target(1), .published)
        #expect(equal.recorder.metrics.targets.map(\.address) == ["x", "_responses"])
        #expect(equal.counted("x", .published) == [2, 2, 2])
    }

    @Test("counts of many threads add up")
    func threads() async throws {
        let rig = try RecorderRig()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<1_000 { rig.recorder.count(.source(0), .consumed, 2) } }
            }
        }
        #expect(rig.counted("a/#", .consumed) == [16_000, 16_000, 16_000])
    }
}
