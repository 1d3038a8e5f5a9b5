import Testing

@testable import TwinspanConnections

/// A connection without problems; every row of the table below breaks it in one way.
let goodConnection = """
    id: plant
    connectionType: mqtt
    uri: tcp://localhost:1883
    sources:
      - addresses: [telemetry/#]
        qos: 1
        authorizationContext: ["integration:plant"]
        enforcement:
          input: "{{ source:address }}"
          filters: ["telemetry/{{ thing:name }}"]
        headerMapping:
          topic: "{{ header:mqtt.topic }}"
        payloadMapping: [decode]
        replyTarget:
          address: "replies/{{ thing:id }}"
          expectedResponseTypes: [response]
    targets:
      - address: "events/{{ thing:id }}"
        topics: ["_/_/things/twin/events?namespaces=org.plant&filter=gt(attributes/rpm,5)"]
        qos: 0
        authorizationContext: ["integration:plant"]
        headerMapping: {mqtt.retain: "false"}
        twinspan: {name: events, queue: 500}
    mappingDefinitions:
      decode: {mappingEngine: Ditto, options: {}}
    specificConfig: {clientId: twinspan-plant, keepAlive: 60}
    tags: [demo]
    twinspan: {required: false}

    """

@Suite("What is wrong with a connection is said where it is")
struct ConnectionDiagnosticsTests {
    struct Row: CustomTestStringConvertible {
        let find: String
        let replacement: String
        let at: String
        let says: String
        var severity = Diagnostic.Severity.error
        /// How many problems there are in all.
        var count = 1

        init(
            _ find: String, _ replacement: String, _ at: String, _ says: String,
            _ severity: Diagnostic.Severity = .error, count: Int = 1
        ) {
            self.find = find
            self.replacement = replacement
            self.at = at
            self.says = says
            self.severity = severity
            self.count = count
        }
        var testDescription: String { says }
    }

    @Test("the example has no problems")
    func good() {
        let loaded = loadConnections(["c/plant.yaml": goodConnection])
        #expect(loaded.diagnostics == [])
        #expect(loaded.connections.count == 1)
    }

    @Test("a broken connection is not loaded and says why", arguments: identity + place)
    func connection(_ row: Row) throws { try check(row) }

    @Test("a broken source says why", arguments: sources)
    func source(_ row: Row) throws { try check(row) }

    @Test("a broken target says why", arguments: targets)
    func target(_ row: Row) throws { try check(row) }

    @Test("broken mappers, settings and other fields say why", arguments: rest)
    func other(_ row: Row) throws { try check(row) }

    private func check(_ row: Row) throws {
        #expect(goodConnection.range(of: row.find) != nil, "the row does not apply: \(row.find)")
        let text = goodConnection.replacingFirst(row.find, by: row.replacement)
        let loaded = loadConnections(["c/plant.yaml": text])
        let found = loaded.diagnostics.first { $0.message.contains(row.says) }
        let diagnostic = try #require(found, "\(loaded.diagnostics)")
        #expect(diagnostic.at.hasPrefix(row.at), "\(diagnostic)")
        #expect(diagnostic.severity == row.severity)
        #expect(diagnostic.file == "c/plant.yaml")
        #expect(loaded.diagnostics.count == row.count, "\(loaded.diagnostics)")
        #expect(loaded.connections.isEmpty == (row.severity == .error || !loaded.isValid))
    }

    static let identity = [
        Row("id: plant\n", "", "1:1", "this connection has no 'id'"),
        Row("id: plant", "id:", "1:1", "this connection has no 'id'"),
        Row("id: plant", "id: 42", "1:5", "expected text for 'id', found a number"),
        Row("id: plant", "id: plant one", "1:5", "'plant one' is not a connection id"),
        Row("id: plant", "id: [plant]", "1:5", "expected text for 'id', found a list"),
        Row("id: plant", "identifier: x\nid: plant", "1:1", "unknown key 'identifier' in this connection"),
        Row("id: plant", "id: plant\nname: true", "2:7", "expected text for 'name', found true or false"),
        Row("connectionType: mqtt", "connectionType: mqqt", "2:17", "unknown word 'mqqt' for 'connectionType'"),
        Row("connectionType: mqtt\n", "", "1:1", "this connection has no 'connectionType'"),
        Row("connectionType", "connectiontype", "2:1", "unknown key 'connectiontype' in this connection"),
        Row("id: plant", "id: plant\nconnectionStatus: opened", "2:19", "unknown word 'opened'"),
        Row("id: plant", "id: plant\nconnectionStatus: failed", "2:19", "'failed' means closed here", .warning),
        Row("id: plant", "id: plant\nid: other", "2:1", "the key 'id' is there twice"),
        Row("id: plant", "id: plant\nfailoverEnabled: yes", "2:18", "expected true or false for 'failoverEnabled'"),
        Row("id: plant", "id: plant\nvalidateCertificates: 'true'", "2:23", "expected true or false for 'validate"),
        Row("twinspan: {required", "twinspan: {require", "28:12", "unknown key 'require' in 'twinspan' of this"),
        Row("twinspan: {required: false}", "twinspan: false", "28:11", "expected an object for 'twinspan'"),
        Row("tags: [demo]", "tags: [demo, 7]", "27:14", "a tag that is not text is ignored", .warning),
    ]

