import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("Mappers of a connection")
struct MapperRulesTests {
    private func load(
        _ mapper: String, files: [String: String] = [:], rules: MapperRules = .standard, scripts: String? = "mappers",
        use: String = "m"
    ) -> LoadedConnections {
        var files = files
        files["conf/c/plant.yaml"] = """
            id: plant
            connectionType: mqtt
            uri: tcp://h:1
            mappingDefinitions:
              m:
            \(mapper)
            sources:
              - {addresses: [a], qos: 1, authorizationContext: [s], payloadMapping: [\(use)]}
            """
        return ConnectionFiles.load(
            paths: ["conf/c"], environment: .memory(files), mappers: rules, scripts: scripts)
    }

    private func options(_ loaded: LoadedConnections) -> JSONObject? {
        loaded.connections.first?.mappingDefinitions["m"]?.options
    }

    @Test("a script may stand beside the definition or among the mappers, for one direction or both")
    func scriptFiles() throws {
        let both = load(
            "    {mappingEngine: JavaScript, options: {script: ../js/x.js, loadLongJS: true}}",
            files: ["conf/c/../js/x.js": "in and out", "mappers/../js/x.js": "not this"])
        #expect(both.diagnostics == [])
        #expect(
            options(both) == ["incomingScript": "in and out", "outgoingScript": "in and out", "loadLongJS": true])
        let place = try #require(both.connections.first?.mappingDefinitions["m"]?.places["outgoingScript"])
        #expect(place.file == "conf/c/../js/x.js" && place.line == 1)
        let one = load(
            "    {mappingEngine: JavaScript, options: {script: y.js, outgoingScript: '${file:z.js}'}}",
            files: ["mappers/y.js": "y", "mappers/z.js": "z"])
        #expect(options(one) == ["incomingScript": "y", "outgoingScript": "z"])
        #expect(one.watchedFiles == ["conf/c/plant.yaml", "mappers/y.js", "mappers/z.js"])
        #expect(one.connections.first?.origin?.references == ["mappers/y.js", "mappers/z.js"])
    }

    @Test("a script in the definition keeps its ${…} and knows its line")
    func inlineScript() throws {
        let loaded = load(
            "    mappingEngine: JavaScript\n    options:\n      incomingScript: |\n        let a = `${x}`;\n        b")
        #expect(loaded.diagnostics == [])
        #expect(options(loaded) == ["incomingScript": "let a = `${x}`;\nb"] || options(loaded)?.count == 1)
        let place = try #require(loaded.connections.first?.mappingDefinitions["m"]?.places["incomingScript"])
        #expect(place.file == "conf/c/plant.yaml" && place.line == 9)
    }

    @Test("a descriptor set is read as Base64, and text that is Base64 already stays")
    func descriptorSet() {
        let file = load(
            "    {mappingEngine: Protobuf, options: {descriptorSet: x.desc}}", files: ["mappers/x.desc": "\u{1}abc"])
        #expect(options(file) == ["descriptorSet": "AWFiYw=="])
        let text = String(repeating: "AAAA", count: 20)
        let kept = load("    {mappingEngine: Protobuf, options: {descriptorSet: \(text)}}")
        #expect(options(kept) == ["descriptorSet": .string(text)])
    }

    @Test(
        "a file that is not there or is no text is an error at the option",
        arguments: [
            ("JavaScript, options: {script: x.js}", "the file 'x.js' cannot be read: no such file"),
            ("JavaScript, options: {incomingScript: '${file:x.js}'}", "the file 'x.js' cannot be read"),
            ("Protobuf, options: {descriptorSet: x.desc}", "the file 'x.desc' cannot be read"),
            ("JavaScript, options: {script: bad.js}", "is not UTF-8 text"),
        ])
    func missingFiles(_ row: (String, String)) {
        var files = MemoryFiles([:])
        files.files["mappers/bad.js"] = [0xFF]
        files.files["c/a.yaml"] = Array(
            """
            {id: a, connectionType: mqtt, uri: "tcp://h:1", mappingDefinitions: {m: {mappingEngine: \(row.0)}},
            sources: [{addresses: [a], qos: 1, authorizationContext: [s], payloadMapping: [m]}]}
            """.utf8)
        let loaded = ConnectionFiles.load(
            paths: ["c"], environment: ConfigurationEnvironment(variable: { _ in nil }, files: files),
            scripts: "mappers")
        #expect(loaded.diagnostics.count == 1 && loaded.connections.isEmpty)
        #expect(loaded.diagnostics.first?.message.contains(row.1) == true, "\(loaded.diagnostics)")
        #expect(loaded.diagnostics.first?.line == 1)
        // What could not be read is watched too: it may appear.
        #expect(loaded.watchedFiles.count == 2)
    }

    @Test("the fingerprint follows the script")
    func fingerprint() {
        func print(_ script: String) -> UInt64? {
            load("    {mappingEngine: JavaScript, options: {script: x.js}}", files: ["mappers/x.js": script])
                .connections.first?.origin?.fingerprint
        }
        #expect(print("a") == print("a"))
        #expect(print("a") != print("b"))
    }

    @Test("the rules decide which mappers there are and what their options may be")
    func rules() {
        let rules = MapperRules(
            engines: [.init(name: "Ditto"), .init(name: "Own", needsOptions: true)],
            check: { name, definition in
                definition.options["size"] == 1 || definition.engine == "Ditto"
                    ? []
                    : [
                        MapperProblem(option: "/size", message: "The size of \(name) is wrong.", hint: "say 1")
                    ]
            })
        let bad = load("    {mappingEngine: Own, options: {size: 2}}", rules: rules)
        #expect(
            bad.diagnostics.map(\.description)
                == ["conf/c/plant.yaml:6:42: error: mapper 'm': size of m is wrong. say 1"])
        #expect(load("    {mappingEngine: Own, options: {size: 1}}", rules: rules).diagnostics == [])
        let unknown = load("    {mappingEngine: Normalized}", rules: rules)
        #expect(unknown.diagnostics.map(\.message) == ["unknown mapper 'Normalized'"])
        #expect(unknown.diagnostics.first?.hint == "built in: Ditto, Own")
        let without = load("    {mappingEngine: Ditto}", rules: rules, use: "m, Own")
        #expect(without.diagnostics.map(\.message) == ["mapper 'Own' cannot be used without options"])
    }

    @Test("a mistake inside of a script is shown in its file and line")
    func scriptLine() throws {
        let rules = MapperRules(
            engines: [.init(name: "JavaScript", needsOptions: true)],
            check: { _, _ in [MapperProblem(option: "/incomingScript", message: "Syntax error.", line: 2)] })
        let loaded = load(
            "    {mappingEngine: JavaScript, options: {script: x.js}}", files: ["mappers/x.js": "one\ntwo(\nthree"],
            rules: rules)
        let found = try #require(loaded.diagnostics.first)
        #expect(found.description == "mappers/x.js:2:1: error: mapper 'm': syntax error.")
        #expect(found.excerpt.last?.text == "two(")
    }
}

