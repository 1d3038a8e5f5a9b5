import Testing
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("Connection files")
struct ConnectionFilesTests {
    @Test("every field reaches the connection")
    func fields() throws {
        let loaded = loadConnections(["c/plant.yaml": goodConnection])
        let connection = try #require(loaded.connections.first)
        #expect(connection.id.text == "plant")
        #expect(connection.type == .mqtt)
        #expect(connection.isOpen && connection.isFailoverEnabled && connection.validatesCertificates)
        #expect(connection.uri == ConnectionURI(scheme: "tcp", host: "localhost", port: 1883))
        #expect(connection.specificConfig == ["clientId": "twinspan-plant", "keepAlive": "60"])
        #expect(connection.mappingDefinitions["decode"]?.engine == "Ditto")
        #expect(connection.tags == ["demo"])
        #expect(!connection.isRequired)
        #expect(connection.origin?.file == "c/plant.yaml" && connection.origin?.line == 1)
        let source = try #require(connection.sources.first)
        #expect(source.addresses == ["telemetry/#"] && source.qos == 1 && source.consumerCount == 1)
        #expect(source.authorizationContext.map(\.text) == ["integration:plant"])
        #expect(source.enforcement?.input.text == "{{ source:address }}")
        #expect(source.enforcement?.filters.map(\.text) == ["telemetry/{{ thing:name }}"])
        #expect(source.headerMapping.map(\.name) == ["topic"])
        #expect(source.payloadMapping == ["decode"])
        #expect(source.replyTarget?.address.text == "replies/{{ thing:id }}")
        #expect(source.replyTarget?.expectedResponseTypes == [.response])
        let target = try #require(connection.targets.first)
        #expect(target.address.text == "events/{{ thing:id }}" && target.qos == 0)
        #expect(target.authorizationContext == ["integration:plant"])
        #expect(target.topics.first?.kind == .twinEvents)
        #expect(target.topics.first?.namespaces == ["org.plant"])
        #expect(target.topics.first?.filter?.text == "gt(attributes/rpm,5)")
        #expect(target.headerMapping.map(\.template.text) == ["false"])
        #expect(target.name == "events" && target.queueLimit == 500 && target.delivery == .ordinary)
    }

    @Test("a definition as Ditto returns it works unchanged")
    func pastedJSON() throws {
        let loaded = loadConnections(["c/greenhouse.json": dittoJSON])
        #expect(loaded.diagnostics == [])
        let connection = try #require(loaded.connections.first)
        #expect(connection.name == "Greenhouse 😀 north")
        #expect(connection.uri.user == "bridge" && connection.uri.password == Secret("p@ss/word"))
        #expect(connection.uri.scheme == "ssl" && connection.uri.port == 8883)
        #expect(connection.sources.first?.replyTarget == nil)
        #expect(connection.sources.first?.declaredAcks.map(\.text) == ["greenhouse:done"])
        #expect(connection.sources.first?.acknowledgementRequests?.includes == [.twinPersisted])
        #expect(connection.sources.first?.acknowledgementRequests?.filter?.text == "fn:filter(header:qos,'ne','0')")
        #expect(connection.targets.first?.issuedAcknowledgementLabel?.text == "greenhouse:sent")
        #expect(connection.targets.first?.topics.map(\.kind) == [.twinEvents, .liveMessages])
        #expect(connection.sources.first?.headerMapping.map(\.name) == ["x-topic"])
        #expect(connection.targets.first?.topics.first?.namespaces == ["org.example", "org.other"])
        #expect(connection.targets.first?.topics.first?.filter?.text == "gt(features/air/properties/co2,400.5)")
        #expect(connection.targets.first?.topics.first?.extraFields?.text == "attributes/location")
        #expect(connection.specificConfig["lastWillQos"] == "1" && connection.specificConfig["cleanSession"] == "true")
        #expect(connection.tags == ["north", "air"])
    }

    @Test("several documents of a file are several connections")
    func documents() {
        let second = goodConnection.replacingFirst("plant", by: "second").replacingFirst("twinspan-plant", by: "two")
        let loaded = loadConnections(["c/a.yaml": "# first\n---\n\(goodConnection)---\n\(second)---\n# end\n"])
        #expect(loaded.diagnostics == [])
        #expect(loaded.connections.map(\.id.text) == ["plant", "second"])
        #expect(loaded.connections.map { $0.origin?.line } == [3, 32])
    }

