// Settings, addresses, starting places and what the lint says of them.
import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanNetwork
import TwinspanProtocol

@testable import TwinspanKafka

@Suite("Kafka fields")
struct KafkaFieldsTests {
    private func connection(
        _ settings: [String: String], topics: [String] = ["t"], target: String? = nil, qos: Int? = nil,
        type: ConnectionType = .kafka
    ) throws -> Connection {
        let targets = try target.map { text in
            Target(
                address: try PlaceholderTemplate.parse(text, scope: .address),
                topics: [TargetTopic(kind: .twinEvents)], authorizationContext: ["a:b"])
        }
        return Connection(
            id: try ConnectionID("c:1"), type: type, isOpen: true,
            uri: ConnectionURI(scheme: "tcp", user: "u", password: Secret("p"), host: "h", port: 1),
            sources: [Source(addresses: topics, qos: qos, authorizationContext: [])],
            targets: targets.map { [$0] } ?? [], specificConfig: settings)
    }

    @Test(
        "addresses",
        arguments: [
            ("t", "t", nil, nil), ("t/k", "t", "k", nil), ("t/k/l#1", "t", "k/l#1", nil), ("t#3", "t", nil, 3),
        ] as [(String, String, String?, Int32?)])
    func addresses(text: String, topic: String, key: String?, partition: Int32?) throws {
        let address = try KafkaAddress(text)
        #expect(address.topic == topic && address.key == key && address.partition == partition)
    }

    @Test("addresses that are none", arguments: ["", "/k", "t/", "t#", "t#x", "t#-1", "a b", "..", "ä", "t*#1"])
    func invalidAddresses(text: String) {
        #expect(throws: KafkaAddressProblem.self) { try KafkaAddress(text) }
    }

    @Test("a connection without mistakes has no problems")
    func fine() throws {
        let fine = try connection(
            ["bootstrapServers": "a:1, b:2", "groupId": "g_1", "saslMechanism": "scram-sha-256"],
            target: "t/{{ thing:id }}", qos: 1)
        #expect(KafkaFields.diagnose(fine) == [])
        let fields = KafkaFields(fine)
        #expect(fields.servers.map(\.peer) == ["h:1", "a:1", "b:2"] && fields.groupID == "g_1")
        #expect(fields.saslMechanism == "SCRAM-SHA-256" && !fields.beginsAtStart)
    }

    @Test(
        "mistakes are named with their place",
        arguments: [
            ([:], "/specificConfig/bootstrapServers"),
            (["bootstrapServers": "a"], "/specificConfig/bootstrapServers"),
            (["bootstrapServers": "a:1,,b:1"], "/specificConfig/bootstrapServers"),
            (["bootstrapServers": "a:99999"], "/specificConfig/bootstrapServers"),
            (["bootstrapServers": "a:1", "saslMechanism": "GSSAPI"], "/specificConfig/saslMechanism"),
            (["bootstrapServers": "a:1", "groupId": "a b"], "/specificConfig/groupId"),
            (["bootstrapServers": "a:1", "groupId": "{{ connection:id }}"], "/specificConfig/groupId"),
            (["bootstrapServers": "a:1", "consumerOffsetReset": "none"], "/specificConfig/consumerOffsetReset"),
            (["bootstrapServers": "a:1", "debugEnabled": "yes"], "/specificConfig/debugEnabled"),
            (["bootstrapServers": "a:1", "compression": "rar"], "/specificConfig/compression"),
            (["bootstrapServers": "a:1", "lingerMs": "-1"], "/specificConfig/lingerMs"),
            (["bootstrapServers": "a:1", "sessionTimeoutMs": "1"], "/specificConfig/sessionTimeoutMs"),
        ] as [([String: String], String)])
    func settings(settings: [String: String], path: String) throws {
        #expect(KafkaFields.diagnose(try connection(settings)).map(\.path) == [path])
    }

    @Test("topics, addresses and qos are checked")
    func places() throws {
        let settings = ["bootstrapServers": "a:1"]
        #expect(
            KafkaFields.diagnose(try connection(settings, topics: ["a", "b/c"])).map(\.path)
                == ["/sources/0/addresses/1"])
        #expect(KafkaFields.diagnose(try connection(settings, target: "t#x")).map(\.path) == ["/targets/0/address"])
        #expect(KafkaFields.diagnose(try connection(settings, target: "t#{{ header:p }}")) == [])
        #expect(KafkaFields.diagnose(try connection(settings, qos: 2)).map(\.path) == ["/sources/0/qos"])
    }

    @Test("Hono knows its aliases only")
    func hono() throws {
        let problems = KafkaFields.diagnoseHono(
            try connection(["debugEnabled": "true"], topics: ["telemetry", "other"], target: "x", type: .hono))
        #expect(
            problems.map(\.message) == [
                "The provided source address other is invalid. "
                    + "It should be one of the defined aliases: telemetry, event, command_response.",
                "The provided target address x is invalid. It should be <command>.",
                "The setting 'debugEnabled' has no effect.",
            ])
        #expect(
            KafkaFields.diagnoseHono(try connection([:], topics: ["event"], target: "command", type: .hono)) == [])
    }

    @Test(
        "where reading begins",
        arguments: [
            (nil, nil, 0, 9, false, 9), (nil, nil, 2, 9, true, 2), (nil, nil, nil, nil, false, -1),
            (nil, nil, nil, nil, true, -2), (5, nil, 0, 9, false, 5), (5, 7, 0, 9, false, 7), (7, 5, 0, 9, false, 7),
            (9, nil, 0, 9, true, 9), (50, nil, 0, 9, false, 0), (50, 4, 0, 9, false, 4), (1, nil, 3, 9, false, 3),
            (5, nil, nil, nil, true, 5),
        ] as [(Int64?, Int64?, Int64?, Int64?, Bool, Int64)])
    func beginnings(own: Int64?, group: Int64?, first: Int64?, end: Int64?, atStart: Bool, offset: Int64) {
        let place = StartingPlace(own: own, group: group, first: first, end: end, beginsAtStart: atStart)
        #expect(place.offset == offset)
        let isMoved = (own ?? 0) > (end ?? .max) || (first ?? 0) > (own ?? .max)
        #expect((place.finding != nil) == isMoved)
    }
}
