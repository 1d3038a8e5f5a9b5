import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("A first connection")
struct ConnectionStarterTests {
    @Test("passes lint, apart from types that are not served", arguments: ConnectionType.allCases)
    func lint(_ type: ConnectionType) {
        let text = ConnectionStarter.text(for: type)
        let loaded = loadConnections(["c/a.yaml": text])
        let served = ConnectionLimits.standard.servedTypes.contains(type)
        #expect(
            loaded.diagnostics.allSatisfy { !served && $0.message.contains("are not in this version") },
            "\(loaded.diagnostics)")
        var limits = ConnectionLimits()
        limits.servedTypes = [type]
        let all = loadConnections(["c/a.yaml": text], limits: limits)
        #expect(all.diagnostics == [])
        #expect(!all.connections.isEmpty && all.connections.allSatisfy { $0.type == type && $0.isOpen })
        #expect(
            text.hasSuffix("\n") && text.split(separator: "\n").allSatisfy { $0.count <= 120 && !$0.hasSuffix(" ") })
    }
}

@Suite("Schemas")
struct ConfigurationSchemaTests {
    @Test("have every declared field, and every reference leads somewhere")
    func complete() throws {
        for (schema, groups) in [
            (ConfigurationSchema.connection, FieldReference.connection),
            (ConfigurationSchema.configuration, FieldReference.configuration),
        ] {
            let root = try #require(schema.object)
            #expect(root["$schema"] == "https://json-schema.org/draft/2020-12/schema")
            #expect(root["properties"]?.object?.keys == groups[0].fields.map(\.name))
            let definitions = try #require(root["$defs"]?.object)
            #expect(definitions.count == groups.count - 1)
            let text = schema.text
            for part in text.split(separator: "#/$defs/").dropFirst() {
                let name = String(part.prefix { $0 != "\"" })
                #expect(definitions[name] != .none, "\(name)")
            }
            #expect(try JSONValue.parse(schema.indented()) == schema)
        }
    }

    @Test("say kinds, words, defaults and what is needed")
    func fields() throws {
        let root = try #require(ConfigurationSchema.connection.object)
        #expect(
            root["required"] == ["id", "connectionType"] || root["required"]?.array?.contains("connectionType") == true)
        let properties = try #require(root["properties"]?.object)
        #expect(properties["clientCount"]?.object?["default"] == 1)
        #expect(properties["sources"]?.object?["items"] == ["$ref": "#/$defs/source"])
        #expect(properties["connectionType"]?.text.contains("\"mqtt-5\"") == true)
        #expect(root["additionalProperties"] == false)
    }
}

@Suite("YAML that is written")
struct YAMLWriterTests {
    @Test("is read as what it was")
    func roundTrip() throws {
        let texts = [
            "", "a", "true", "null", "~", "12", "1e3", "0x1F", "- a", "a: b", "a #b", "#", "a:", " a", "a ", "*x", "&x",
            "{a}", "[a]", "'", "\"", "\\", "${X}", "$${X}", "$", "a\nb", "a\n", "\na", "a\n\n", " a\nb", "a\n  b\n c",
            "a\t",
            "\t", "😀", "\u{1}", "\u{7F}", "\u{85}", "%", "@a", "`", "!x", "|", ">", "?", "a, b", "-", "---", "...",
            "a\r\nb",
            "_/_/things/twin/events?filter=eq(a,'x')&namespaces=a", "{{ thing:id }}", "e/{{ thing:id }}", "<<", "=",
            "yes",
            "2024-01-01", "a\u{2028}b", "${file:/x}", "tcp://u:p@h:1",
        ]
        var object = JSONObject()
        for (index, text) in texts.enumerated() {
            object["k\(index)"] = .string(text)
            object[text + "key"] = ["list": .array([.string(text), 1, nil]), "in": ["incomingScript": .string(text)]]
            object["l\(index)"] = [[.string(text)], ["a": .string(text), "b": ["c": .string(text)]], [[]], [:]]
        }
        let yaml = YAMLWriter().text(object)
        let (documents, diagnostics) = readYAML(yaml)
        #expect(diagnostics == [], "\(diagnostics.prefix(3))")
        let read = try #require(documents.first?.json.object)
        for member in object.members {
            #expect(read[member.key] == member.value, "\(member.key) \(member.value) \(read[member.key] ?? nil)")
        }
        #expect(read.keys == object.keys)
    }