    static let place = [
        Row("uri: tcp://localhost:1883\n", "", "1:1", "this connection has no 'uri'"),
        Row("tcp://localhost:1883", "tcp://localhost", "3:12", "the URI has no port"),
        Row("tcp://localhost:1883", "tcp://localhost:0", "3:22", "this is not a port"),
        Row("tcp://localhost:1883", "tcp://localhost:x1", "3:22", "this is not a port"),
        Row("tcp://localhost:1883", "localhost:1883", "3:6", "this is not a broker's URI"),
        Row("tcp://localhost:1883", "http://localhost:1883", "3:6", "the scheme 'http' is not valid for mqtt"),
        Row("tcp://localhost:1883", "tcp://localhost:1883?x=1", "3:26", "no query and no fragment"),
        Row("tcp://localhost:1883", "tcp://u:p@w@localhost:1883", "3:12", "an '@' that is not percent-encoded"),
        Row("tcp://localhost:1883", "tcp://u:p/w@localhost:1883", "3:12", "a '/' that is not percent-encoded"),
        Row("tcp://localhost:1883", "tcp://u:p%4@localhost:1883", "3:15", "two hexadecimal digits must follow '%'"),
        Row("tcp://localhost:1883", "tcp://local host:1883", "3:17", "only printable ASCII"),
        Row("tcp://localhost:1883", "tcp://:1883", "3:12", "no valid host"),
        Row("tcp://localhost:1883", "tcp://user@localhost:1883", "3:6", "a user without a password", .warning),
        Row("tcp://localhost:1883", "${BROKER}", "3:6", "the environment variable 'BROKER' is not set"),
        Row("uri: ", "ca: x\nuri: ", "3:5", "bad format of trusted certificates", count: 2),
    ]

