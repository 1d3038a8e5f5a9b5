import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol

@testable import TwinspanMQTT

@Suite("MQTT settings")
struct MQTTFieldsTests {
    @Test("without settings a connection has the documented defaults")
    func defaults() throws {
        let fields = MQTTFields(try connection())
        #expect(fields.clientID == "plant" && fields.publisherID == "plantp")
        #expect(!fields.isCleanSession && fields.keepAliveSeconds == 60 && fields.will == nil && fields.tls == nil)
        #expect(fields.subscriptions == [MQTTFields.Subscription(filters: ["a/#"], qos: 1)])
    }

    @Test("every setting is read")
    func everySetting() throws {
        var connection = try connection(settings: [
            "clientId": "c", "publisherId": "p", "cleanSession": "true", "keepAlive": "2m", "lastWillTopic": "w",
            "lastWillQos": "1", "lastWillRetain": "true", "lastWillMessage": "gone",
        ])
        connection.uri = ConnectionURI(
            scheme: "ssl", user: "u", password: Secret("s"), host: "broker.example.org", port: 8883)
        let fields = MQTTFields(connection)
        #expect(fields.clientID == "c" && fields.publisherID == "p" && fields.isCleanSession)
        #expect(fields.keepAliveSeconds == 120 && fields.tls != nil && fields.user == "u" && fields.port == 8883)
        #expect(fields.will == MQTTFields.Will(topic: "w", message: "gone", qos: 1, isRetained: true))
        #expect(fields.password?.exposed == "s")
    }

    @Test(
        "the publisher never has the consumer's id",
        arguments: [(nil, nil, "plantp"), ("c", nil, "cp"), ("c", "c", "cp"), ("c", "x", "x"), ("", nil, "")]
            as [(String?, String?, String)])
    func publisherID(client: String?, publisher: String?, expected: String) throws {
        var settings: [String: String] = [:]
        settings["clientId"] = client
        settings["publisherId"] = publisher
        #expect(MQTTFields(try connection(settings: settings)).publisherID == expected)
    }

    @Test(
        "keep-alives are durations",
        arguments: [
            (nil, 60), ("0", 0), ("0s", 0), ("5", 5), ("5s", 5), ("65535s", 65_535), ("1m", 60), ("4500ms", 5),
            ("1h", 3600), ("4s", nil), ("1", nil), ("65536s", nil), ("-5s", nil), ("", nil), ("s", nil), ("5 s", nil),
            ("5x", nil), ("1d", nil), ("٥s", nil), ("99999999999999999999s", nil), ("9223372036854775807h", nil),
        ] as [(String?, Int?)])
    func keepAlive(text: String?, seconds: Int?) {
        #expect(MQTTFields.keepAliveSeconds(text) == seconds)
    }

    @Test("a sound connection has no problems")
    func sound() throws {
        var connection = try connection(settings: ["keepAlive": "30s", "lastWillTopic": "w", "lastWillQos": "2"])
        connection.targets = [try target("events/{{ thing:id }}", qos: 0, mapping: ["mqtt.topic": "x"])]
        connection.sources[0].headerMapping = [try mapping("device", "{{ header:mqtt.topic }}")]
        #expect(MQTTFields.diagnose(connection).isEmpty)
    }

    @Test(
        "wrong settings are named with their place",
        arguments: [
            (["keepAlive": "4s"], "keepAlive"), (["keepAlive": "soon"], "keepAlive"),
            (["cleanSession": "yes"], "cleanSession"), (["separatePublisherClient": "1"], "separatePublisherClient"),
            (["lastWillTopic": "a/+"], "lastWillTopic"), (["lastWillTopic": ""], "lastWillTopic"),
            (["lastWillTopic": "a", "lastWillQos": "3"], "lastWillQos"),
            (["lastWillTopic": "a", "lastWillRetain": "TRUE"], "lastWillRetain"),
            (["lastWillMessage": "gone"], "lastWillMessage"), (["publisherId": "plant"], "publisherId"),
            (["reconnectForRedelivery": "true"], "reconnectForRedelivery"),
            (["reconnectForRedeliveryDelay": "2"], nil),
            (["reconnectForRedeliveryDelay": "x"], "reconnectForRedeliveryDelay"),
            (["cleanSession": "true"], "cleanSession"), (["clientId": ""], "clientId"),
            (["clientId": "a\u{0}"], "clientId"),
        ] as [([String: String], String?)])
    func settings(settings: [String: String], key: String?) throws {
        let problems = MQTTFields.diagnose(try connection(settings: settings))
        #expect(problems.map(\.path) == (key.map { ["/specificConfig/\($0)"] } ?? []))
    }

    @Test("sources and targets are checked as the binding demands")
    func endpoints() throws {
        var connection = try connection()
        connection.uri.scheme = "http"
        connection.sources = [
            Source(addresses: ["a", "b/#/c"], consumerCount: 2, authorizationContext: []),
            Source(addresses: ["c"], qos: 2, authorizationContext: []),
            Source(addresses: ["d"], qos: 3, authorizationContext: []),
        ]
        connection.sources[1].headerMapping = [
            try mapping("fine", "constant"), try mapping("a/b", "{{ header:device }}"),
            try mapping("fine2", "{{ header:mqtt.qos }}-{{header:mqtt.retain}}"),
        ]
        connection.sources[2].replyTarget = ReplyTarget(
            address: try .parse("answers/#", scope: .address), headerMapping: [try mapping("correlation-id", "x")])
        connection.targets = [
            try target("events/+", qos: nil), try target("", qos: -1, mapping: ["other": "x"]),
            try target("a#/{{ thing:id }}", qos: 1), try target("{{ thing:id }}", qos: 1),
        ]
        let problems = MQTTFields.diagnose(connection)
        #expect(
            problems.map(\.path) == [
                "/uri", "/sources/0/addresses/1", "/sources/0/qos", "/sources/0/consumerCount", "/sources/1/qos",
                "/sources/1/headerMapping/a~1b", "/sources/2/qos", "/sources/2/replyTarget/address",
                "/sources/2/replyTarget/headerMapping/correlation-id", "/targets/0/address", "/targets/0/qos",
                "/targets/1/address", "/targets/1/qos", "/targets/1/headerMapping/other", "/targets/2/address",
            ])
        #expect(problems.filter(\.isWarning).map(\.path) == ["/sources/1/qos"])
        #expect(problems[2].text == "MQTT Source <a;b/#/c> must contain QoS value.")
        #expect(problems[6].text.hasPrefix("Invalid value '3' for configuration 'qos' in MQTT Source"))
    }

    private func connection(settings: [String: String] = [:]) throws -> Connection {
        Connection(
            id: try ConnectionID("plant"), type: .mqtt, isOpen: true,
            uri: ConnectionURI(scheme: "tcp", host: "localhost", port: 1883),
            sources: [Source(addresses: ["a/#"], qos: 1, authorizationContext: [])], targets: [],
            specificConfig: settings)
    }

    private func mapping(_ name: String, _ template: String) throws -> HeaderMapping {
        HeaderMapping(name: name, template: try .parse(template, scope: .headerMapping))
    }

    private func target(_ address: String, qos: Int?, mapping: [String: String] = [:]) throws -> Target {
        Target(
            address: try .parse(address, scope: .address), topics: [], qos: qos, authorizationContext: [],
            headerMapping: try mapping.map { try self.mapping($0.key, $0.value) })
    }
}