    @Test("has comments above their entries")
    func comments() {
        let writer = YAMLWriter(
            comments: [["a"]: ["first"], ["l", 0]: ["second"], ["l", 0, "b"]: ["third"]], variables: [["a"]])
        #expect(
            writer.text(["a": "${X}", "l": [["b": 1]]])
                == "# first\na: \"${X}\"\nl:\n  # second\n  -\n    # third\n    b: 1\n")
    }
}

@Suite("Connections of a Ditto")
struct DittoImportTests {
    private func load(_ imported: DittoImport, _ variables: [String: String]) -> LoadedConnections {
        let files = Dictionary(uniqueKeysWithValues: imported.files.map { ("c/\($0.name)", $0.text) })
        return loadConnections(files, variables: variables)
    }

    @Test("become a file that passes lint and means the same")
    func greenhouse() throws {
        let imported = try DittoImport(Array(dittoJSON.utf8))
        #expect(imported.files.map(\.name) == ["greenhouse.yaml"])
        #expect(imported.variables == [.init(name: "GREENHOUSE_PASSWORD", place: "/uri of greenhouse")])
        let text = imported.files[0].text
        #expect(text.contains("uri: \"ssl://bridge:${GREENHOUSE_PASSWORD}@broker.example.org:8883\"\n"))
        #expect(!text.contains("p%40ss") && !text.contains("_revision") && !text.contains("clientCount"))
        let loaded = load(imported, ["GREENHOUSE_PASSWORD": "p%40ss%2Fword"])
        #expect(loaded.diagnostics == [])
        let original = try ConnectionJSON.read(Array(dittoJSON.utf8))
        #expect(loaded.connections.first?.json() == original.json())
    }

    @Test("in a list become a file each, with remarks for what is different")
    func list() throws {
        let text = """
            [{"id": "a:1", "connectionType": "mqtt", "connectionStatus": "closed", "uri": "tcp://h:1", "extra": 1,
              "mappingContext": {"mappingEngine": "org.x.JavaScriptMapper", "options": {"incomingScript": "a\\nb"}},
              "processorPoolSize": 5, "specificConfig": {"separatePublisherClient": "true", "clientId": "c"},
              "sources": [{"addresses": ["x"], "qos": 1, "authorizationContext": ["s"], "consumerCount": 1,
                "replyTarget": {"address": "{{header:reply-to}}", "enabled": true}}]},
             {"connectionType": "kafka", "uri": "ssl://h:9", "credentials": {"type": "hmac", "algorithm": "az-sasl",
              "parameters": {"sharedKey": "topsecret"}}, "targets": []}, 5]
            """
        let imported = try DittoImport(Array(text.utf8))
        #expect(imported.files.map(\.name) == ["a-1.yaml", "imported-2.yaml"])
        #expect(imported.variables.map(\.name) == ["IMPORTED_2_CREDENTIALS_PARAMETERS_SHARED_KEY"])
        #expect(!imported.files[1].text.contains("topsecret"))
        let expected = [
            "a:1: /mappingDefinitions/javascript: was the 'mappingContext'", "a:1: /extra: is not known",
            "a:1: /sources/0/replyTarget: '{{ header:reply-to }}' has no value",
            "a:1: /processorPoolSize: 5 has no effect", "a:1: /specificConfig/separatePublisherClient: has no effect",
            "imported-2: /id: the definition has no id",
            "entry 3 is not an object",
        ]
        for remark in expected {
            #expect(imported.remarks.contains { $0.hasPrefix(remark) }, "\(remark): \(imported.remarks)")
        }
        let loaded = load(imported, ["IMPORTED_2_CREDENTIALS_PARAMETERS_SHARED_KEY": "x"])
        let connection = try #require(loaded.connections.first)
        #expect(loaded.diagnostics.allSatisfy { $0.file == "c/imported-2.yaml" }, "\(loaded.diagnostics)")
        #expect(connection.id.text == "a:1" && !connection.isOpen)
        #expect(connection.mappingDefinitions["javascript"]?.options["incomingScript"] == "a\nb")
        #expect(connection.sources.first?.payloadMapping == ["javascript"])
        #expect(connection.specificConfig == ["clientId": "c"])
    }

    @Test("that are no JSON are refused", arguments: ["", "{", "[1,]", "nonsense"])
    func noJSON(_ text: String) {
        #expect(throws: JSONSyntaxError.self) { try DittoImport(Array(text.utf8)) }
    }
}
