import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("the JSON of metrics")
struct ConnectionMetricsJSONTests {
    private typealias Count = ConnectionMetrics.Count

    private static func response(_ metrics: ConnectionMetrics) throws -> JSONValue {
        .object(ConnectionMetricsJSON.response(metrics, connectionID: try ConnectionID("c1")))
    }

    private static func at(_ pointer: String, _ value: JSONValue) throws -> JSONValue? {
        value.value(at: try JSONPointer(parsing: pointer))
    }

    @Test("without addresses every map is null")
    func empty() throws {
        let expected = #"""
            {"type":"connectivity.responses:retrieveConnectionMetrics","status":200,"connectionId":"c1",\#
            "containsFailures":false,"connectionMetrics":{"inbound":null,"outbound":null},\#
            "sourceMetrics":{"addressMetrics":null},"targetMetrics":{"addressMetrics":null}}
            """#
        #expect(try Self.response(ConnectionMetrics(sources: [], targets: [])).text == expected)
    }

    @Test("a measurement shows its windows and the last message")
    func measurement() throws {
        let metrics = ConnectionMetrics(
            sources: [
                .init(
                    address: "a/#",
                    measurements: [
                        .init(
                            stage: .consumed,
                            success: Count(
                                lastMinute: 1, lastHour: 2, lastDay: 3,
                                lastMessageAt: Timestamp(milliseconds: 1_000)))
                    ])
            ], targets: [])
        #expect(
            try Self.at("/sourceMetrics/addressMetrics", Self.response(metrics))?.text == #"""
                {"a/#":{"consumed":{"success":{"PT1M":1,"PT1H":2,"PT24H":3,\#
                "lastMessageAt":"1970-01-01T00:00:01Z"},"failure":{"PT1M":0,"PT1H":0,"PT24H":0,\#
                "lastMessageAt":null}}}}
                """#)
    }

    @Test("the connection shows the sums, and the later of the last messages")
    func sums() throws {
        let metrics = ConnectionMetrics(
            sources: [],
            targets: [
                .init(
                    address: "x",
                    measurements: [
                        .init(
                            stage: .published,
                            success: Count(
                                lastMinute: 1, lastHour: 10, lastDay: 100,
                                lastMessageAt: Timestamp(milliseconds: 2_000)))
                    ]),
                .init(
                    address: "_responses",
                    measurements: [
                        .init(
                            stage: .published,
                            success: Count(
                                lastMinute: 2, lastHour: 20, lastDay: 200,
                                lastMessageAt: Timestamp(milliseconds: 1_000)))
                    ]),
            ])
        let response = try Self.response(metrics)
        #expect(
            try Self.at("/connectionMetrics/outbound/published/success", response)?.text
                == #"{"PT1M":3,"PT1H":30,"PT24H":300,"lastMessageAt":"1970-01-01T00:00:02Z"}"#)
        #expect(try Self.at("/connectionMetrics/inbound", response)?.isNull == true)
    }

    @Test(
        "any failure in any window counts as containing failures",
        arguments: [
            (Count(), false), (Count(lastMinute: 1, lastHour: 1, lastDay: 1), true), (Count(lastHour: 1), true),
            (Count(lastDay: 1), true), (Count(lastMessageAt: Timestamp(milliseconds: 1)), false),
        ] as [(Count, Bool)])
    private func failures(count: Count, expected: Bool) throws {
        let inbound = ConnectionMetrics(
            sources: [.init(address: "a", measurements: [.init(stage: .mapped, failure: count)])], targets: [])
        let outbound = ConnectionMetrics(sources: [], targets: inbound.sources)
        for metrics in [inbound, outbound] {
            #expect(try Self.at("/containsFailures", Self.response(metrics))?.bool == expected)
        }
    }

    @Test("a recorder shows every metric of its direction from the start")
    func stages() throws {
        let rig = try RecorderRig()
        let response = try Self.response(rig.recorder.metrics)
        #expect(
            try Self.at("/connectionMetrics/inbound", response)?.object?.keys == [
                "consumed", "mapped", "other", "dropped", "enforced", "acknowledged", "throttled",
            ])
        #expect(
            try Self.at("/connectionMetrics/outbound", response)?.object?.keys == [
                "dispatched", "filtered", "mapped", "other", "dropped", "published", "acknowledged",
            ])
        #expect(
            try Self.at("/targetMetrics/addressMetrics", response)?.object?.keys == ["out", "_responses"])
    }
}