@Suite("Rules over the whole connection")
struct ModelRulesTests {
    private func problems(_ part: String, sources: String = "[]", targets: String = "[]") -> [String] {
        var limits = ConnectionLimits()
        limits.servedTypes = [.mqtt5]
        let text =
            "{id: a, connectionType: mqtt-5, uri: 'tcp://h:1', \(part), sources: \(sources), targets: \(targets)}"
        return loadConnections(["c/a.yaml": text], limits: limits).diagnostics.map {
            "\($0.severity) \($0.path) \($0.message)"
        }
    }

    private func source(_ mapping: String) -> String {
        "[{addresses: [x], qos: 1, authorizationContext: [s], headerMapping: {\(mapping)}}]"
    }

    @Test(
        "a diversion that cannot work is refused, one that has no effect is warned of",
        arguments: [
            (
                "'b c'", "true",
                "error /sources/0/headerMapping/divert-response-to-connection 'b c' is not a connection id"
            ),
            ("a", "true", "error /sources/0/headerMapping/divert-response-to-connection responses cannot be diverted"),
            ("''", "true", "error /sources/0/headerMapping/divert-response-to-connection the connection to divert"),
            ("b", "false", "warning /sources/0/headerMapping/divert-response-to-connection 'divert-response-to-"),
            ("b", "maybe", "warning /specificConfig/is-diversion-source 'maybe' is not a truth value"),
        ])
    func diversion(_ row: (String, String, String)) {
        let found = problems(
            "specificConfig: {is-diversion-source: \(row.1)}",
            sources: source("divert-response-to-connection: \(row.0)"))
        #expect(found.contains { $0.hasPrefix(row.2) }, "\(found)")
    }

