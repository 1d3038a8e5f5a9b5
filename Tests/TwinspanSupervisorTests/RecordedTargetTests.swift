import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("What targets record")
struct RecordedTargetTests {
    /// One event, what becomes of it, and what the log says.
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var filter: String?
        var subjects = ["test:owner"]
        var payload: [String] = []
        var address = "out"
        var headers: [(String, String)] = []
        /// What the broker does; nil when nothing arrives there.
        var isConfirmed: Bool?
        /// Stage, whether it is a failure, and the beginning of the message.
        var notes: [String]
        var testDescription: String { name }
    }

    private static let passed = ["dispatched + Message was dispatched", "filtered + Message was filtered"]
    private static let mapped = passed + ["mapped + Mapped outgoing signal with mapper <Ditto>"]
    static let rows = [
        Row(name: "published", isConfirmed: true, notes: mapped + ["published + Message was published"]),
        Row(name: "refused", isConfirmed: false, notes: mapped + ["published - The message could not be sent: why"]),
        Row(name: "filtered", filter: "eq(attributes/x,1)", notes: [passed[0]]),
        Row(name: "denied", subjects: ["test:stranger"], notes: []),
        Row(
            name: "no address", address: "{{ header:none }}",
            notes: passed + ["dropped + Signal dropped, target address unresolved"]),
        Row(name: "left out", payload: ["Nothing"], notes: passed + ["dropped + The payload mapping has made nothing"]),
        Row(name: "mapper fails", payload: ["Failing"], notes: passed + ["other - The mapper <Failing> failed"]),
        Row(
            name: "illegal header", headers: [("mqtt.qos", "9")],
            notes: passed + ["published - The header 'mqtt.qos' has the value '9'"]),
    ]

    @Test("every stage of a signal is logged and counted at its target", arguments: rows)
    func stages(row: Row) throws {
        let rig = try PipelineRig()
        let connection = try rig.connection(
            targets: [
                target(
                    row.address, topics: [topic(filter: row.filter)], subjects: row.subjects, headers: row.headers,
                    payload: row.payload)
            ])
        var recorder: ConnectionRecorder?
        try rig.withWayOut(connection, mappers: .forTests) { wayOut in
            recorder = wayOut.recorder
            try rig.rig.run(.create, "n:t", "/", "{}", headers: ["correlation-id": "c"])
            guard let isConfirmed = row.isConfirmed else { return }
            let message = try rig.awaitSent(1)[0]
            if isConfirmed {
                wayOut.outcomes.confirmed(message)
            } else {
                wayOut.outcomes.refused(message, PublishRefusal(reason: "broker", detail: "why"))
            }
        }
        let entries = try #require(recorder).retrieveLogs().entries.filter { $0.category == .target }
        #expect(entries.count == row.notes.count, "\(entries)")
        for (entry, note) in zip(entries, row.notes) {
            let text = "\(entry.stage) \(entry.isFailure ? "-" : "+") \(entry.message)"
            #expect(text.hasPrefix(note), "\(text)")
            #expect(entry.correlationID == "c")
        }
        let measured = try #require(recorder).metrics.targets.first?.measurements ?? []
        for stage in [RecordedStage.dispatched, .filtered, .mapped, .dropped, .published] {
            let counted = measured.first { $0.stage == stage }
            let noted = row.notes.filter { $0.hasPrefix("\(stage) +") }.count
            #expect(counted?.success.lastHour ?? 0 == Int64(noted), "\(stage)")
        }
        rig.checkBalance()
    }

    @Test("of many successes the log has a sample, and a tap all")
    func sample() throws {
        let rig = try PipelineRig()
        var recorder: ConnectionRecorder?
        var lines = 0
        try rig.withWayOut(rig.connection(targets: [target(topics: [topic()])])) { wayOut in
            recorder = wayOut.recorder
            let tap = try #require(wayOut.recorder.tap(TapFilter()))
            try rig.rig.run(.create, "n:t", "/", "{}")
            for value in 0..<30 { try rig.rig.run(.modify, "n:t", "/attributes/a", "\(value)") }
            _ = try rig.awaitSent(31)
            lines = tap.take()?.count { $0 == UInt8(ascii: "\n") } ?? 0
        }
        #expect(lines >= 93)
        let entries = try #require(recorder).retrieveLogs().entries
        #expect(entries.filter { $0.stage == .mapped }.count == ConnectionRecorder.ringCapacity)
    }
}
