// Test cases that run: what passes, what fails, and how it is told.
import Foundation
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanMapping
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("CaseResult")
struct CaseResultTests {
    private static let connection = """
        id: plant
        connectionType: mqtt
        uri: tcp://127.0.0.1:1883
        mappingDefinitions:
          make:
            mappingEngine: ImplicitThingCreation
            options:
              thing: { thingId: "org:{{ header:device_id }}", attributes: { at: "{{ time:now }}" } }
          cbor: { mappingEngine: Cbor }
        sources:
          - addresses: ["plant/#"]
            qos: 1
            authorizationContext: [a]
            enforcement: { input: "{{ source:address }}", filters: ["plant/{{ thing:name }}"] }
          - { addresses: [new], qos: 1, authorizationContext: [a], payloadMapping: [make] }
          - { addresses: [bytes], qos: 1, authorizationContext: [a], payloadMapping: [cbor] }
        targets:
          - address: "out/{{ thing:name }}"
            topics: ["_/_/things/twin/events?filter=gt(attributes/rpm,5)"]
            qos: 1
            authorizationContext: [a]
        """

    private static let input = """
        address: plant/pump
        payload:
          topic: org/pump/things/twin/commands/modify
          path: /attributes
          value: { rpm: 7.0, list: [1, { a: 1, b: 2 }] }

        """
    private static let event = """
        event:
          topic: org/pump/things/twin/events/modified
          headers: { a: b }
          path: /attributes/rpm
          value: 7
          revision: 3
          timestamp: 2026-01-01T00:00:00Z

        """

