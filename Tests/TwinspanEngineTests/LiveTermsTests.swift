import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

@Suite("Terms of signals")
struct LiveTermsTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let use: LiveTerms.Use
        let headers: [String: JSONValue]
        let responseRequired: Bool
        let acks: [String]
        var milliseconds: UInt64 = 60_000

        var testDescription: String { "\(use) \(headers)" }
    }

    static let rows: [Row] = [
        Row(use: .twinChange, headers: [:], responseRequired: true, acks: ["twin-persisted"]),
        Row(use: .twinChange, headers: ["response-required": false], responseRequired: false, acks: []),
        Row(use: .twinChange, headers: ["timeout": "0"], responseRequired: false, acks: [], milliseconds: 0),
        Row(use: .twinChange, headers: ["timeout": "0ms"], responseRequired: false, acks: [], milliseconds: 0),
        Row(use: .twinChange, headers: ["requested-acks": []], responseRequired: true, acks: []),
        Row(
            use: .twinChange, headers: ["requested-acks": ["my:ack", "live-response", "search-persisted", "my:ack"]],
            responseRequired: true, acks: ["my:ack", "search-persisted"]),
        Row(
            use: .twinChange, headers: ["requested-acks": "[\"a-1\"]", "response-required": "false"],
            responseRequired: false, acks: ["a-1"]),
        Row(use: .twinChange, headers: ["requested-acks": "a-1, b-1"], responseRequired: true, acks: ["a-1", "b-1"]),
        Row(use: .twinQuery, headers: ["requested-acks": ["a-1"]], responseRequired: true, acks: []),
        Row(use: .liveRequest, headers: [:], responseRequired: true, acks: ["live-response"]),
        Row(
            use: .liveRequest, headers: ["requested-acks": ["a-1", "twin-persisted"]], responseRequired: true,
            acks: ["a-1", "live-response"]),
        Row(
            use: .liveRequest, headers: ["requested-acks": ["live-response", "a-1"], "response-required": false],
            responseRequired: false, acks: ["a-1"]),
        Row(use: .liveRequest, headers: ["timeout": "0"], responseRequired: false, acks: [], milliseconds: 0),
        Row(
            use: .liveRequest, headers: ["timeout": "600s"], responseRequired: true, acks: ["live-response"],
            milliseconds: 60_000),
        Row(
            use: .liveRequest, headers: ["timeout": "1500ms"], responseRequired: true, acks: ["live-response"],
            milliseconds: 1_500),
        Row(
            use: .liveRequest, headers: ["timeout": "9223372036854775807y"], responseRequired: true,
            acks: ["live-response"]),
        Row(use: .liveEvent, headers: [:], responseRequired: true, acks: []),
        Row(
            use: .liveEvent, headers: ["requested-acks": ["a-1", "live-response"]], responseRequired: true,
            acks: ["a-1"]),
    ]

    @Test("defaults and combinations are those of the specification", arguments: rows)
    func legal(row: Row) throws {
        let terms = try LiveTerms(LiveFixture.headers(row.headers), for: row.use)
        #expect(terms.isResponseRequired == row.responseRequired)
        #expect(terms.requestedAcks.map(\.text) == row.acks)
        #expect(terms.timeout == row.milliseconds * 1_000_000)
    }

    static let illegal: [(headers: [String: JSONValue], code: String, status: Int)] = [
        (["timeout": "-1"], "timeout.invalid", 400),
        (["timeout": "1.5s"], "timeout.invalid", 400),
        (["timeout": "soon"], "timeout.invalid", 400),
        (["timeout": ""], "timeout.invalid", 400),
        (["timeout": "0", "response-required": true], "header.invalid", 400),
        (["timeout": "0s", "requested-acks": ["a-1"]], "header.invalid", 400),
        (["timeout": "0s", "requested-acks": ["live-response"]], "header.invalid", 400),
        (["requested-acks": ["a"]], "acknowledgement:request.parsing.failed", 422),
        (["requested-acks": ["a-1", "b c"]], "acknowledgement:request.parsing.failed", 422),
        (["requested-acks": [1]], "acknowledgement:request.parsing.failed", 422),
        (["requested-acks": 1], "header.invalid", 400),
        (["requested-acks": "[1"], "header.invalid", 400),
        (["requested-acks": "[1]"], "acknowledgement:request.parsing.failed", 422),
    ]

    @Test("what cannot be meant is refused", arguments: illegal)
    func refused(row: (headers: [String: JSONValue], code: String, status: Int)) {
        for use in [LiveTerms.Use.twinChange, .twinQuery, .liveRequest, .liveEvent] {
            do throws(TwinspanError) {
                _ = try LiveTerms(LiveFixture.headers(row.headers), for: use)
                Issue.record("\(row.headers) is taken for \(use)")
            } catch {
                #expect(error.code == row.code)
                #expect(error.status == row.status)
            }
        }
    }
}
