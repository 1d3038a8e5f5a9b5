import Testing
import TwinspanJSON

@testable import TwinspanConnections

@Suite("How problems are shown")
struct DiagnosticReportTests {
    static let files = [
        "c/plant.yaml": """
        id: plant
        connectionType: mqtt
        uri: tcp://user:geheim@localhost
        sources:
          - consumerCount: 1
            adresses: [telemetry/#]
            qos: 2
            authorizationContext: [integration:plant]
        targets:
          - address: "events/{{ thing:nam }}"
            topics: [_/_/things/twin/events]
            qos: 1
            authorizationContext: [integration:plant]
        mappingDefinitions:
          decode: {mappingEngine: Ditto}

        """,
        "c/fine.yaml": goodConnection.replacingFirst("id: plant", by: "id: fine"),
        "c/broken.yaml": "id: x\n\n\turi: y\n",
    ]

    @Test("the text for a terminal has place, lines, caret, advice and a count")
    func text() {
        let loaded = loadConnections(Self.files)
        let report = DiagnosticReport(loaded.diagnostics, fileCount: loaded.files.count)
        let expected = """
            c/broken.yaml:3:1: error: a tab cannot indent.
                3 |  uri: y
                  | ^ use spaces
            c/plant.yaml:3:24: error: the URI has no port.
                2 | connectionType: mqtt
                3 | uri: tcp://user:******@localhost
                  |                        ^^^^^^^^^ write it behind the host, e.g. localhost:1883
            c/plant.yaml:6:5: error: unknown key 'adresses' in source 1.
                5 |   - consumerCount: 1
                6 |     adresses: [telemetry/#]
                  |     ^^^^^^^^ did you mean 'addresses'?
            c/plant.yaml:7:10: warning: QoS 2 is subscribed as QoS 1: a crash could lose QoS 2 messages.
                say 1; a message may then arrive twice, which a twin does not mind
            c/plant.yaml:10:25: error: placeholder 'thing:nam' is not known here.
                9 | targets:
               10 |   - address: "events/{{ thing:nam }}"
                  |                         ^^^^^^^^^ did you mean 'thing:name'?
                allowed in a target address: thing:id, thing:namespace, thing:name, entity:id, entity:namespace,
                entity:name, feature:id, topic:*, header:*, resource:type, resource:path, thing-json:*,
                request:subjectId, time:now, time:now_epoch_millis, connection:id
            c/plant.yaml:15:3: warning: mapper 'decode' is defined and used by no source or target.
            4 errors, 2 warnings in 2 of 3 files

            """
        #expect(report.text() == expected)
    }

