import Testing
import TwinspanProtocol

@testable import TwinspanConnections

@Suite("Connections are checked against each other")
struct ConnectionSetChecksTests {
    private func connection(
        _ id: String, uri: String = "tcp://h:1883", sources: [String] = [], target: String? = nil, extra: String = ""
    ) -> String {
        var text = "id: \(id)\nconnectionType: mqtt\nuri: \(uri)\n"
        if !sources.isEmpty {
            text += "sources:\n"
            for source in sources { text += "  - {addresses: ['\(source)'], qos: 1, authorizationContext: [s]}\n" }
        }
        if let target {
            text += "targets:\n  - address: '\(target)'\n    topics: [_/_/things/twin/events]\n    qos: 1\n"
            text += "    authorizationContext: [s]\n"
        }
        return text + extra
    }

    @Test("two clients with one id on one broker are an error that names both")
    func sharedClientID() {
        let loaded = loadConnections([
            "c/a.yaml": connection("a", sources: ["x"], extra: "specificConfig: {clientId: same}\n"),
            "c/b.yaml": connection("b", uri: "tcp://H:1883", target: "y", extra: "specificConfig: {clientId: same}\n"),
            "c/c.yaml": connection("c", uri: "tcp://h:1884", target: "y", extra: "specificConfig: {clientId: same}\n"),
        ])
        #expect(loaded.diagnostics.map(\.at) == ["9:28"])
        #expect(
            loaded.diagnostics.first?.message
                == "the client id 'same' is used by connection 'a' on the same broker")
        #expect(loaded.diagnostics.first?.hint?.contains("c/a.yaml:6:28") == true)
        #expect(loaded.connections.map(\.id.text) == ["a", "c"])
    }

    @Test("a publisher's id counts as well")
    func publisherID() {
        let loaded = loadConnections([
            "c/a.yaml": connection("a", target: "x"), "c/ap.yaml": connection("ap", sources: ["y"]),
        ])
        #expect(
            loaded.diagnostics.map(\.message) == ["the client id 'ap' is used by connection 'a' on the same broker"])
    }

    @Test("closed connections and empty ids share nothing")
    func noClash() {
        let loaded = loadConnections([
            "c/a.yaml": connection("a", sources: ["x"], extra: "specificConfig: {clientId: ''}\n"),
            "c/b.yaml": connection("b", sources: ["x"], extra: "specificConfig: {clientId: ''}\n"),
            "c/c.yaml": connection("c", sources: ["x"], extra: "specificConfig: {clientId: s}\n"),
            "c/d.yaml": connection(
                "d", sources: ["x"], extra: "connectionStatus: closed\nspecificConfig: {clientId: s}\n"),
        ])
        #expect(loaded.diagnostics == [])
    }

    @Test("events that come back through a source are warned of, also across connections")
    func loops() {
        let loaded = loadConnections([
            "c/in.yaml": connection("in", sources: ["other", "plant/#"]),
            "c/out.yaml": connection("out", target: "plant/{{ thing:id }}/events"),
            "c/elsewhere.yaml": connection("elsewhere", uri: "tcp://h:1884", target: "plant/x"),
        ])
        #expect(loaded.diagnostics.map(\.file) == ["c/out.yaml"])
        #expect(loaded.diagnostics.first?.at == "5:14")
        #expect(
            loaded.diagnostics.first?.message
                == "what this target sends comes back through source 2 of connection 'in'")
        #expect(loaded.connections.count == 3)
    }

    @Test(
        "a filter admits an address",
        arguments: [
            ("#", "a"), ("a/#", "a"), ("a/#", "a/b/c"), ("a/+", "a/b"), ("a/+", "a/{{ thing:id }}"),
            ("a/+/c", "a/x-{{ thing:name }}/c"), ("a/b", "a/b"), ("$share/g/a/#", "a/b"), ("$SYS/#", "$SYS/x"),
            ("+/b", "/b"), ("a/#", "a/{{ topic:full }}"), ("#", "{{ thing:id }}"),
        ])
    func admits(_ filter: String, _ address: String) {
        #expect(TopicOverlap.admits(filter, address))
    }

    @Test(
        "a filter does not admit an address",
        arguments: [
            ("a", "b"), ("a/+", "a"), ("a/+", "a/b/c"), ("a/b", "a/{{ thing:id }}"), ("#", "$SYS/x"),
            ("+/x", "$SYS/x"), ("a/b/#", "a"), ("A", "a"), ("{{", "x"), ("a/+/d", "a/{{ thing:name }}/c"),
        ])
    func refuses(_ filter: String, _ address: String) {
        #expect(!TopicOverlap.admits(filter, address))
    }
}