    @Test("a broken document does not take the others of its file with it")
    func brokenDocument() {
        let broken = goodConnection.replacingFirst("id: plant", by: "id: broken\nid: again")
        let third = goodConnection.replacingFirst("plant", by: "third").replacingFirst("twinspan-plant", by: "3")
        let loaded = loadConnections(["c/a.yaml": "\(goodConnection)---\n\(broken)---\n\(third)"])
        #expect(loaded.connections.map(\.id.text) == ["plant", "third"])
        #expect(loaded.diagnostics.contains { $0.message == "the key 'id' is there twice" && $0.line == 31 })
    }

    @Test("directories give their YAML and JSON files in order; hidden and half-written ones are left out")
    func directories() {
        let names = ["b.yml", "a.yaml", "c.json", ".a.yaml.swp", ".hidden.yaml", "a.yaml~", "#a.yaml#", "notes.txt"]
        var files = Dictionary(uniqueKeysWithValues: names.map { ("c/\($0)", "") })
        files["c/deeper.yaml/x.yaml"] = ""
        let environment = ConfigurationEnvironment.memory(files)
        #expect(ConnectionFiles.files(at: ["c"], environment: environment) == ["c/a.yaml", "c/b.yml", "c/c.json"])
        #expect(ConnectionFiles.files(at: ["c/", "c/a.yaml"], environment: environment).count == 3)
        #expect(ConnectionFiles.files(at: ["c/notes.txt"], environment: environment) == ["c/notes.txt"])
    }

    @Test("a path that leads nowhere and a file without a connection are named")
    func nowhere() {
        let loaded = ConnectionFiles.load(
            paths: ["missing", "c"], environment: .memory(["c/empty.yaml": "# nothing yet\n"]))
        #expect(
            loaded.diagnostics.map(\.description) == [
                "c/empty.yaml: warning: the file holds no connection.",
                "missing: error: there is no such file or directory. check the path, or create it",
            ])
    }

    @Test(
        "the name of the file is proposed as the id", arguments: ["c/my plant.yaml": "my-plant", "c/x_1.json": "x_1"])
    func proposedID(_ file: String, _ id: String) {
        let loaded = loadConnections([file: goodConnection.replacingFirst("id: plant\n", by: "")])
        #expect(loaded.diagnostics.first?.hint == "add 'id: \(id)'")
    }

    @Test("an id that is used twice is an error that names both places, and the first is kept")
    func duplicateIDs() {
        let other = goodConnection.replacingFirst("twinspan-plant", by: "other")
        let loaded = loadConnections(["c/a.yaml": goodConnection, "c/b.yaml": "name: x\n\(other)"])
        let found = loaded.diagnostics.first { $0.message == "the id 'plant' is used twice" }
        #expect(found?.file == "c/b.yaml" && found?.at == "2:5")
        #expect(found?.hint == "it is also in c/a.yaml:1:5")
        #expect(loaded.connections.count == 1)
    }

    @Test("the fingerprint follows the content, not the layout")
    func fingerprints() {
        func fingerprint(_ text: String, _ variables: [String: String] = [:]) -> UInt64? {
            loadConnections(["c/a.yaml": text], variables: variables).connections.first?.origin?.fingerprint
        }
        let plain = fingerprint(goodConnection)
        #expect(plain != nil)
        #expect(
            plain == fingerprint("# comment\n" + goodConnection.replacingFirst("tags: [demo]", by: "tags:\n  - demo")))
        #expect(plain != fingerprint(goodConnection.replacingFirst("[demo]", by: "[other]")))
        let variable = goodConnection.replacingFirst("[demo]", by: "[\"${TAG}\"]")
        #expect(plain == fingerprint(variable, ["TAG": "demo"]))
        #expect(plain != fingerprint(variable, ["TAG": "else"]))
    }

    @Test("a text that is in no file is read the same way, without an origin")
    func text() {
        let loaded = ConnectionFiles.read(Array(goodConnection.utf8), named: "body", environment: .memory())
        #expect(loaded.diagnostics == [])
        #expect(loaded.connections.first?.id.text == "plant")
        #expect(loaded.connections.first?.origin == nil)
    }

    @Test("a hundred files are checked in well under a second")
    func speed() {
        var files: [String: String] = [:]
        for number in 0..<100 {
            files["c/\(number).yaml"] = goodConnection.replacingFirst("plant", by: "p\(number)")
                .replacingFirst("twinspan-plant", by: "t\(number)")
        }
        let start = ContinuousClock.now
        let loaded = loadConnections(files)
        let took = ContinuousClock.now - start
        #expect(loaded.connections.count == 100)
        // A debug build on a busy machine; a release build takes a few milliseconds.
        #expect(took < .seconds(2), "\(took)")
    }

    @Test("random damage to a definition never traps")
    func fuzz() {
        let alphabet = Array("&*![]{}:,-?|>'\"%@#\n $~(){}0a/".utf8)
        var random = SeededRandom(seed: 7)
        for _ in 0..<1500 {
            var bytes = Array(goodConnection.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
                default: bytes[index] = alphabet.randomElement(using: &random) ?? 0
                }
            }
            let loaded = ConnectionFiles.read(bytes, named: "fuzz", environment: .memory())
            #expect(loaded.isValid == !loaded.connections.isEmpty || loaded.diagnostics.contains { $0.line == 0 })
            _ = DiagnosticReport(loaded.diagnostics, fileCount: 1).text()
        }
    }

    @Test("Ditto's reply target is made up for bindings with headers, and not for MQTT 3.1.1")
    func migration() throws {
        var limits = ConnectionLimits()
        limits.servedTypes = [.mqtt, .mqtt5]
        let text = """
            id: a
            connectionType: mqtt-5
            uri: tcp://h:1
            sources:
              - {addresses: [x], qos: 1, authorizationContext: [s], headerMapping: {Content-Type: text/plain}}
              - {addresses: [x], qos: 1, authorizationContext: [s], replyTarget: {enabled: false}}
            """
        let five = loadConnections(["c/a.yaml": text], limits: limits)
        #expect(five.diagnostics == [])
        let source = try #require(five.connections.first?.sources.first)
        #expect(source.replyTarget?.address.text == "{{header:reply-to}}")
        #expect(source.replyTarget?.headerMapping.map(\.name) == ["correlation-id", "content-type"])
        #expect(source.headerMapping.map(\.name) == ["correlation-id", "reply-to", "content-type"])
        #expect(five.connections.first?.sources.last?.replyTarget == nil)
        let three = loadConnections(["c/a.yaml": text.replacingFirst("mqtt-5", by: "mqtt")], limits: limits)
        #expect(three.connections.first?.sources.allSatisfy { $0.replyTarget == nil } == true)
    }

    @Test("the reference lists every group with every field documented")
    func reference() {
        for group in FieldReference.connection + FieldReference.configuration {
            #expect(Set(group.fields.map(\.name)).count == group.fields.count, "\(group.name)")
            for field in group.fields { #expect(field.documentation.hasSuffix("."), "\(group.name).\(field.name)") }
        }
    }
}