    @Test("a diversion that works says nothing")
    func goodDiversion() {
        let mapping = "divert-response-to-connection: b, divert-expected-response-types: 'response, NACK'"
        #expect(problems("specificConfig: {is-diversion-source: true}", sources: source(mapping)) == [])
        #expect(
            problems(
                "specificConfig: {is-diversion-source: true}",
                sources: source("divert-response-to-connection: '{{ header:to }}'")) == [])
        #expect(
            problems(
                "specificConfig: {is-diversion-target: true, authorized-connections-as-sources: 'b, c'}",
                targets: "[{address: x, qos: 1, authorizationContext: [s]}]")
                == ["warning /targets/0/topics target 1 has no topics: nothing is sent to it"])
    }

    @Test("response types, targets with topics and lists of ids are checked")
    func lists() {
        #expect(
            problems(
                "specificConfig: {is-diversion-source: true}",
                sources: source("divert-expected-response-types: 'x,error'"))
                == ["error /sources/0/headerMapping/divert-expected-response-types 'x' is not a response type"])
        let target = "[{address: x, qos: 1, authorizationContext: [s], topics: [_/_/things/twin/events]}]"
        let found = problems(
            "specificConfig: {is-diversion-target: true, authorized-connections-as-sources: 'b, c d'}", targets: target)
        #expect(
            found.sorted() == [
                "error /specificConfig/authorized-connections-as-sources 'c d' is not a connection id",
                "error /targets/0/topics a target of a diversion connection has no topics",
            ])
        let lonely = problems(
            "specificConfig: {preserve-normal-response-via-source: true, authorized-connections-as-sources: b}",
            targets: target)
        #expect(lonely.count == 2 && lonely.allSatisfy { $0.contains("has no effect without") })
    }

    @Test("a consumer group knows the id of the connection and nothing else")
    func groupID() {
        var limits = ConnectionLimits()
        limits.servedTypes = [.kafka]
        func messages(_ group: String) -> [String] {
            let text =
                "{id: a, connectionType: kafka, uri: 'tcp://h:1', specificConfig: {groupId: '\(group)'}, "
                + "targets: [{address: x, authorizationContext: [s], topics: [_/_/things/twin/events]}]}"
            return loadConnections(["c/a.yaml": text], limits: limits).diagnostics.map(\.message)
        }
        #expect(messages("g-{{ connection:id }}") == [])
        #expect(messages("{{ thing:id }}").first?.contains("'thing:id' cannot be used in a consumer group id") == true)
    }

    @Test("labels are unique over all connections")
    func labels() {
        func text(_ id: String, _ label: String) -> String {
            "{id: '\(id)', connectionType: mqtt, uri: 'tcp://h:1', sources: [{addresses: [x\(id.count)], qos: 1, "
                + "authorizationContext: [s], declaredAcks: ['\(label)']}]}"
        }
        let clash = loadConnections(["c/a.yaml": text("a", "a:b:c"), "c/b.yaml": text("a:b", "a:b:c")])
        #expect(clash.diagnostics.map(\.message) == ["the label 'a:b:c' belongs to connection 'a' too"])
        #expect(clash.diagnostics.first?.path == "/sources/0/declaredAcks/0")
        #expect(clash.connections.map(\.id.text) == ["a"])
        #expect(loadConnections(["c/a.yaml": text("a", "a:x"), "c/b.yaml": text("a:b", "a:b:c")]).diagnostics == [])
    }

    @Test("answers that come back are loops too, and the rule of origin is a note, not a problem")
    func loops() {
        let loop = loadConnections([
            "c/plant.yaml": goodConnection.replacingFirst("replies/", by: "telemetry/")
        ])
        #expect(
            loop.diagnostics.map(\.message)
                == ["an answer sent here comes back through source 1 of connection 'plant'"])
        let off = goodConnection.replacingFirst("replies/{{ thing:id }}\"", by: "telemetry/x\"\n      enabled: false")
        let quiet = loadConnections(["c/plant.yaml": off])
        #expect(quiet.diagnostics == [])
        #expect(quiet.connections.first?.sources.first?.replyTarget?.isEnabled == false)
        #expect(quiet.notes.map(\.at) == ["20:13"])
        #expect(
            DiagnosticReport(quiet.notes, fileCount: 1).text().hasSuffix("no problems in 1 file\n"))
    }
}