@Suite("Loops at other brokers")
struct LoopAddressTests {
    @Test(
        "what is sent comes back to a source",
        arguments: [
            (.amqp091, "q", "/q"), (.kafka, "t", "t"), (.kafka, "t", "t/{{ thing:id }}"), (.kafka, "t", "t#3"),
            (.amqp10, "q", "q"), (.amqp10, "q", "queue://q"), (.amqp10, "queue://q", "q"), (.mqtt5, "a/#", "a/b"),
        ] as [(ConnectionType, String, String)])
    func reaches(_ type: ConnectionType, _ source: String, _ target: String) {
        #expect(LoopAddress.reaches(source, from: target, type))
    }

    @Test(
        "what is sent does not come back to a source",
        arguments: [
            (.amqp091, "q", "exchange/q"), (.amqp091, "q", "q/q"), (.amqp091, "q", "/{{ thing:id }}"),
            (.kafka, "t", "u"), (.kafka, "t", "{{ thing:id }}"), (.kafka, "t", "t2/t"), (.amqp10, "q", "queue://p"),
            (.httpPush, "q", "q"), (.hono, "event", "command"), (.mqtt5, "a/#", "b"),
        ] as [(ConnectionType, String, String)])
    func doesNotReach(_ type: ConnectionType, _ source: String, _ target: String) {
        #expect(!LoopAddress.reaches(source, from: target, type))
    }
}

@Suite("Rules that adapters bring")
struct BindingRulesTests {
    private func rules(_ problems: [BindingProblem], settings: [String] = []) -> [BindingRules] {
        [
            BindingRules(types: [.mqtt], settings: settings) { _ in problems },
            BindingRules(types: [.kafka]) { _ in [BindingProblem(path: "/uri", message: "Not for MQTT.")] },
        ]
    }

    @Test("are reported where their pointers lead, in the words of a diagnostic")
    func places() {
        let problems = [
            BindingProblem(path: "/targets/0/qos", message: "The QoS is not nice.", hint: "say 1"),
            BindingProblem(path: "/sources/0/headerMapping/TOPIC", message: "Header count limited to 0."),
            BindingProblem(path: "/specificConfig/missing", message: "MQTT needs it.", isWarning: true),
            BindingProblem(path: "/sources/7", message: "What?"),
        ]
        let loaded = loadConnections(["c/plant.yaml": goodConnection], rules: rules(problems))
        #expect(
            loaded.diagnostics.map(\.description)
                == [
                    "c/plant.yaml:5:3: error: What?.", "c/plant.yaml:12:14: error: header count limited to 0.",
                    "c/plant.yaml:20:10: error: QoS is not nice. say 1",
                    "c/plant.yaml:26:17: warning: MQTT needs it.",
                ].map { $0.replacingFirst("What?", by: "what?") })
        #expect(loaded.connections.isEmpty)
    }

    @Test("say nothing where the model has said something already")
    func noEcho() {
        let problems = [
            BindingProblem(path: "/sources/0/qos", message: "QoS 2!", isWarning: true),
            BindingProblem(path: "/uri", message: "The scheme is wrong."),
        ]
        let text = goodConnection.replacingFirst("qos: 1", by: "qos: 2").replacingFirst("tcp:", by: "http:")
        let loaded = loadConnections(["c/plant.yaml": text], rules: rules(problems))
        #expect(loaded.diagnostics.map(\.at) == ["3:6", "6:10"])
    }

    @Test("count only the sources that could be read")
    func skippedSource() {
        let text = goodConnection.replacingFirst(
            "  - addresses: [telemetry/#]", by: "  - 5\n  - addresses: [telemetry/#]")
        let problems = [BindingProblem(path: "/sources/0/qos", message: "No.")]
        let loaded = loadConnections(["c/plant.yaml": text], rules: rules(problems))
        #expect(loaded.diagnostics.map(\.at) == ["5:5", "7:10"])
    }

    @Test("are also asked about sources that have other errors, so that all problems show at once")
    func brokenSource() {
        let rule = BindingRules(types: [.mqtt]) { connection in
            connection.sources.map(\.addresses) == [["telemetry/#"]]
                ? [BindingProblem(path: "/sources/0/addresses/0", message: "No.")] : []
        }
        let text = goodConnection.replacingFirst("qos: 1", by: "qos: 5")
        let loaded = loadConnections(["c/plant.yaml": text], rules: [rule])
        #expect(loaded.diagnostics.map(\.at) == ["5:17", "6:10"])
        #expect(loaded.connections.isEmpty)
    }

    @Test("name the settings that have a meaning")
    func settings() {
        let text = goodConnection.replacingFirst("keepAlive", by: "keepalive")
        let loaded = loadConnections(["c/plant.yaml": text], rules: rules([], settings: ["clientId", "keepAlive"]))
        #expect(loaded.diagnostics.map(\.at) == ["26:44"])
        #expect(loaded.diagnostics.first?.suggestion == "keepAlive")
        #expect(loaded.diagnostics.first?.severity == .warning)
    }
}