    static let sources = [
        Row("addresses: [tele", "adresses: [tele", "5:5", "unknown key 'adresses' in source 1"),
        Row(
            "addresses: [telemetry/#]", "addresses: telemetry/#",
            "5:16", "expected a list for 'addresses', found text"),
        Row("addresses: [telemetry/#]", "addresses: []", "5:16", "addresses may not be empty"),
        Row("addresses: [telemetry/#]", "addresses: [a, '']", "5:20", "an address may not be empty"),
        Row("addresses: [telemetry/#]", "addresses: [a, a]", "5:20", "the address 'a' is there twice", .warning),
        Row("[telemetry/#]", "['t/{{ thing:id }}']", "5:23", "placeholder 'thing:id' cannot be used in"),
        Row("qos: 1", "qos: 3", "6:10", "'qos' must be 0, 1 or 2, not 3"),
        Row("qos: 1", "qos: \"1\"", "6:10", "expected a whole number for 'qos', found text"),
        Row("qos: 1", "qos: 2", "6:10", "QoS 2 is subscribed as QoS 1", .warning),
        Row("qos: 1", "qos: 1\n    consumerCount: 0", "7:20", "'consumerCount' must be 1 or more, not 0"),
        Row(
            "    authorizationContext: [\"integration:plant\"]\n    enf", "    enf",
            "5:5", "source 1 has no 'authorizationC"),
        Row("[\"integration:plant\"]\n    enf", "[]\n    enf", "7:27", "the authorizationContext of source 1 is empty"),
        Row("[\"integration:plant\"]\n    enf", "[5]\n    enf", "7:28", "expected text for 'authorizationContext'"),
        Row("[\"integration:plant\"]\n    enf", "['{{ thing:id }}']\n    enf", "7:32", "'thing:id' cannot be used in"),
        Row("input: \"{{ source:address }}\"", "input: \"{{ header:x }}\"", "9:18", "'header:x' cannot be used in"),
        Row("      input: \"{{ source:address }}\"\n", "", "9:7", "the enforcement of source 1 has no 'input'"),
        Row("{{ thing:name }}\"]", "{{ thing:nmae }}\"]", "10:31", "placeholder 'thing:nmae' is not known here"),
        Row("{{ thing:name }}\"]", "{{ thing:name \"]", "10:28", "expression is not closed"),
        Row(
            "filters: [\"telemetry/{{ thing:name }}\"]", "filters: []",
            "9:7", "has no filters: nothing can match", .warning),
        Row("header:mqtt.topic", "header:device", "12:18", "placeholder 'header:device' cannot be used in"),
        Row("topic: \"{{ header:mqtt.topic }}\"", "topic: 5", "12:14", "the header 'topic' is ignored", .warning),
        Row("topic: \"{{ header:mqtt.topic }}\"", "topic: \"{{ header:mqtt.topic | fn:lowr() }}\"", "12:38", "fn:lowr"),
        Row("address: \"replies/{{ thing:id }}\"", "address: ''", "15:16", "an address may not be empty"),
        Row(
            "      address: \"replies/{{ thing:id }}\"\n", "",
            "15:7", "has no address: answers are not sent", .warning),
        Row("[response]", "[respons]", "16:31", "the response type 'respons' is ignored", .warning),
        Row(
            "replyTarget:\n", "replyTarget:\n      qos: 1\n",
            "15:7", "unknown key 'qos' in the replyTarget of source 1"),
        Row(
            "qos: 1", "qos: 1\n    declaredAcks: [\"other:ack\"]",
            "7:20", "the label 'other:ack' must begin with the id of this connection"),
        Row("qos: 1", "qos: 1\n    declaredAcks: [live-response]", "7:20", "'live-response' must begin with the id"),
        Row("qos: 1", "qos: 1\n    declaredAcks: [\"plant:ä\"]", "7:20", "is not an acknowledgement label"),
        Row(
            "qos: 1", "qos: 1\n    declaredAcks: [\"{{ thing:id }}:x\"]",
            "7:24", "placeholder 'thing:id' cannot be used in an acknowledgement label"),
        Row(
            "qos: 1", "qos: 1\n    declaredAcks: [\"plant:a\", \"{{ connection:id }}:a\"]",
            "7:31", "is there twice", .warning),
        Row(
            "qos: 1", "qos: 1\n    acknowledgementRequests: {includes: [a]}",
            "7:42", "'a' is not an acknowledgement label"),
        Row(
            "qos: 1", "qos: 1\n    acknowledgementRequests: {includes: [], filter: \"fn:delet()\"}",
            "7:54", "function 'fn:delet' is not known"),
        Row("qos: 1", "qos: 1\n    acknowledgementRequests: {includes: []}", "7:30", "ask for nothing", .warning),
        Row("qos: 1", "qos: 1\n    acknowledgementRequests: {filter: \"fn:delete()\"}", "7:30", "no 'includes'"),
        Row("[response]", "[]", "16:30", "expects nothing: answers are not sent", .warning),
        Row("qos: 1", "qos: 1\n    acknowledgementRequests: {include: []}", "7:31", "unknown key 'include'"),
        Row("qos: 1", "qos: 1\n    twinspan: {name: x}", "7:16", "unknown key 'name' in 'twinspan' of source 1"),
        Row("  - addresses: [telemetry/#]", "  - null\n  - addresses: [telemetry/#]", "5:5", "object for source 1"),
        Row("payloadMapping: [decode]", "payloadMapping: [decod]", "13:22", "unknown mapper 'decod'", count: 2),
        Row("payloadMapping: [decode]", "payloadMapping: [decode, Normalised]", "13:30", "unknown mapper 'Normalised'"),
        Row("mappingEngine: Ditto", "mappingEngine: Normalized", "13:22", "map nothing that comes in", .warning),
        Row(
            "payloadMapping: [decode]", "payloadMapping: [decode, JavaScript]",
            "13:30", "cannot be used without options"),
        Row(
            "[decode]", "[decode, a, Ditto, Ditto, Ditto, Ditto, Ditto, Ditto, Ditto, Ditto, Ditto]",
            "13:89", "11 mappers", count: 2),
    ]