    @Test("colour marks place, severity and advice, and only when asked for")
    func colour() {
        let diagnostic = Diagnostic(
            severity: .error, file: "f", line: 1, column: 3, length: 2, message: "no", hint: "yes",
            excerpt: [.init(number: 1, text: "a bc")])
        let report = DiagnosticReport([diagnostic], fileCount: 1)
        #expect(report.text() == "f:1:3: error: no.\n    1 | a bc\n      |   ^^ yes\n1 error in 1 of 1 file\n")
        let escape = "\u{1B}["
        #expect(
            report.text(isColoured: true)
                == "\(escape)1mf:1:3\(escape)0m: \(escape)1;31merror\(escape)0m: no.\n"
                + "\(escape)2m    1 | \(escape)0ma bc\n\(escape)2m      | \(escape)0m\(escape)1;31m  ^^\(escape)0m "
                + "\(escape)36myes\(escape)0m\n1 error in 1 of 1 file\n")
    }

    @Test("nothing to say is said")
    func nothing() {
        #expect(DiagnosticReport([], fileCount: 3).text() == "no problems in 3 files\n")
        #expect(DiagnosticReport([], fileCount: 1).text() == "no problems in 1 file\n")
    }

    @Test("a problem of a whole file has no line")
    func wholeFile() {
        let report = DiagnosticReport(
            [Diagnostic(severity: .error, file: "f", line: 0, column: 0, message: "gone", hint: "look")], fileCount: 1)
        #expect(report.text() == "f: error: gone.\n    look\n1 error in 1 of 1 file\n")
    }

    @Test("long lines are cut around the place, tabs are spaces, the caret stays right")
    func longLines() throws {
        let line = "\tstart " + String(repeating: "x", count: 150) + " HERE " + String(repeating: "y", count: 150)
        let column = try #require(line.range(of: "HERE")).utf16Offset(in: line) + 1
        let diagnostic = Diagnostic(
            severity: .error, file: "f", line: 1, column: column, length: 4, message: "no",
            excerpt: [.init(number: 1, text: line)])
        let lines = DiagnosticReport([diagnostic], fileCount: 1).text().split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 100 })
        let caret = try #require(lines[2].firstIndex(of: "^"))
        let distance = lines[2].distance(from: lines[2].startIndex, to: caret)
        #expect(String(lines[1].dropFirst(distance).prefix(4)) == "HERE")
        #expect(lines[1].contains("…"))
    }

    @Test("programs get the same as JSON")
    func json() throws {
        let loaded = loadConnections(["c/a.yaml": "id: a\nconectionType: mqtt\nuri: tcp://h:1\n"])
        let json = DiagnosticReport(loaded.diagnostics, fileCount: 1).json
        #expect(json.object?["errors"] == 2)
        #expect(json.object?["warnings"] == 0)
        #expect(
            json.object?["diagnostics"]?.array?.last == [
                "severity": "error", "file": "c/a.yaml", "line": 2, "column": 1, "length": 13,
                "path": "/conectionType", "message": "unknown key 'conectionType' in this connection",
                "suggestion": "connectionType",
            ])
    }

    @Test("problems are sorted by file, line, column; errors first at one place")
    func sorted() {
        func make(_ file: String, _ line: Int, _ column: Int, _ severity: Diagnostic.Severity) -> Diagnostic {
            Diagnostic(severity: severity, file: file, line: line, column: column, message: "m")
        }
        let wanted = [
            make("a", 1, 2, .error), make("a", 1, 2, .warning), make("a", 1, 10, .error), make("a", 2, 1, .warning),
            make("b", 1, 1, .error),
        ]
        #expect(DiagnosticReport(wanted.reversed(), fileCount: 2).diagnostics == wanted)
    }
}

@Suite("Words that were probably meant")
struct NearestNameTests {
    @Test(
        "are close in letters",
        arguments: [
            ("adresses", "addresses"), ("adress", "address"), ("qso", "qos"), ("connectiontype", "connectionType"),
            ("hedaerMapping", "headerMapping"), ("URI", "uri"), ("soruces", "sources"),
        ])
    func close(_ name: String, _ meant: String) {
        let names = ["addresses", "address", "qos", "uri", "connectionType", "headerMapping", "sources", "targets"]
        #expect(NearestName.find(name, among: names) == meant)
    }

    @Test("are not made up", arguments: ["", "x", "password", "abc", String(repeating: "address", count: 20)])
    func far(_ name: String) {
        #expect(NearestName.find(name, among: ["addresses", "address", "qos", "uri", "sources"]) == nil)
    }
}

@Suite("Passwords in quoted lines")
struct SecretMaskTests {
    @Test(
        "are masked, and columns stay",
        arguments: [
            ("uri: tcp://user:pass@host:1883", "uri: tcp://user:****@host:1883"),
            ("uri: \"ssl://u:p@ss:w@host:1\"", "uri: \"ssl://u:******@host:1\""),
            ("uri: tcp://user:${PW}@host:1883", "uri: tcp://user:${PW}@host:1883"),
            ("- {user: a, password: geheim}", "- {user: a, password: ******}"),
            ("\"password\": \"geheim\",", "\"password\": \"******\","),
            ("passwordHash: $y$j9T$x", "passwordHash: ********"),
            ("password: ${PW}", "password: ${PW}"), ("uri: tcp://host:1883", "uri: tcp://host:1883"),
            ("monkey: x", "monkey: x"),
        ])
    func masked(_ line: String, _ shown: String) {
        #expect(SecretMask.masking(line) == shown)
        #expect(SecretMask.masking(line).count == line.count)
    }
}