private let dittoFilter = "filter=gt(features%2Fair%2Fproperties%2Fco2%2C400.5)"

/// A definition of ours in the form in which Ditto's API returns one.
let dittoJSON = #"""
    {
      "id": "greenhouse",
      "name": "Greenhouse \ud83d\ude00 north",
      "connectionType": "mqtt",
      "connectionStatus": "open",
      "uri": "ssl://bridge:p%40ss%2Fword@broker.example.org:8883",
      "sources": [
        {
          "addresses": ["air/+/state", "air/+/alarm"],
          "consumerCount": 1,
          "qos": 1,
          "authorizationContext": ["integration:greenhouse"],
          "enforcement": {"input": "{{ source:address }}", "filters": ["air/{{ thing:name }}/state"]},
          "acknowledgementRequests": {"includes": ["twin-persisted"], "filter": "fn:filter(header:qos,'ne','0')"},
          "declaredAcks": ["greenhouse:done"],
          "headerMapping": {"x-topic": "{{header:mqtt.topic}}"},
          "payloadMapping": ["Ditto"],
          "replyTarget": {"enabled": false}
        }
      ],
      "targets": [
        {
          "address": "twins/{{ thing:id }}/events",
          "topics": [
            "_/_/things/twin/events?namespaces=org.example,org.other&\#(dittoFilter)&extraFields=attributes%2Flocation",
            "_/_/things/live/messages"
          ],
          "qos": 1,
          "authorizationContext": ["integration:greenhouse"],
          "headerMapping": {},
          "issuedAcknowledgementLabel": "greenhouse:sent",
          "payloadMapping": []
        }
      ],
      "clientCount": 1,
      "failoverEnabled": true,
      "validateCertificates": true,
      "processorPoolSize": 1,
      "specificConfig": {"clientId": "greenhouse-1", "cleanSession": true, "lastWillQos": 1, "lastWillTopic": "gone"},
      "mappingDefinitions": {},
      "mappingContext": null,
      "tags": ["north", "air", "north"],
      "__lifecycle": "ACTIVE",
      "_revision": 12,
      "_created": "2024-05-01T10:00:00Z"
    }
    """#
