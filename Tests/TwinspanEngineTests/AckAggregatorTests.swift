import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanEngine

@Suite("Aggregated acknowledgements")
struct AckAggregatorTests {
    struct Row: Sendable {
        let requested: [String]
        let given: [(String, Int)]
        let status: Int
        let statuses: [Int]
        let isComplete: Bool
    }

    static let rows = [
        Row(requested: ["a-1"], given: [("a-1", 204)], status: 204, statuses: [204], isComplete: true),
        Row(requested: ["a-1"], given: [("a-1", 503)], status: 503, statuses: [503], isComplete: true),
        Row(requested: ["a-1"], given: [], status: 408, statuses: [408], isComplete: false),
        Row(requested: ["a-1"], given: [("b-1", 200)], status: 408, statuses: [408], isComplete: false),
        Row(
            requested: ["a-1", "b-1"], given: [("b-1", 201), ("a-1", 204)], status: 200, statuses: [204, 201],
            isComplete: true),
        Row(
            requested: ["a-1", "b-1"], given: [("b-1", 201), ("a-1", 400)], status: 424, statuses: [400, 201],
            isComplete: true),
        Row(
            requested: ["a-1", "b-1"], given: [("b-1", 201)], status: 424, statuses: [408, 201], isComplete: false),
        Row(
            requested: ["a-1", "b-1"], given: [("b-1", 201), ("b-1", 500)], status: 424, statuses: [408, 201],
            isComplete: false),
        Row(requested: [], given: [], status: 500, statuses: [], isComplete: true),
    ]

    @Test("the status follows from the parts, the first of a label counts", arguments: rows)
    func status(row: Row) throws {
        var aggregator = AckAggregator(try row.requested.map { try AckLabel($0) })
        for (label, status) in row.given { _ = aggregator.take(try LiveFixture.ack(label, status)) }
        let result = aggregator.result(of: try ThingID("n:t"), channel: .twin, correlationID: "c")
        #expect(aggregator.isComplete == row.isComplete)
        #expect(result.status == row.status)
        #expect(result.acknowledgements.map(\.status) == row.statuses)
        #expect(result.headers.correlationID == "c")
    }

    @Test("what became of an acknowledgement is told")
    func intake() throws {
        var aggregator = AckAggregator([try AckLabel("a-1")])
        #expect(aggregator.take(try LiveFixture.ack("b-1")) == .notRequested)
        #expect(aggregator.take(try LiveFixture.ack("a-1", 500)) == .counted)
        #expect(aggregator.take(try LiveFixture.ack("a-1", 200)) == .duplicate)
    }

    @Test("a label that nobody acknowledged has the error as payload, and the correlation id")
    func timeout() throws {
        let aggregator = AckAggregator([try AckLabel("a-1")])
        let result = aggregator.result(of: try ThingID("n:t"), channel: .live, correlationID: "c")
        let missing = try #require(result.acknowledgements.first)
        let payload = try #require(missing.payload?.value.object)
        #expect(payload["error"]?.string == "acknowledgement:request.timeout")
        #expect(payload["status"]?.int64 == 408)
        #expect(missing.headers.correlationID == "c")
    }

    @Test(
        "the plain response is for those who asked for nothing but a built-in label",
        arguments: [
            ([], true), (["twin-persisted"], true), (["search-persisted"], true), (["live-response"], true),
            (["a-1"], false), (["twin-persisted", "a-1"], false), (["twin-persisted", "search-persisted"], false),
        ])
    func plain(row: ([String], Bool)) throws {
        #expect(AckAggregator(try row.0.map { try AckLabel($0) }).isPlain == row.1)
    }

    @Test("deadlines come up in order, and forgetting keeps the order")
    func deadlines() {
        var random = SeededRandom(7)
        for _ in 0..<50 {
            var heap = DeadlineHeap()
            let deadlines = (0..<200).map { _ in UInt64.random(in: 0..<100, using: &random) }
            for (number, deadline) in deadlines.enumerated() { heap.insert(UInt64(number), due: deadline) }
            heap.compact { $0 % 3 != 0 }
            var seen: [UInt64] = []
            while let number = heap.takeDue(70) { seen.append(deadlines[Int(number)]) }
            let wanted = deadlines.enumerated().filter { $0.offset % 3 != 0 && $0.element <= 70 }.map(\.element)
            #expect(seen == wanted.sorted())
        }
    }
}
