import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@testable import TwinspanSupervisor

@Suite("Acknowledgement requests of sources")
struct AcknowledgementRequestTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var given: String?
        var includes: [String] = []
        var filter: String?
        /// The header as JSON afterwards; nil when it is absent.
        let result: String?
        var testDescription: String { "\(given ?? "absent") + \(includes) | \(filter ?? "") → \(result ?? "absent")" }
    }

    static let rows: [Row] = [
        Row(result: nil), Row(given: "[]", result: "[]"), Row(given: #"["a:b"]"#, result: #"["a:b"]"#),
        Row(includes: ["c:d"], result: #"["c:d"]"#),
        Row(given: #"["a:b"]"#, includes: ["c:d", "a:b"], result: #"["a:b","c:d"]"#),
        // Text with commas is a list too.
        Row(given: #""a:b,x:y""#, includes: ["c:d"], result: #"["a:b","x:y","c:d"]"#),
        // An explicitly empty list is not added to.
        Row(given: "[]", includes: ["c:d"], result: "[]"),
        // A filter that holds changes nothing, one that does not hold empties the list.
        Row(given: #"["a:b"]"#, filter: "fn:filter(header:qos,'eq','1')", result: #"["a:b"]"#),
        Row(given: #"["a:b"]"#, filter: "fn:filter(header:qos,'ne','1')", result: "[]"),
        Row(includes: ["c:d"], filter: "fn:filter(header:qos,'ne','1')", result: "[]"),
        Row(includes: ["c:d"], filter: "fn:filter(header:qos,'eq','1')", result: #"["c:d"]"#),
        Row(filter: "fn:filter(header:qos,'ne','1')", result: "[]"),
        // It holds for an absent list, so the defaults apply.
        Row(filter: "fn:filter(header:qos,'eq','1')", result: nil),
        Row(given: "[]", includes: ["c:d"], filter: "fn:filter(header:qos,'ne','1')", result: "[]"),
        // Removing the value removes all requests.
        Row(filter: "fn:delete()", result: "[]"), Row(given: #"["a:b"]"#, filter: "fn:delete()", result: "[]"),
        // A default applies to an absent list only.
        Row(filter: #"fn:default('["x:y"]')"#, result: #"["x:y"]"#),
        Row(given: #"["a:b"]"#, filter: #"fn:default('["x:y"]')"#, result: #"["a:b"]"#),
        Row(given: "[]", filter: #"fn:default('["x:y"]')"#, result: "[]"),
        Row(
            filter: #"fn:filter(header:qos,'ne','1')|fn:default('["x:y"]')"#, result: #"["x:y"]"#),
        Row(
            given: #"["a:b"]"#, filter: #"fn:filter(header:qos,'ne','1')|fn:default('["x:y"]')"#,
            result: #"["x:y"]"#),
        // The filter may write another list.
        Row(given: #"["a:b"]"#, filter: "fn:replace('a:b','e:f')", result: #"["e:f"]"#),
        Row(given: #"["a:b"]"#, filter: "header:list", result: #"["h:h"]"#),
        Row(given: #"["a:b"]"#, filter: "header:absent", result: "[]"),
        // What is no array is judged with the other headers.
        Row(given: #"["a:b"]"#, filter: "connection:id", result: #""c1""#),
        Row(given: #"["a:b"]"#, filter: "header:broken", result: #""[broken""#),
    ]

    @Test("the list is joined with that of the source, then filtered", arguments: rows)
    func asked(_ row: Row) throws {
        let requests = AcknowledgementRequests(
            includes: try row.includes.map { try AckLabel($0) },
            filter: try row.filter.map { try PipelineExpression.parse($0, scope: .acknowledgementFilter) })
        var headers = DittoHeaders()
        if let given = row.given { headers[.requestedAcks] = try JSONValue.parse(given) }
        var resolver = SignalResolver(connectionID: try ConnectionID("c1"), now: Timestamp(milliseconds: 0))
        resolver.header = { ["qos": "1", "list": #"["h:h"]"#, "broken": "[broken"][$0] }
        try requests.ask(&headers, resolver)
        #expect(headers[.requestedAcks]?.text == row.result)
    }

    @Test(
        "a list that is none is refused, whatever the source asks for",
        arguments: [#"["no label"]"#, "[1]", "{}", "7", #""[""#])
    func illegal(_ given: String) throws {
        let requests = AcknowledgementRequests(includes: [try AckLabel("c:d")])
        var headers = DittoHeaders()
        headers[.requestedAcks] = try JSONValue.parse(given)
        let resolver = SignalResolver(connectionID: try ConnectionID("c1"), now: Timestamp(milliseconds: 0))
        #expect(throws: TwinspanError.self) { try requests.ask(&headers, resolver) }
    }

    /// Topics, whether the signal has a status, and whether a source asks for something on its behalf.
    static let topics: [(String, Int?, Bool)] = [
        ("n/t/things/twin/commands/create", nil, true), ("n/t/things/twin/commands/modify", nil, true),
        ("n/t/things/twin/commands/merge", nil, true), ("n/t/things/twin/commands/delete", nil, true),
        ("n/t/things/live/commands/retrieve", nil, true), ("n/t/things/live/commands/modify", nil, true),
        ("n/t/things/live/messages/ask", nil, true), ("n/t/things/twin/commands/retrieve", nil, false),
        ("n/t/things/live/messages/ask", 200, false), ("n/t/things/live/commands/modify", 204, false),
        ("n/t/things/live/events/modified", nil, false), ("n/t/things/twin/acks/a:b", 200, false),
        ("n/t/policies/commands/modify", nil, false), ("_/_/things/twin/search/subscribe", nil, false),
        ("n/t/things/live/errors", 404, false),
    ]

    @Test("they concern changes of twins, live commands and messages alone", arguments: topics)
    func concerned(_ topic: String, _ status: Int?, _ isConcerned: Bool) throws {
        let envelope = Envelope(topic: try TopicPath(topic), path: .root, status: status)
        #expect(AcknowledgementRequests.concern(envelope) == isConcerned)
    }
}
