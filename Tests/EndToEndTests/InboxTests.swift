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

        private static func acknowledge(_ stage: Stage, _ id: String, status: Int = 200) {
            stage.send(
                "devices-answers/pump",
                Signals.envelope(
                    pump + "twin/acks/devices:received", "/", #""correlation-id":"\#(id)""#, status: status))
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
            let stage = try Self.stage("inbox", [])
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
            let stage = try Self.stage("exhausted", ["inbox.attempts=3"])
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

        @Test("a full inbox stops the intake of its connection alone, and goes on when there is room")
        func full() throws {
            let stage = try Self.stage("full", ["inbox.bytes=10kB"])
            let total = 1000
            stage.generator.send(
                (0..<total).map { .init("apps/one", Self.change("f\($0)", timeout: "60s", value: $0)) })
            try stage.balance("a full inbox") { $0.gauge("apps", "inbox_bytes") >= 10_000 }
            usleep(500_000)
            let full = try Balance(stage.process)
            let held = full.gauge("apps", "inbox_messages")
            // The batch that fills it is taken as a whole.
            #expect(held < total / 2, "\(full.summary("apps"))")
            #expect(full.count("apps", "received") < total)
            #expect(full.value(ofState: "open", "devices") == 1)
            // Deliveries are acknowledged until all are; the broker may repeat some when the intake stops.
            var done = 0
            let end = Date(timeIntervalSinceNow: 25)
            while true {
                let served = Set(
                    stage.collector.messages.filter { $0.topic == "replies/apps" }
                        .compactMap { $0.correlationID?.split(separator: "#").first.map(String.init) })
                let missing = (0..<total).filter { !served.contains("f\($0)") }
                let now = try Balance(stage.process)
                if missing.isEmpty, now.isAtRest, now.gauge("apps", "inbox_messages") == 0 { break }
                let asked = stage.collector.messages.filter { $0.topic == "devices/pump" }.compactMap(\.correlationID)
                for id in asked[done...] { Self.acknowledge(stage, id) }
                done = asked.count
                try require(
                    Date() < end, "\(missing.count) are missing, as \(missing.prefix(5)): \(now.summary("apps"))")
                usleep(100_000)
            }
            let last = try Balance(stage.process)
            #expect(last.count("apps", "dead") == 0 && last.count("apps", "died") == 0)
            #expect(last.count("apps", "redelivered") == 0, "\(last.summary("apps"))")
            try stage.end()
        }

        @Test("what waits in a closed connection waits on, and runs when it is opened again")
        func closed() throws {
            let stage = try Self.stage("closed", ["inbox.attempts=5"])
            let client = try stage.process.http(as: "devops")
            func command(_ name: String) throws {
                let answer = try client.request(
                    "POST", "/api/2/connections/apps/command", body: "connectivity.commands:\(name)",
                    contentType: "text/plain")
                #expect(answer.status == 200, "\(answer)")
            }
            stage.send("apps/one", Self.change("w1", timeout: "60s", value: 1))
            try Self.waitAtDevice(stage, "w1", times: 1)
            try stage.balance("the message to wait") { $0.gauge("apps", "inbox_messages") == 1 }
            try command("closeConnection")
            #expect(try Balance(stage.process).gauge("apps", "inbox_messages") == 1)
            try command("openConnection")
            try Self.acknowledgeAgain(stage, "w1")
            try stage.balance("an empty inbox") { $0.gauge("apps", "inbox_messages") == 0 }
            // What is said of the first delivery now comes too late to do any harm.
            Self.acknowledge(stage, "w1", status: 400)
            try stage.balance("the late refusal") { $0.count("devices", "acknowledged") == 2 && $0.isAtRest }
            // Whatever it has led to is in the store with, or before, the next change.
            stage.send("apps/one", Command.setSpeed("pump", 5, isAnswered: true))
            try stage.wait("the next change") { $0.correlationID == "pump-modify" && $0.topic == "replies/apps" }
            usleep(300_000)
            #expect(try Balance(stage.process).gauge("apps", "dead_letters") == 0)
            // A connection whose file is gone keeps what waits, and finds it again.
            stage.send("apps/one", Self.change("w2", timeout: "60s", value: 2))
            try Self.waitAtDevice(stage, "w2", times: 1)
            try stage.balance("the message to wait") { $0.gauge("apps", "inbox_messages") == 1 }
            let file = stage.bench.connections + "/apps.yaml"
            try FileManager.default.moveItem(atPath: file, toPath: file + ".away")
            try stage.process.waitForLog(10, #""stopped":"apps""#)
            try FileManager.default.moveItem(atPath: file + ".away", toPath: file)
            try Self.acknowledgeAgain(stage, "w2")
            try stage.balance("an empty inbox") { $0.gauge("apps", "inbox_messages") == 0 }
            try stage.end()
        }

        /// Acknowledges the second delivery. The first is still awaited, so the second has an id of its own.
        private static func acknowledgeAgain(_ stage: Stage, _ id: String) throws {
            let again = try stage.wait("'\(id)' at the device once more") {
                $0.topic == "devices/pump" && $0.correlationID?.hasPrefix("\(id)#") == true
            }
            acknowledge(stage, again.correlationID ?? "")
        }

        /// Apps that ask for acknowledgements of devices, and `plant:pump`.
        private static func stage(_ name: String, _ settings: [String]) throws -> Stage {
            let stage = try Stage(
                name, collecting: ["devices/#", "replies/#"], settings.flatMap { ["--set", $0] }
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
