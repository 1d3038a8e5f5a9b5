import Testing
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

/// Every field of the model, as a body of a request.
private let fullJSON = #"""
    {
      "id": "full", "name": "Everything", "connectionType": "mqtt-5", "connectionStatus": "closed",
      "uri": "ssl://us%65r:p%40ss@[::1]:8883/x",
      "sources": [
        {
          "addresses": ["a/#", "b"], "consumerCount": 2, "qos": 1,
          "authorizationContext": ["s:{{ header:tenant }}", "t"],
          "enforcement": {"input": "{{ header:device }}", "filters": ["{{ thing:id }}", "{{ policy:id }}"]},
          "acknowledgementRequests": {"includes": ["twin-persisted", "{{connection:id}}:x"], "filter": "fn:delete()"},
          "declaredAcks": ["{{ connection:id }}:done", "full:other"],
          "headerMapping": {"X-Device": "{{ header:device | fn:upper() }}", "plain": "text"},
          "payloadMapping": ["js", "Ditto"],
          "replyTarget": {
            "address": "r/{{ header:reply-to }}", "headerMapping": {"Status": "{{ header:status }}"},
            "expectedResponseTypes": ["nack", "response"], "enabled": false
          }
        },
        {"addresses": ["c"], "qos": 0, "authorizationContext": ["t"], "replyTarget": {"enabled": false}},
        {"addresses": ["d"], "qos": 0, "authorizationContext": ["t"]}
      ],
      "targets": [
        {
          "address": "e/{{ thing:id }}", "qos": 2, "authorizationContext": ["t"],
          "topics": [
            "_/_/things/twin/events?filter=eq(attributes%2Fa,%22x%26y%2Bz%25%22)&namespaces=n.a,n.b",
            "_/_/things/live/messages?extraFields=attributes(a,b),features/*/properties/{{ header:p }}",
            "_/_/things/live/commands", "_/_/things/live/events", "_/_/policies/announcements?namespaces=x"
          ],
          "headerMapping": {"Content-Type": "text/plain"},
          "issuedAcknowledgementLabel": "{{connection:id}}:sent", "payloadMapping": ["Normalized"],
          "twinspan": {"name": "events", "delivery": "durable", "queue": 7, "rate": 9}
        },
        {"address": "f", "qos": 0, "authorizationContext": ["t"], "topics": ["_/_/connections/announcements"]}
      ],
      "failoverEnabled": false, "validateCertificates": false, "processorPoolSize": 3, "clientCount": 1,
      "specificConfig": {"number": 2, "flag": true, "text": "x"},
      "mappingDefinitions": {
        "js": {
          "mappingEngine": "JavaScript", "options": {"incomingScript": "a\nb", "loadLongJS": true},
          "incomingConditions": {"first": "fn:filter(header:a,'exists')", "b": "header:b"},
          "outgoingConditions": {"c": "topic:action"}
        },
        "thing": {"mappingEngine": "ImplicitThingCreation", "options": {"thing": {"thingId": "a:b"}}}
      },
      "credentials": {
        "type": "client-cert", "cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
      },
      "ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      "sshTunnel": {
        "enabled": true, "uri": "ssh://h:22", "validateHost": false,
        "credentials": {"type": "plain", "username": "u", "password": "p"}
      },
      "tags": ["a", "b", "a"], "twinspan": {"required": false}, "_revision": 5, "something": {"new": 1}
    }
    """#

private let rules: ReadingRules = {
    var limits = ConnectionLimits()
    limits.servedTypes = Set(ConnectionType.allCases)
    return ReadingRules(limits: limits)
}()

private func read(_ text: String, id: String? = nil, requiresStatus: Bool = true) throws -> Connection {
    try ConnectionJSON.read(
        Array(text.utf8), id: try id.map { try ConnectionID($0) }, requiresStatus: requiresStatus, rules: rules)
}

@Suite("A connection as JSON")
struct ConnectionJSONTests {
    @Test("has the fields and the order of Ditto, with what was made up and with secrets")
    func shown() throws {
        let json = try read(fullJSON).json()
        #expect(
            json.keys == [
                "id", "name", "connectionType", "connectionStatus", "uri", "sources", "targets", "clientCount",
                "failoverEnabled", "validateCertificates", "processorPoolSize", "specificConfig",
                "mappingDefinitions", "credentials", "ca", "sshTunnel", "tags", "twinspan",
            ])
        #expect(json["uri"] == "ssl://us%65r:p%40ss@[::1]:8883/x")
        #expect(json["specificConfig"] == ["number": "2", "flag": "true", "text": "x"])
        #expect(json["tags"] == ["a", "b"])
        let sources = try #require(json["sources"]?.array)
        #expect(sources[0].object?["declaredAcks"] == ["{{ connection:id }}:done", "full:other"])
        #expect(
            sources[0].object?["acknowledgementRequests"]
                == ["includes": ["twin-persisted", "{{connection:id}}:x"], "filter": "fn:delete()"])
        #expect(sources[0].object?["headerMapping"]?.object?.keys == ["X-Device", "plain"])
        #expect(sources[0].object?["replyTarget"]?.object?["enabled"] == false)
        #expect(sources[1].object?["replyTarget"] == ["enabled": false])
        #expect(
            sources[2].object?["replyTarget"] == [
                "address": "{{header:reply-to}}",
                "headerMapping": [
                    "correlation-id": "{{header:correlation-id}}", "content-type": "{{header:content-type}}",
                ],
                "expectedResponseTypes": ["response", "error"], "enabled": true,
            ])
        let target = try #require(json["targets"]?.array?.first?.object)
        #expect(target["issuedAcknowledgementLabel"] == "{{connection:id}}:sent")
        #expect(
            target["topics"]?.array?.first
                == "_/_/things/twin/events?namespaces=n.a,n.b&filter=eq(attributes/a,\"x&y+z%\")")
        #expect(target["twinspan"] == ["name": "events", "delivery": "durable", "queue": 7, "rate": 9])
    }

    @Test("that is stored gives the same connection again, field by field", arguments: ["full", "paste", "good"])
    func roundTrip(_ which: String) throws {
        let connection: Connection
        switch which {
        case "full": connection = try read(fullJSON)
        case "paste": connection = try read(dittoJSON)
        default: connection = try #require(loadConnections(["c/plant.yaml": goodConnection]).connections.first)
        }
        let stored = connection.json(.stored)
        let again = try ConnectionJSON.read(.object(stored), rules: rules)
        #expect(again.json(.stored) == stored)
        #expect(again.json() == connection.json())
        #expect(again.ownLabels == connection.ownLabels)
        #expect(again.sources.map(\.declaredAcks) == connection.sources.map(\.declaredAcks))
        #expect(again.uri == connection.uri && again.status == connection.status)
        #expect(again.targets.map(\.rateLimit) == connection.targets.map(\.rateLimit))
        #expect(Self.topicTexts(again) == Self.topicTexts(connection))
    }

    private static func topicTexts(_ connection: Connection) -> [String] {
        var texts: [String] = []
        for topic in connection.targets.flatMap(\.topics) {
            texts += [topic.kind.rawValue, topic.filter?.text ?? ""] + topic.namespaces
            texts += topic.extraFields?.pointers.map(\.text) ?? []
        }
        return texts
    }

    @Test("random definitions survive being stored")
    func randomRoundTrips() throws {
        var random = SeededRandom(seed: 11)
        let whole = try JSONValue.parse(fullJSON)
        for _ in 0..<300 {
            var value = whole
            // Optional fields come and go; what is left is valid or refused, and what is valid must come back.
            for pointer in Self.optional where Bool.random(using: &random) {
                value.remove(at: try JSONPointer(parsing: pointer))
            }
            guard let connection = try? ConnectionJSON.read(value, rules: rules) else { continue }
            let stored = connection.json(.stored)
            let again = try ConnectionJSON.read(.object(stored), rules: rules)
            #expect(again.json(.stored) == stored)
        }
    }

    private static let optional = [
        "/name", "/sources/0/enforcement", "/sources/0/acknowledgementRequests", "/sources/0/declaredAcks",
        "/sources/0/headerMapping", "/sources/0/payloadMapping", "/sources/0/replyTarget", "/sources/1/replyTarget",
        "/targets/0/topics", "/targets/0/headerMapping", "/targets/0/issuedAcknowledgementLabel",
        "/targets/0/payloadMapping", "/targets/0/twinspan", "/targets/1", "/failoverEnabled", "/specificConfig",
        "/mappingDefinitions/thing", "/credentials", "/ca", "/sshTunnel", "/tags", "/twinspan", "/sources/2",
        "/acknowledgementRequests/filter", "/sources/0/qos", "/mappingDefinitions",
    ]

    @Test("a mappingContext becomes the last mapper of everything, and is never given back")
    func legacy() throws {
        let text = fullJSON.replacingFirst(
            "\"failoverEnabled\"",
            by:
                #""mappingContext": {"mappingEngine": "JavaScript", "options": {"size": 1}}, "failoverEnabled""#
        )
        let connection = try read(text)
        #expect(connection.mappingDefinitions["javascript"]?.engine == "JavaScript")
        #expect(
            connection.sources.map(\.payloadMapping) == [
                ["js", "Ditto", "javascript"], ["javascript"], ["javascript"],
            ])
        #expect(connection.targets.map(\.payloadMapping) == [["Normalized", "javascript"], ["javascript"]])
        #expect(connection.json()["mappingContext"] == .none)
    }

    @Test("has no variables and reads no files")
    func noSurroundings() throws {
        let connection = try read(fullJSON.replacingFirst("Everything", by: "${HOME} ${file:/etc/passwd}"))
        #expect(connection.name == "${HOME} ${file:/etc/passwd}")
        #expect(throws: TwinspanError.self) {
            try read(fullJSON.replacingFirst("\"incomingScript\": \"a\\nb\"", by: "\"script\": \"/etc/passwd\""))
        }
        #expect(throws: TwinspanError.self) {
            try read(fullJSON.replacingFirst("a\\nb", by: "${file:/etc/passwd}"))
        }
    }

    @Test("the id may come from the path, and the status from nowhere for a new one")
    func identity() throws {
        let text = fullJSON.replacingFirst("\"id\": \"full\", ", by: "")
            .replacingFirst("\"connectionStatus\": \"closed\",", by: "").replacingFirst("full:other", by: "two:other")
        let connection = try read(text, id: "two", requiresStatus: false)
        #expect(connection.id.text == "two" && connection.status == .unknown && !connection.isOpen)
        #expect(connection.sources[0].declaredAcks.map(\.text) == ["two:done", "two:other"])
        #expect(connection.origin == nil)
    }
}

@Suite("A connection that is refused over HTTP")
struct ConnectionJSONErrorTests {
    struct Row: CustomTestStringConvertible {
        let find: String
        let replacement: String
        let code: String
        let status: Int
        let says: String
        let at: String

        init(
            _ find: String, _ replacement: String, _ code: String, _ says: String, at: String = "", _ status: Int = 400
        ) {
            self.find = find
            self.replacement = replacement
            self.code = code
            self.status = status
            self.says = says
            self.at = at
        }
        var testDescription: String { "\(code) \(says)" }
    }

    private static let configuration = "connectivity:connection.configuration.invalid"

    static let rows = [
        Row("\"id\": \"full\",", "", "json.field.missing", "no 'id'", at: "/id"),
        Row("\"id\": \"full\"", "\"id\": \"a b\"", "connectivity:connection.id.invalid", "'a b'", at: "/id"),
        Row("\"closed\"", "\"opened\"", "json.format.invalid", "opened", at: "/connectionStatus"),
        Row("\"connectionStatus\": \"closed\",", "", "json.field.missing", "'connectionStatus'"),
        Row("\"mqtt-5\"", "\"mqtt-6\"", "json.format.invalid", "Connection type <mqtt-6> is invalid!"),
        Row("[::1]:8883/x", "h", "connectivity:connection.uri.invalid", "no port", at: "/uri"),
        Row(
            "ssl://us", "http://us", "connectivity:connection.uri.invalid",
            "The URI scheme 'http' is not valid for mqtt-5."),
        Row("ssl://us", "tcp://us", "connectivity:connection.uri.invalid", "not encrypted", at: "/ca"),
        Row("\"addresses\": [\"c\"]", "\"addresses\": [\"\"]", configuration, "may not be empty"),
        Row("\"addresses\": [\"c\"], ", "", "json.field.missing", "'addresses'", at: "/sources/1/addresses"),
        Row("\"addresses\": [\"c\"]", "\"addresses\": \"c\"", "json.format.invalid", "a list"),
        Row(
            "\"qos\": 0, \"authorizationContext\": [\"t\"], \"rep", "\"qos\": 0, \"authorizationContext\": [], \"rep",
            configuration, "Sources [c] are missing an authorization context"),
        Row(
            "\"f\", \"qos\": 0, \"authorizationContext\": [\"t\"]", "\"f\", \"qos\": 0",
            configuration, "Targets [f] are missing an authorization context"),
        Row("s:{{ header:tenant }}", "{{ thing:id }}", configuration, "thing:id"),
        Row("fn:upper()", "fn:uper()", "placeholder:function.unknown", "fn:uper"),
        Row("fn:upper()", "fn:upper(1)", "placeholder:function.signature.invalid", "fn:upper"),
        Row("e/{{ thing:id }}", "e/{{ misc:x }}", configuration, "misc:x", at: "/targets/0/address"),
        Row("full:other", "other:x", "acknowledgement:label.invalid", "'other:x'", at: "/sources/0/declaredAcks/1"),
        Row("{{connection:id}}:sent", "!!!", "acknowledgement:label.invalid", "!!!"),
        Row(
            "\"twin-persisted\"", "\"?\"", "acknowledgement:request.parsing.failed", "'?'",
            at: "/sources/0/acknowledgementRequests/includes/0", 422),
        Row(
            "\"f\",", "\"f\", \"issuedAcknowledgementLabel\": \"full:sent\",", "acknowledgement:label.not.unique",
            "issued twice", 409),
        Row("_/_/things/live/events", "_/_/things/live/event", "connectivity:topic.invalid", "'_/_/things/live/event'"),
        Row("?namespaces=x", "?namespaces=x&namespaces=y", "connectivity:topic.invalid", "twice"),
        Row("filter=eq(", "filter=eqq(", "rql.expression.invalid", "invalid input 'e'", at: "/targets/0/topics/0"),
        Row("filter=eq(", "filter=eqq(", "rql.expression.invalid", "(line 1, column 1).", at: "/targets/0/topics/0"),
        Row("filter=eq(", "filter=eqq(", "rql.expression.invalid", "\n^", at: "/targets/0/topics/0"),
        Row("[\"js\", \"Ditto\"]", "[\"nope\"]", configuration, "The mapper <nope> could not be loaded."),
        Row(
            "[\"js\", \"Ditto\"]", "[\"ConnectionStatus\"]", configuration, "The mapper <ConnectionStatus> could not be"
        ),
        Row("\"clientCount\": 1", "\"clientCount\": 2", configuration, "announcements"),
        Row("\"clientCount\": 1", "\"clientCount\": 0", configuration, "'clientCount'"),
        Row("\"type\": \"client-cert\"", "\"type\": \"magic\"", "json.format.invalid", "magic"),
        Row("\"type\": \"client-cert\"", "\"type\": \"hmac\"", "json.field.missing", "'algorithm'"),
        Row("BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY", configuration, "/credentials/key: bad format. Expect PEM"),
        Row(
            ",\n    \"key\": \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\"", "",
            "connectivity:connection.unavailable", "Either client key or certificate were missing", 503),
        Row("ssh://h:22", "tcp://h:22", configuration, "'ssh'", at: "/sshTunnel/uri"),
        Row("\"validateHost\": false", "\"validateHost\": true", configuration, "knownHosts"),
        Row("\"validateHost\": false,", "", "json.field.missing", "'validateHost'"),
        Row("\"username\": \"u\"", "\"username\": \"\"", configuration, "'username' of the sshTunnel is empty"),
        Row("\"type\": \"plain\"", "\"type\": \"client-cert\"", configuration, "cannot be used for an ssh tunnel"),
        Row("\"tags\": [", "\"tags\": [,", "json.invalid", "offset"),
        Row("\"tags\": [", "\"id\": \"x\", \"tags\": [", "json.invalid", "duplicate key"),
    ]

    @Test("has Ditto's code and names the place", arguments: rows)
    func refused(_ row: Row) throws {
        #expect(fullJSON.contains(row.find), "the row does not apply: \(row.find)")
        let error = #expect(throws: TwinspanError.self) {
            try read(fullJSON.replacingFirst(row.find, by: row.replacement))
        }
        let found = try #require(error)
        #expect(found.code == row.code && found.status == row.status, "\(found)")
        let text = found.message + " " + (found.description ?? "")
        #expect(text.contains(row.says), "\(found)")
        #expect(found.description?.contains("'\(row.at)") ?? false || row.at.isEmpty, "\(found)")
    }

    @Test("another id than the path's, nothing to do, and what MQTT 3.1.1 cannot carry")
    func others() throws {
        func code(_ text: String, id: String? = nil) -> TwinspanError? {
            #expect(throws: TwinspanError.self) { try read(text, id: id) }
        }
        #expect(code(fullJSON, id: "other")?.code == "connectivity:id.notsettable")
        let head = #"{"id": "a", "connectionType": "mqtt", "connectionStatus": "open", "uri": "tcp://h:1""#
        #expect(code(head + "}")?.message.hasPrefix("Either a source or a target must be specified") == true)
        let source =
            #"{"addresses": ["a"], "qos": 1, "authorizationContext": ["s"], "headerMapping": {"x": "{{ header:y }}"}}"#
        let refused = code(head + ", \"sources\": [\(source)]}")
        #expect(refused?.code == "connectivity:connection.configuration.invalid")
        #expect(refused?.message.contains("Some placeholders could not be resolved.") == true)
        #expect(code("[]")?.code == "json.format.invalid")
    }
}

@Suite("Secrets of a connection")
struct ConnectionSecretsTests {
    @Test("are found where they stand, and nothing else is touched")
    func transformed() throws {
        let json = try read(fullJSON).json(.stored)
        var seen: [String] = []
        let changed = ConnectionSecrets.transformed(json) { (pointer, text) throws(Never) -> String in
            seen.append("\(pointer)=\(text.prefix(5))")
            return "secret"
        }
        #expect(seen == ["/credentials/key=-----", "/sshTunnel/credentials/password=p", "/uri=p%40s"])
        #expect(changed["uri"] == "ssl://us%65r:secret@[::1]:8883/x")
        #expect(changed["credentials"]?.object?["cert"] == json["credentials"]?.object?["cert"])
    }

    @Test("a URI without a password has none", arguments: ["tcp://h:1", "tcp://u@h:1", "tcp://h:1/a:b@c", "", "x"])
    func noPassword(_ uri: String) {
        #expect(ConnectionSecrets.passwordRange(inURI: uri) == nil)
    }
}
