// Messages that wait outlive the process, run again with growing pauses, and end as dead letters when it is enough.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("The inbox", .enabled(if: Journal.unavailableReason == nil))
    struct InboxTests {
        private static let pump = "plant/pump/things/"
        private static let speed = "/features/engine/properties/speed"

        private static func change(_ id: String, timeout: String, value: Int) -> String {
            Signals.envelope(
                pump + "twin/commands/modify", speed,
                #""correlation-id":"\#(id)","timeout":"\#(timeout)","requested-acks":["devices:received"]"#,
                value: "\(value)")
        }

        private static func acknowledge(_ stage: Stage, _ id: String) {
            stage.send(
                "devices-answers/pump",
                Signals.envelope(
                    pump + "twin/acks/devices:received", "/", #""correlation-id":"\#(id)""#, status: 200))
        }

        /// How many messages the files of the store hold in a table.
        private static func count(_ stage: Stage, _ table: String) throws -> Int {
            let rows = try Journal.query(Journal.file(of: stage.bench.data), "SELECT count(*) FROM \(table)")
            return Int(rows.first?.first ?? "") ?? -1
        }

        private static func waitAtDevice(_ stage: Stage, _ id: String, times: Int) throws {
            var left = times
            try stage.wait("'\(id)' at the device \(times) times", 20) { message in
                if message.topic == "devices/pump", message.correlationID == id { left -= 1 }
                return left == 0
            }
        }

        @Test("what waits when the process is killed runs again, and the acknowledgement settles it")
        func kill() throws {
            let stage = try Self.stage("inbox", attempts: 10)
            let ids = (0..<20).map { "k\($0)" }
            for (number, id) in ids.enumerated() {
                stage.send("apps/one", Self.change(id, timeout: "30s", value: number + 1))
            }
            for id in ids { try Self.waitAtDevice(stage, id, times: 1) }
            // One of them is done, and is never to come again.
            Self.acknowledge(stage, "k0")
            try stage.wait("the answer to k0") { $0.topic == "replies/apps" && $0.correlationID == "k0" }
            try stage.balance("19 messages in the inbox") { $0.gauge("apps", "inbox_messages") == 19 }
            stage.process.kill9()
            #expect(try Self.count(stage, "inbox") == 19)
            #expect(try Self.count(stage, "dead_letter") == 0)
            try stage.restart()
            for id in ids.dropFirst() {
                try Self.waitAtDevice(stage, id, times: 2)
                Self.acknowledge(stage, id)
            }
            for id in ids.dropFirst() {
                try stage.wait("the answer to \(id)") {
                    $0.topic == "replies/apps" && $0.correlationID == id && $0.status == 200
                }
            }
            let balance = try stage.balance("an empty inbox") { $0.gauge("apps", "inbox_messages") == 0 }
            #expect(balance.count("apps", "rerun") == 19 && balance.gauge("apps", "inbox_bytes") == 0)
            let repeats = stage.collector.messages.filter { $0.topic == "devices/pump" && $0.correlationID == "k0" }
            #expect(repeats.count == 1, "what was settled has run again")
            try stage.end()
            #expect(try Self.count(stage, "inbox") == 0)
            #expect(try Self.count(stage, "dead_letter") == 0)
        }

        @Test("after its last attempt a message is a dead letter, over a kill in between; the next one works")
        func exhausted() throws {
            let stage = try Self.stage("exhausted", attempts: 3)
            stage.send("apps/one", Self.change("x1", timeout: "300ms", value: 1))
            try Self.waitAtDevice(stage, "x1", times: 1)
            // The first attempt has failed, and that is known after the kill.
            try stage.wait("the timeout") { $0.topic == "replies/apps" && $0.status == 408 }
            try stage.balance("the failure") { $0.count("apps", "redelivered") == 1 }
            usleep(100_000)
            stage.process.kill9()
            try stage.restart()
            try Self.waitAtDevice(stage, "x1", times: 3)
            let balance = try stage.balance("the dead letter") { $0.gauge("apps", "dead_letters") == 1 }
            #expect(balance.gauge("apps", "inbox_messages") == 0 && balance.count("apps", "died") == 1)
            #expect(balance.count("apps", "rerun") == 2, "\(balance.summary("apps"))")
            stage.send("apps/one", Self.change("x2", timeout: "10s", value: 2))
            try Self.waitAtDevice(stage, "x2", times: 1)
            Self.acknowledge(stage, "x2")
            try stage.wait("the answer to x2") { $0.correlationID == "x2" && $0.status == 200 }
            try stage.end()
            let letters = try Journal.query(
                Journal.file(of: stage.bench.data),
                "SELECT connection, attempts, stage, CAST(correlation AS TEXT), CAST(address AS TEXT) FROM dead_letter")
            #expect(letters == [["apps", "3", "redelivery", "x1", "apps/one"]])
        }

        /// Apps that ask for acknowledgements of devices, and `plant:pump`.
        private static func stage(_ name: String, attempts: Int) throws -> Stage {
            let stage = try Stage(
                name, collecting: ["devices/#", "replies/#"], ["--set", "inbox.attempts=\(attempts)"]
            ) { port in
                ["apps.yaml": apps(port: port), "devices.yaml": devices(port: port)]
            }
            try stage.create(["pump"], at: "apps/one", for: ["test:app", "test:device"])
            return stage
        }

        private static func apps(port: Int) -> String {
            """
            id: apps
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            sources:
              - addresses: ["apps/#"]
                qos: 1
                authorizationContext: ["test:app"]
                replyTarget:
                  address: replies/apps
                  headerMapping: { mqtt.qos: "1" }
                  expectedResponseTypes: [response, error, nack]

            """
        }

        private static func devices(port: Int) -> String {
            """
            id: devices
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            sources:
              - addresses: ["devices-answers/#"]
                qos: 1
                authorizationContext: ["test:device"]
                declaredAcks: ["{{ connection:id }}:received"]
            targets:
              - address: "devices/{{ thing:name }}"
                topics: ["_/_/things/twin/events"]
                qos: 1
                authorizationContext: ["test:device"]

            """
        }
    }
}
