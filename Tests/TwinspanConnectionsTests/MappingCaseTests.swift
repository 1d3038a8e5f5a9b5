// The format of test cases: what is read, and where each mistake is reported.
import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("Mapping cases")
struct MappingCaseTests {
    private static let connection = """
        id: plant
        connectionType: mqtt
        uri: tcp://localhost:1883
        sources:
          - { addresses: ["plant/#"], qos: 0, authorizationContext: [a] }
          - { addresses: [fixed], qos: 1, authorizationContext: [a] }
        targets:
          - { address: out, topics: [_/_/things/twin/events], qos: 1, authorizationContext: [a] }
        """

    private static func load(
        _ cases: String, connection: String = connection, paths: [String] = ["c"], named: String = "c/plant.test.yaml"
    ) -> LoadedCases {
        CaseFiles.load(paths: paths, environment: .memory(["c/plant.yaml": connection, named: cases]))
    }

    @Test("every field of a case of a source is read")
    func inward() throws {
        let loaded = Self.load(
            """
            - name: all of it
              connection: plant
              time: 2030-02-01T00:00:00Z
              source: 1
              address: plant/7
              qos: 2
              headers: { a: b, number: 7 }
              payload: { rpm: 1.50, list: [true, null] }
              expect: [ { equals: { path: / } }, { contains: { value: 1 } } ]
              error: some:code
            """)
        #expect(loaded.diagnostics == [])
        let read = try #require(loaded.cases.first)
        #expect(read.name == "all of it" && read.file == "c/plant.test.yaml" && read.line == 1)
        #expect(read.connection.id.text == "plant" && read.time == Timestamp(parsing: "2030-02-01T00:00:00Z"))
        guard case .message(let message) = read.input else { throw Missing() }
        #expect(message.source == 0 && message.address == "plant/7" && message.qos == 2)
        #expect(message.headers.map { "\($0.name)=\($0.value)" } == ["a=b", "number=7"])
        #expect(String(decoding: message.payload, as: UTF8.self) == #"{"rpm":1.50,"list":[true,null]}"#)
        #expect(read.expectation.messages?.map(\.isPartial) == [false, true])
        #expect(read.expectation.messages?.last?.value == ["value": 1])
        #expect(read.expectation.errorCode == "some:code" && !read.expectation.isDropped)
    }

    private struct Missing: Error {}

    @Test("what is left out comes from the connection; documents and lists are both cases")
    func defaults() throws {
        let loaded = Self.load(
            """
            name: text
            source: 2
            payload: '{"a": 1}'
            dropped: true
            ---
            name: bytes
            source: 2
            payloadBase64: AP8=
            expect: []
            ---
            - name: outward
              event: { topic: t }
              dropped: true
            - { name: nothing, address: plant/1, error: e }
            """)
        #expect(loaded.diagnostics == [])
        var payloads: [[UInt8]] = []
        for read in loaded.cases {
            switch read.input {
            case .message(let message):
                payloads.append(message.payload)
                #expect(message.address == (payloads.count < 3 ? "fixed" : "plant/1"))
                #expect(message.qos == (payloads.count < 3 ? 1 : 0))
            case .signal(let signal):
                #expect(signal.target == 0 && String(decoding: signal.envelope, as: UTF8.self) == #"{"topic":"t"}"#)
            }
            #expect(read.time == Timestamp(parsing: "2026-01-01T00:00:00Z"))
        }
        #expect(payloads == [Array(#"{"a": 1}"#.utf8), [0, 255], []])
        #expect(loaded.cases.map(\.line) == [1, 6, 11, 14])
    }