    static let targets = [
        Row("address: \"events/{{ thing:id }}\"", "address: ''", "18:14", "an address may not be empty"),
        Row("address: \"events", "adress: \"events", "18:5", "unknown key 'adress' in target 1"),
        Row("events/{{ thing:id }}", "events/{{ thing:nam }}", "18:25", "placeholder 'thing:nam' is not known here"),
        Row("events/{{ thing:id }}", "events/{{ thing:id | upper }}", "18:36", "upper"),
        Row("events/{{ thing:id }}", "events/{{ thing:id | fn:default(5) }}", "18:47", "fn:default"),
        Row("twin/events?", "twin/event?", "19:15", "unknown topic '_/_/things/twin/event'"),
        Row(
            "twin/events?namespaces=org.plant&filter=gt(attributes/rpm,5)", "live/messages?fields=a",
            "19:40", "the parameter 'fields' is not known", .warning),
        Row("&filter=gt(attributes/rpm,5)", "&filter=gt(attributes/rpm,)", "19:84", "filter: invalid input ')'"),
        Row(
            "&filter=gt(attributes/rpm,5)", "&filter=gt(attributes%2Frpm%2C%20x)",
            "19:91", "filter: invalid input 'x'"),
        Row("&filter=gt(attributes/rpm,5)", "&filter=gt(attributes/rpm,5", "19:84", "filter: unexpected end of input"),
        Row("&filter=gt(attributes/rpm,5)", "&filter=gt(attribute/rpm,5)", "19:69", "filter:"),
        Row("&filter=gt(attributes/rpm,5)", "&filtre=x", "19:59", "the parameter 'filtre' is not known", .warning),
        Row("&filter=gt(attributes/rpm,5)", "&filter", "19:59", "a parameter without '=' is ignored", .warning),
        Row("&filter=gt", "&namespaces=x&filter=gt", "19:59", "the parameter 'namespaces' is there twice"),
        Row("&filter=gt(attributes/rpm,5)", "&extraFields=attributes(", "19:71", "extraFields: numbers of opening"),
        Row(
            "&filter=gt(attributes/rpm,5)", "&extraFields=attributes/{{ thing:nam }}",
            "19:85", "extraFields: placeholder 'thing:nam' is not known"),
        Row("&filter=gt(attributes/rpm,5)", "&extraFields=a(b,{{ policy }})", "19:", "extraFields: "),
        Row("namespaces=org.plant", "namespaces=%zz", "19:49", "two hexadecimal digits must follow '%'"),
        Row(
            "    topics: [\"_/_/things/twin/events?namespaces=org.plant&filter=gt(attributes/rpm,5)\"]\n", "",
            "18:5", "target 1 has no topics", .warning),
        Row("qos: 0", "qos: -1", "20:10", "'qos' must be 0, 1 or 2, not -1"),
        Row(
            "[\"integration:plant\"]\n    headerMapping: {mqtt", "['{{ header:x }}']\n    headerMapping: {mqtt",
            "21:32", "'header:x' cannot be used in"),
        Row(
            "[\"integration:plant\"]\n    headerMapping: {mqtt", "[]\n    headerMapping: {mqtt",
            "21:27", "of target 1 is empty"),
        Row("{mqtt.retain: \"false\"}", "{mqtt.retain: false}", "22:34", "'mqtt.retain' is ignored", .warning),
        Row("{mqtt.retain: \"false\"}", "[]", "22:20", "expected an object for 'headerMapping', found a list"),
        Row("queue: 500", "queue: 0", "23:37", "'queue' must be from 1 to 1000000, not 0"),
        Row("queue: 500", "rate: 5", "23:30", "'rate' has no effect on an ordinary target", .warning),
        Row("queue: 500", "delivery: durable, rate: 0", "23:55", "'rate' must be from 1 to 1000000, not 0", count: 2),
        Row("queue: 500", "delivery: durable", "20:10", "a durable target with qos 0 loses", .warning),
        Row("queue: 500", "delivery: lasting", "23:40", "unknown word 'lasting' for 'delivery'"),
        Row("name: events, queue: 500", "delivery: durable", "23:15", "a durable target needs a name", count: 2),
        Row("name: events, queue", "nam: events, queue", "23:16", "unknown key 'nam' in 'twinspan' of target 1"),
        Row(
            "qos: 0", "qos: 0\n    issuedAcknowledgementLabel: \"sent\"",
            "21:33", "the label 'sent' must begin with the id"),
        Row("qos: 0", "qos: 0\n    issuedAcknowledgementLabel: twin-persisted", "21:33", "must begin with the id"),
        Row("qos: 0", "qos: 0\n    addresses: [x]", "21:5", "unknown key 'addresses' in target 1"),
    ]

