import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanNetwork
import TwinspanProtocol

@testable import TwinspanMQTT

@Suite("MQTT 5 rules")
struct MQTT5Tests {
    @Test(
        "known headers are sent as they are used, or not at all",
        arguments: [
            (true, ["mqtt.topic=t", "mqtt.qos=1", "mqtt.retain=true", "mqtt.own=o", "x=y"]), (false, ["x=y"]),
        ] as [(Bool, [String])])
    func knownHeaders(isKept: Bool, expected: [String]) throws {
        let headers = [
            ("mqtt.topic", "other"), ("mqtt.qos", "2"), ("mqtt.retain", "false"), ("mqtt.own", "o"), ("x", "y"),
            ("empty", ""),
        ]
        let properties = try MQTTProperties(of: message(headers), keepsKnownHeaders: isKept)
        #expect(properties.userProperties.map { "\($0.name)=\($0.value)" } == expected)
        #expect(properties.correlationData == nil && properties.expirySeconds == nil)
    }

    @Test(
        "an expiry is a number of seconds that fits",
        arguments: [("0", nil), ("1", 1), ("4294967295", 4_294_967_295)] as [(String, UInt32?)])
    func expiry(text: String, seconds: UInt32?) throws {
        let header = [("mqtt.message-expiry-interval", text)]
        #expect(try MQTTProperties(of: message(header), keepsKnownHeaders: true).expirySeconds == seconds)
    }

    @Test(
        "a header that cannot be sent is refused by its name",
        arguments: [
            ("mqtt.message-expiry-interval", "-1"), ("mqtt.message-expiry-interval", "4294967296"),
            ("mqtt.message-expiry-interval", "1s"), ("reply-to", "a/#"), ("reply-to", "a\u{0}"),
            ("content-type", "a\u{0}b"), ("x", "\u{7F}"), ("x", "\u{FFFE}"), ("x\u{1}", "y"),
            ("x", String(repeating: "ä", count: 32_768)),
            ("correlation-id", String(repeating: "c", count: 65_536)),
        ])
    func illegal(name: String, value: String) throws {
        #expect {
            try MQTTProperties(of: message([(name, value)]), keepsKnownHeaders: true)
        } throws: { error in
            guard let refusal = error as? PublishRefusal else { return false }
            return refusal.reason == "invalid-header" && refusal.status == 400 && refusal.detail.contains("'\(name)'")
        }
    }

    @Test("a refused message is tried again after a pause, and given up at the fifth refusal")
    func retries() {
        var retries = PublishRetries()
        #expect(!retries.isPausing && retries.isEmpty)
        #expect(retries.add(message([]), id: 1) == nil && retries.isPausing && !retries.resumesAt.hasPassed)
        for count in 1..<PublishRetries.maximumAttempts {
            let again = retries.takeNext()
            #expect(again?.attempts == count && retries.isEmpty)
            retries.noteSent(id: Int32(count), attempts: count)
            let given = retries.add(message([]), id: Int32(count))
            #expect(given == (count + 1 == PublishRetries.maximumAttempts ? count + 1 : nil))
        }
        #expect(retries.isEmpty && retries.removeAll().isEmpty)
    }

    @Test("a message that was taken at last begins anew with its next refusal")
    func settled() {
        var retries = PublishRetries()
        retries.noteSent(id: 7, attempts: 4)
        retries.noteSettled(id: 7)
        #expect(retries.add(message([]), id: 7) == nil)
        #expect(retries.removeAll().count == 1 && !retries.isPausing)
    }

    @Test(
        "the settings of MQTT 5 are checked, and those of 3.1.1 stay with it",
        arguments: [
            (.mqtt5, ["receiveMaximum": "1"], nil), (.mqtt5, ["receiveMaximum": "65535"], nil),
            (.mqtt5, ["receiveMaximum": "0"], "receiveMaximum"), (.mqtt5, ["receiveMaximum": "x"], "receiveMaximum"),
            (.mqtt5, ["receiveMaximum": "65536"], "receiveMaximum"), (.mqtt, ["receiveMaximum": "9"], "receiveMaximum"),
            (.mqtt5, ["keepAlive": "1"], "keepAlive"),
        ] as [(ConnectionType, [String: String], String?)])
    func settings(type: ConnectionType, settings: [String: String], key: String?) throws {
        let problems = MQTTFields.diagnose(try connection(type, settings))
        #expect(problems.map(\.path) == (key.map { ["/specificConfig/\($0)"] } ?? []))
        #expect(problems.allSatisfy { $0.isWarning == (type == .mqtt) })
    }

    @Test("any header may be mapped in both directions, and a password needs no user")
    func freeHeaders() throws {
        var connection = try connection(.mqtt5, [:])
        connection.uri.password = Secret("p")
        connection.sources[0].headerMapping = [
            HeaderMapping(name: "device", template: try .parse("{{ header:device_id }}", scope: .headerMapping))
        ]
        connection.targets = [
            Target(
                address: try .parse("out", scope: .address), topics: [], qos: 1, authorizationContext: [],
                headerMapping: [HeaderMapping(name: "own", template: try .parse("x", scope: .headerMapping))])
        ]
        #expect(MQTTFields.diagnose(connection).isEmpty)
        connection.clientCount = 2
        connection.sources[0].consumerCount = 2
        let problems = MQTTFields.diagnose(connection)
        #expect(problems.map(\.path) == ["/clientCount", "/sources/0/consumerCount"])
        #expect(problems.allSatisfy { $0.isWarning && $0.hint?.contains("$share") == true })
    }

    @Test("a session is kept for ever, or for a minute with cleanSession")
    func sessionExpiry() throws {
        #expect(MQTTFields(try connection(.mqtt5, [:])).sessionExpirySeconds == .max)
        #expect(MQTTFields(try connection(.mqtt5, ["cleanSession": "true"])).sessionExpirySeconds == 60)
        #expect(MQTTFields(try connection(.mqtt5, ["receiveMaximum": "0"])).receiveMaximum == 500)
        #expect(MQTTFields(try connection(.mqtt5, [:])).version == .v5)
        #expect(MQTTFields(try connection(.mqtt, [:])).version == .v311)
    }

    @Test("every reason code has words", arguments: 128...162)
    func phrases(code: Int) {
        // 146, 148 are for packets we never send.
        #expect(MQTTFailure.phrase(code).contains("(code \(code))") || [146, 148].contains(code))
    }

    private func message(_ headers: [(String, String)]) -> OutboundMessage {
        OutboundMessage(
            address: "t", payload: [], qos: 1, isRetained: true, headers: headers.map { (name: $0.0, value: $0.1) },
            target: 0, queuedAt: 0)
    }

    private func connection(_ type: ConnectionType, _ settings: [String: String]) throws -> Connection {
        Connection(
            id: try ConnectionID("plant"), type: type, isOpen: true,
            uri: ConnectionURI(scheme: "tcp", host: "h", port: 1883),
            sources: [Source(addresses: ["a"], qos: 1, authorizationContext: [])], targets: [],
            specificConfig: settings)
    }
}