    private static func run(_ text: String) throws -> CaseResult {
        let directory = try TemporaryDirectory(isInMemory: true)
        defer { withExtendedLifetime(directory) {} }
        try connection.write(toFile: directory.path + "/plant.yaml", atomically: false, encoding: .utf8)
        try ("name: it\n" + text).write(
            toFile: directory.path + "/plant.test.yaml", atomically: false, encoding: .utf8)
        let loaded = CaseFiles.load(paths: [directory.path])
        #expect(loaded.diagnostics.isEmpty && loaded.connectionDiagnostics.isEmpty, "\(loaded)")
        return CaseResult(try #require(loaded.cases.first), mappers: .builtIn)
    }

    private static let whole =
        "topic: org/pump/things/twin/commands/modify, path: /attributes, value: { list: [1, { b: 2, a: 1 }], rpm: 7 }"

    /// `{"topic": …, "path": "/attributes/a", "value": 1}` as CBOR.
    private static let cbor =
        "o2V0b3BpY3gkb3JnL3B1bXAvdGhpbmdzL3R3aW4vY29tbWFuZHMvbW9kaWZ5ZHBhdGhtL2F0dHJpYnV0"
        + "ZXMvYWV2YWx1ZQE="

    static let passing: [String] = [
        "source: 3\npayloadBase64: \(cbor)\nexpect: [{ contains: { path: /attributes/a, value: 1 } }]",
        "source: 3\npayloadBase64: oA==\nerror: json.field.missing",
        "source: 3\npayloadBase64: /w==\nerror: connectivity:message.mapping.failed",
        input + "expect: [{ contains: { path: /attributes } }]",
        input + "expect: [{ contains: { value: { rpm: 7, list: [1.0, { b: 2 }] } } }]",
        // The correlation id that the pipeline makes is not compared unless it is named.
        input + "expect: [{ equals: { \(whole) } }]", input + "expect: [{ equals: { \(whole), headers: {} } }]",
        input.replacing("plant/pump", with: "plant/other")
            + "error: connectivity:connection.id.enforcement.failed",
        input.replacing("plant/pump", with: "plant/other")
            + "error: connectivity:connection.id.enforcement.failed\nexpect: []",
        "source: 1\naddress: plant/pump\npayload: nonsense\nerror: json.invalid",
        "source: 2\nheaders: { device_id: x }\n"
            + "expect: [{ contains: { value: { thingId: 'org:x', attributes: { at: '2026-01-01T00:00:00Z' } } } }]",
        "source: 2\ntime: 2030-05-06T07:08:09Z\nheaders: { device_id: x }\n"
            + "expect: [{ contains: { value: { attributes: { at: '2030-05-06T07:08:09Z' } } } }]",
        event + "expect: [{ contains: { address: out/pump, payload: { value: 7 } } }]",
        event + "expect: [{ contains: { address: out/pump, qos: 1, retain: false, headers: {} } }]",
        event.replacing("value: 7", with: "value: 3") + "dropped: true",
        event.replacing("twin/events/modified", with: "live/messages/a") + "dropped: true",
        event.replacing("twin/events/modified", with: "twin/commands/modify")
            + "error: protocoladapter:unknown.topicpath",
    ]

    @Test("a case that says what comes of it passes", arguments: passing)
    func passes(text: String) throws {
        let result = try Self.run(text)
        #expect(result.isPassed, "\(result.findings.map(\.text))")
    }

    static let failing: [(text: String, finding: String)] = [
        (input + "expect: [{ contains: { value: { rpm: 8 } } }]", "message 1 /value/rpm: expected 8, found 7.0"),
        (input + "expect: [{ contains: { value: { rpm: '7.0' } } }]", #"/value/rpm: expected "7.0", found 7.0"#),
        (input + "expect: [{ contains: { extra: 1 } }]", "message 1 /extra: expected 1, found nothing"),
        (input + "expect: [{ contains: { headers: { a: b } } }]", #"/headers/a: expected "b", found nothing"#),
        (input + "expect: [{ contains: { value: { list: [1] } } }]", "expected 1 element, found 2 elements"),
        (input + "expect: [{ contains: { value: { list: [{ a: 1, b: 2 }, 1] } } }]", "/value/list/0: expected {"),
        (input + "expect: [{ equals: { path: /attributes } }]", "/topic: expected nothing, found"),
        (input + "expect: []", "message 1: expected no message, found {"),
        (input + "expect: [{ contains: {} }, { contains: {} }]", "message 2: expected a message, found none"),
        (input + "dropped: true", "message 1: expected no message, found {"),
        (input + "error: json.invalid", "expected the error json.invalid, found none"),
        (
            input.replacing("plant/pump", with: "plant/other") + "expect: [{ contains: {} }]",
            "expected no error, found connectivity:connection.id.enforcement.failed: "
        ),
        (
            input.replacing("plant/pump", with: "plant/other") + "error: json.invalid",
            "expected the error json.invalid, found connectivity:connection.id.enforcement.failed"
        ),
        (input.replacing("plant/pump", with: "plant/other") + "dropped: true", "expected no error, found"),
        (
            event + "expect: [{ contains: { address: out/other } }]",
            #"/address: expected "out/other", found "out/pump""#
        ),
        (event + "expect: [{ contains: { qos: 0 } }]", "/qos: expected 0, found 1"),
        (event + "expect: [{ contains: { payload: text } }]", #"/payload: expected "text", found "{"#),
        (event + "dropped: true", "message 1: expected no message"),
        (
            event.replacing("value: 7", with: "value: 3") + "expect: [{ contains: {} }]",
            "message 1: expected a message, found none (topic dropped: no topic admits it)"
        ),
    ]

    @Test("a case that says something else fails and says where", arguments: failing)
    func fails(text: String, finding: String) throws {
        let result = try Self.run(text)
        #expect(result.findings.contains { $0.text.contains(finding) }, "\(result.findings.map(\.text))")
    }

    @Test("the report counts, and its XML survives every character")
    func report() throws {
        let good = try Self.run(Self.input + "expect: [{ contains: { path: /attributes } }]")
        let bad = try Self.run(
            Self.input + "expect: [{ contains: { value: \"<&'\\\"\\u0001 \" } }]")
        let report = CaseReport([good, bad])
        #expect(report.failureCount == 1)
        #expect(report.text.contains("FAILED  it") && report.text.hasSuffix("1 of 2 cases in 2 files failed\n"))
        #expect(CaseReport([good]).text == "1 case in 1 file passed\n")
        let json = report.json.object
        #expect(json?["success"] == false && json?["failed"] == 1 && json?["total"] == 2)
        let problem = Diagnostic(
            severity: .error, file: "a&b.yaml", line: 3, column: 1, message: "unknown key '<x>'")
        let xml = report.junit(problems: [problem])
        #expect(xml.contains(#"tests="3" failures="1" errors="1""#))
        #expect(xml.contains("&lt;&amp;&apos;") && xml.contains("a&amp;b.yaml:3"))
        #expect(!xml.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
        // Well-formed: every tag that opens is closed in order.
        var open: [Substring] = []
        for tag in xml.split(separator: "<").dropFirst(1).compactMap({ $0.split(separator: ">").first }) {
            let name = tag.prefix { $0 != " " && $0 != "/" || $0 == "/" && tag.first == "/" }
            if tag.hasPrefix("?") || tag.hasSuffix("/") { continue }
            if tag.hasPrefix("/") { #expect(open.popLast() == name.dropFirst()) } else { open.append(name) }
        }
        #expect(open.isEmpty, "\(xml)")
    }

    @Test("differences: numbers by value, members in any order, arrays in order")
    func differences() {
        let rows: [(expected: JSONValue, found: JSONValue, isPartial: Bool, paths: [String])] = [
            (1, 1, false, []), (["a": 1, "b": 2], ["b": 2, "a": 1], false, []),
            (["a": 1], ["a": 1, "b": 2], true, []), (["a": 1], ["a": 1, "b": 2], false, ["/b"]),
            ([["a": 1]], [["a": 1, "b": 2]], true, []), ([1, 2], [2, 1], true, ["/0", "/1"]),
            ([1], [1, 2], true, [""]), ([], [], true, []), (["a b": .null], ["a b": 1], true, ["/a b"]),
            (["a": .null], .object(JSONObject()), true, ["/a"]), ("1", 1, true, [""]), (true, 1, true, [""]),
        ]
        for row in rows {
            let found = JSONDifference.between(expected: row.expected, found: row.found, isPartial: row.isPartial)
            #expect(found.map(\.path) == row.paths, "\(row) \(found)")
        }
    }
}
