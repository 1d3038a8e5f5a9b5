// `twinspan check` against a real Mosquitto: each mistake is named at its step, with a reason and a remedy.
import Foundation
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "checking connections with Mosquitto",
        .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"))
    struct ConnectionCheckTests {
        private static let plugin = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"

        private func check(_ connection: Connection, timeout: Duration = .seconds(10)) -> ConnectionCheck {
            ConnectionCheck(connection, adapter: MQTTBrokerClient(), timeout: timeout)
        }

        /// Expects one failed step, everything before it fine and everything behind it untried.
        private func expect(
            _ check: ConnectionCheck, fails step: SessionStep, _ reason: String, says words: String,
            remedy: String, at location: SourceLocation = #_sourceLocation
        ) {
            let failure = check.failure
            #expect(failure?.step == step && failure?.reason == reason, "\(check)", sourceLocation: location)
            #expect(failure?.message.contains(words) == true, "\(check)", sourceLocation: location)
            #expect(failure?.hint?.contains(remedy) == true, "\(check)", sourceLocation: location)
            let outcomes = check.steps.map(\.outcome)
            let position = check.steps.firstIndex { $0.step == step } ?? -1
            #expect(position >= 0, "\(check)", sourceLocation: location)
            for (index, outcome) in outcomes.enumerated() {
                let expected: ConnectionCheck.Outcome =
                    index < position ? .ok : index == position ? .failed : .notTried
                #expect(outcome == expected, "\(check)", sourceLocation: location)
            }
            #expect(check.steps.allSatisfy { ($0.duration == nil) == ($0.outcome == .notTried) })
        }

        @Test("a connection without mistakes passes every step, leaves no session, and is told the broker's limits")
        func fine() throws {
            let broker = try BrokerProcess()
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
            try sender.publish([Array("retained".utf8)], to: "plant/a")
            let check = check(try mqttConnection(id: "fine", port: broker.port, reading: "plant/#"))
            #expect(check.isSuccess, "\(check)")
            #expect(check.steps.map(\.step) == [.resolve, .connect, .authenticate, .subscribe])
            #expect(check.steps[0].text == "127.0.0.1" && check.steps[1].text == "127.0.0.1:\(broker.port)")
            #expect(check.steps[3].text == "plant/#")
            #expect(check.hints.contains { $0.contains("max_queued_messages") })
            // A clean session (c1) and a normal goodbye.
            #expect(broker.log.contains("p2, c1"), "\(broker.log)")
            for _ in 0..<200 where !broker.log.contains("disconnected.") { usleep(10_000) }
            #expect(broker.log.contains("disconnected."), "\(broker.log)")
            let clean = self.check(
                try mqttConnection(id: "c", port: broker.port, reading: "a", settings: ["cleanSession": "true"]))
            #expect(clean.isSuccess && clean.hints.isEmpty)
        }

        @Test("a session that runs under the connection's own id does not notice the check")
        func undisturbed() throws {
            let broker = try BrokerProcess(.persistent)
            let connection = try mqttConnection(id: "running", port: broker.port, reading: "plant/#")
            let session = SessionThread(MQTTBrokerClient(timing: .short).consumer(for: connection, inlet: TestInlet()))
            try session.awaitOpen()
            #expect(check(connection).isSuccess)
            usleep(200_000)
            #expect(session.observer.state.current.openings == 1)
            try session.stop()
        }

        @Test("a target needs no subscription")
        func targetOnly() throws {
            let broker = try BrokerProcess()
            let check = check(try mqttConnection(id: "out", port: broker.port, reading: nil))
            #expect(check.isSuccess && check.steps.map(\.step) == [.resolve, .connect, .authenticate], "\(check)")
        }

        @Test("a shared subscription is left to those who share it")
        func shared() throws {
            let broker = try BrokerProcess()
            let check = check(try mqttConnection(id: "share", port: broker.port, reading: "$share/group/plant/#"))
            #expect(check.isSuccess && !check.steps.map(\.step).contains(.subscribe), "\(check)")
            #expect(check.hints.contains { $0.contains("not tried: $share/group/plant/#") }, "\(check)")
            #expect(!broker.log.contains("SUBSCRIBE"))
        }

        @Test("a closed port, an unknown host and a host that never answers are named")
        func network() throws {
            let port = try LoopbackPort.free()
            expect(
                check(try mqttConnection(id: "closed", port: port, reading: "a")), fails: .connect, "refused",
                says: "127.0.0.1:\(port)", remedy: "listens on this port")
            let unknown = try mqttConnection(id: "nohost", host: "no-such-host.invalid", port: port, reading: "a")
            expect(
                check(unknown), fails: .resolve, "unresolved", says: "no-such-host.invalid", remedy: "check")
            let broker = try BrokerProcess()
            broker.pause()
            defer { broker.resume() }
            let silent = try mqttConnection(id: "silent", port: broker.port, reading: "a")
            expect(
                check(silent, timeout: .seconds(1)), fails: .authenticate, "timeout", says: "did not answer in MQTT",
                remedy: "MQTT is spoken there")
        }

        @Test("a wrong password, a wrong user and a missing user are named")
        func credentials() throws {
            var settings = BrokerProcess.Settings()
            settings.users = ["device": "right"]
            let broker = try BrokerProcess(settings)
            for (user, password) in [("device", "wrong"), ("nobody", "right")] {
                let connection = try mqttConnection(
                    id: "login", port: broker.port, reading: "a", user: user, password: password)
                expect(
                    check(connection), fails: .authenticate, "not-authorised", says: user,
                    remedy: "check user and password")
            }
            expect(
                check(try mqttConnection(id: "login", port: broker.port, reading: "a")), fails: .authenticate,
                "not-authorised", says: "without a user", remedy: "put user and password")
            let right = try mqttConnection(
                id: "login", port: broker.port, reading: "a", user: "device", password: "right")
            #expect(check(right).isSuccess)
        }

        @Test(
            "a subscription that the broker does not allow is named with its source",
            .enabled(if: FileManager.default.fileExists(atPath: plugin), "the broker's plugin is not installed"))
        func permission() throws {
            let rules = NSTemporaryDirectory() + "/twinspan-rules-\(UUID().uuidString).json"
            let access = #"{"publishClientSend":true,"publishClientReceive":true,"subscribe":false}"#
            try #"{"defaultACLAccess":\#(access),"clients":[],"groups":[],"roles":[]}"#.write(
                toFile: rules, atomically: false, encoding: .utf8)
            defer { unlink(rules) }
            var settings = BrokerProcess.Settings()
            settings.lines = ["plugin \(Self.plugin)", "plugin_opt_config_file \(rules)"]
            let broker = try BrokerProcess(settings)
            let check = check(try mqttConnection(id: "denied", port: broker.port, reading: "plant/#"))
            expect(
                check, fails: .subscribe, "subscription-refused", says: "'plant/#' of source 1",
                remedy: "access rules")
            #expect(check.failure?.sourceIndex == 0)
        }

        @Test("a filter that is none is named", arguments: ["a/#/b", "a+/b", "#a"])
        func topic(filter: String) throws {
            let broker = try BrokerProcess()
            expect(
                check(try mqttConnection(id: "topic", port: broker.port, reading: filter)), fails: .subscribe,
                "subscription-refused", says: "'\(filter)' of source 1 is not valid", remedy: "last level")
        }

        @Test(
            "what is wrong with a certificate is named",
            .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
        func certificates() throws {
            var settings = BrokerProcess.Settings()
            settings.tlsHost = "localhost"
            let broker = try BrokerProcess(settings)
            var connection = try mqttConnection(id: "tls", host: "localhost", port: broker.port, reading: "a")
            connection.uri.scheme = "ssl"
            connection.trustedCertificates = broker.certificate?.authority
            let fine = check(connection)
            #expect(fine.isSuccess && fine.steps.map(\.step) == [.resolve, .connect, .tls, .authenticate, .subscribe])
            #expect(fine.steps.first { $0.step == .tls }?.text.hasPrefix("TLSv1.") == true, "\(fine)")

            var other = connection
            other.uri.host = "127.0.0.1"
            expect(
                check(other), fails: .tls, "certificate-host", says: "is for 'localhost', not '127.0.0.1'",
                remedy: "name in the certificate")
            other = connection
            other.trustedCertificates = nil
            expect(
                check(other), fails: .tls, "certificate-untrusted", says: "unknown authority", remedy: "into 'ca'")
            other.trustedCertificates = try BrokerProcess(settings).certificate?.authority
            expect(
                check(other), fails: .tls, "certificate-untrusted", says: "unknown authority",
                remedy: "authority that signed")

            settings.isCertificateExpired = true
            let old = try BrokerProcess(settings)
            connection.uri.port = old.port
            connection.trustedCertificates = old.certificate?.authority
            expect(
                check(connection), fails: .tls, "certificate-expired", says: "has expired (", remedy: "new certificate")
        }

        @Test(
            "TLS where there is none, and none where there is TLS, are named",
            .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
        func mixedUp() throws {
            var settings = BrokerProcess.Settings()
            settings.tlsHost = "localhost"
            let secure = try BrokerProcess(settings)
            let plain = try BrokerProcess()
            var connection = try mqttConnection(id: "mixed", host: "localhost", port: secure.port, reading: "a")
            expect(
                check(connection), fails: .authenticate, "connection-lost", says: "without answering CONNECT",
                remedy: "expects TLS")
            connection.uri.scheme = "ssl"
            connection.uri.port = plain.port
            let failed = check(connection)
            #expect(failed.failure?.step == .tls && failed.failure?.hint?.contains("expects TLS") == true, "\(failed)")
        }
    }
}