    static let rest = [
        Row("sources:\n", "sources: {}\nold:\n", "4:10", "expected a list for 'sources', found an object", count: 3),
        Row("decode: {", "decode: {condition: x, ", "25:12", "unknown key 'condition' in mapper 'decode'"),
        Row("mappingEngine: Ditto", "mappingEngine: Dito", "25:27", "unknown mapper 'Dito'"),
        Row("mappingEngine: Ditto", "mappingEngine: JavaScript", "25:27", "the mapper 'JavaScript' needs options"),
        Row(
            "mappingEngine: Ditto, options: {}", "mappingEngine: JavaScript, options: {script: none.js}",
            "25:57", "the file 'none.js' cannot be read"),
        Row("mappingEngine: Ditto, ", "", "25:11", "mapper 'decode' has no 'mappingEngine'"),
        Row("options: {}", "incomingConditions: {a: 'fn:filter(header:a'}", "25:76", "fn:filter", count: 1),
        Row(
            "decode: {", "unused: {mappingEngine: Ditto}\n  decode: {",
            "25:3", "mapper 'unused' is defined and used by no", .warning),
        Row("tags: [demo]", "clientCount: 2", "27:14", "client count limited to 1 for MQTT 3.1.1"),
        Row("tags: [demo]", "processorPoolSize: 5", "27:1", "'processorPoolSize' has no effect", .warning),
        Row(
            "tags: [demo]", "sshTunnel: {enabled: true, url: x}", "27:28", "unknown key 'url' in the sshTunnel",
            count: 3),
        Row(
            "tags: [demo]", "credentials: {type: client-cert, certificate: x}",
            "27:34", "unknown key 'certificate'"),
        Row(
            "tags: [demo]", "mappingContext: {mappingEngine: JavaScript}",
            "27:33", "the mapper 'JavaScript' needs options"),
        Row("specificConfig: {", "specificConfig: [", "26:57", "expected ',' or ']'", count: 1),
    ]

    @Test("a connection needs a source or a target")
    func nothing() {
        let loaded = loadConnections(["c/a.yaml": "id: a\nconnectionType: mqtt\nuri: tcp://h:1\nsources: []\n"])
        #expect(loaded.diagnostics.map(\.at) == ["1:1"])
        #expect(loaded.diagnostics.first?.message == "this connection has neither a source nor a target")
    }

    @Test("more than four sources are too many, and the fifth is named")
    func tooMany() {
        let source = "  - {addresses: [a], qos: 1, authorizationContext: [x]}\n"
        let head = "id: a\nconnectionType: mqtt\nuri: tcp://h:1\nsources:\n"
        let loaded = loadConnections(["c/a.yaml": head + String(repeating: source, count: 6)])
        #expect(loaded.diagnostics.map(\.description).filter { $0.contains("more than 4 sources") }.count == 1)
        #expect(loaded.diagnostics.first?.at == "9:5")
    }

    @Test("two targets cannot have one name")
    func sameName() {
        let rest = "topics: [_/_/things/twin/events], qos: 1, authorizationContext: [x]}"
        let target = "  - {twinspan: {name: n}, address: a, \(rest)\n"
        let head = "id: a\nconnectionType: mqtt\nuri: tcp://h:1\ntargets:\n"
        let loaded = loadConnections(["c/a.yaml": head + target + target])
        #expect(loaded.diagnostics.map(\.at) == ["6:23"])
        #expect(loaded.diagnostics.first?.message == "the name 'n' is used twice")
    }

    @Test("problems of a broken value are not followed by others about the same value")
    func noEchoes() {
        let text = goodConnection.replacingFirst("input: \"{{ source:address }}\"", by: "input: ${X}")
        #expect(loadConnections(["c/plant.yaml": text]).diagnostics.map(\.at) == ["9:14"])
    }
}

extension String {
    /// The text with the first occurrence of another replaced.
    func replacingFirst(_ text: String, by replacement: String) -> String {
        guard let start = range(of: text) else { return self }
        return self[..<start] + replacement + self[index(start, offsetBy: text.count)...]
    }
}