    /// A case with one mistake: where it is reported, and a word of the message.
    private static let mistakes: [(at: String, word: String, text: String)] = [
        ("1:3", "has no 'name'", "- address: plant/1\n  dropped: true"),
        ("2:3", "'adress'", "- name: a\n  adress: plant/1\n  dropped: true"),
        ("2:11", "there is no source 3", "- name: a\n  source: 3\n  dropped: true"),
        ("2:11", "must be", "- name: a\n  source: 0\n  dropped: true"),
        ("2:11", "there is no target 2", "- name: a\n  target: 2\n  event: {}\n  dropped: true"),
        ("1:3", "has no 'address'", "- name: a\n  dropped: true"),
        ("1:3", "has no 'event'", "- name: a\n  target: 1\n  dropped: true"),
        ("3:3", "belongs to cases of a source", "- name: a\n  target: 1\n  payload: x\n  event: {}\n  dropped: true"),
        ("1:3", "has no 'expect'", "- name: a\n  source: 2"),
        ("4:3", "exclude each other", "- name: a\n  source: 2\n  dropped: true\n  error: e"),
        ("3:12", "says nothing to expect", "- name: a\n  source: 2\n  dropped: false"),
        ("3:3", "exclude each other", "- name: a\n  source: 2\n  payload: x\n  payloadBase64: AA==\n  dropped: true"),
        ("3:18", "not base64", "- name: a\n  source: 2\n  payloadBase64: '?'\n  dropped: true"),
        ("3:9", "not a time", "- name: a\n  source: 2\n  time: noon\n  dropped: true"),
        ("3:8", "must be", "- name: a\n  source: 2\n  qos: 3\n  dropped: true"),
        ("3:12", "an object", "- name: a\n  source: 2\n  headers: x\n  dropped: true"),
        ("3:17", "header 'x'", "- name: a\n  source: 2\n  headers: { x: [] }\n  dropped: true"),
        ("2:15", "there is no connection 'plan'", "- name: a\n  connection: plan\n  dropped: true"),
        ("3:11", "a list", "- name: a\n  source: 2\n  expect: {}"),
        ("3:12", "an object", "- name: a\n  source: 2\n  expect: [x]"),
        ("3:14", "'equal'", "- name: a\n  source: 2\n  expect: [{ equal: {} }]"),
        ("3:12", "has no 'equals'", "- name: a\n  source: 2\n  expect: [{}]"),
        ("3:26", "exclude each other", "- name: a\n  source: 2\n  expect: [{ equals: {}, contains: {} }]"),
        ("3:26", "'payload'", "- name: a\n  source: 2\n  expect: [{ contains: { payload: 1 } }]"),
        ("3:26", "'topic'", "- name: a\n  event: {}\n  expect: [{ contains: { topic: 1 } }]"),
        ("1:3", "expected an object", "- text"),
    ]

    @Test("a mistake is reported at its place", arguments: mistakes)
    func mistake(at: String, word: String, text: String) {
        let loaded = Self.load(text)
        let found = loaded.diagnostics.filter { $0.severity == .error }
        #expect(
            found.contains { $0.at == at && $0.message.contains(word) && $0.file == "c/plant.test.yaml" },
            "\(found.map { "\($0.at) \($0.message)" })")
        #expect(loaded.cases.isEmpty)
    }

    @Test("a case of several connections names one; a broken connection is told of by itself")
    func connections() {
        let two = Self.connection + "\n---\n" + Self.connection.replacing("id: plant", with: "id: other")
        let unnamed = Self.load("- { name: a, source: 2, dropped: true }", connection: two)
        #expect(unnamed.diagnostics.first?.message.contains("has no 'connection'") == true)
        #expect(unnamed.diagnostics.first?.hint?.contains("plant, other") == true)
        let named = Self.load("- { name: a, connection: other, source: 2, dropped: true }", connection: two)
        #expect(named.cases.first?.connection.id.text == "other")
        let broken = Self.load("- { name: a, source: 2, dropped: true }", connection: "id: plant")
        #expect(broken.cases.isEmpty && broken.diagnostics.isEmpty && !broken.connectionDiagnostics.isEmpty)
    }

    @Test("the files with cases are found beside connections, and no connections are read from them")
    func files() {
        let text = "- { name: a, source: 2, dropped: true }"
        for paths in [["c"], ["c/"], ["c/plant.yaml"], ["c/plant.test.yaml"], ["c", "c/plant.yaml"]] {
            let loaded = Self.load(text, paths: paths)
            #expect(loaded.cases.count == 1 && loaded.files.count == 1, "\(paths): \(loaded.diagnostics)")
        }
        #expect(
            Self.load(#"[{"name": "a", "source": 2, "dropped": true}]"#, named: "c/plant.test.json").cases.count == 1)
        let alone = Self.load(text, named: "c/other.test.yaml")
        #expect(alone.diagnostics.first?.message.contains("no connection file beside") == true)
        #expect(!Self.load(text, paths: ["nowhere"]).diagnostics.isEmpty)
        #expect(Self.load("", paths: ["c"]).diagnostics.map(\.severity) == [.warning])
        let files = ["c/plant.yaml": Self.connection, "c/plant.test.yaml": text]
        for paths in [["c"], ["c/plant.yaml", "c/plant.test.yaml"]] {
            let loaded = ConnectionFiles.load(paths: paths, environment: .memory(files))
            #expect(loaded.files == ["c/plant.yaml"] && loaded.connections.count == 1)
        }
    }
}
