// Devices of Eclipse Hono: a tenant's topics in a Kafka cluster on one side, an app over MQTT on the other.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite(
        "Eclipse Hono",
        .disabled(if: KafkaProcess.unavailableReason != nil, "\(KafkaProcess.unavailableReason ?? "")"))
    struct HonoTests {
        private static let ask = "plant/pump/things/live/messages/ask"

        /// Telemetry in, live messages to the devices, and their answers.
        private static let hono = """
            id: hono
            connectionType: hono
            specificConfig: { honoTenantId: plant }
            mappingDefinitions:
              presence: { mappingEngine: ConnectionStatus, options: { thingId: "{{ header:device_id }}" } }
            sources:
              - addresses: [telemetry, event]
                qos: 1
                authorizationContext: ["test:device"]
                payloadMapping: [Ditto, presence]
                enforcement: { input: "{{ header:device_id }}", filters: ["{{ entity:id }}"] }
                replyTarget: { address: command }
              - addresses: [command_response]
                qos: 1
                authorizationContext: ["test:device"]
                replyTarget: { enabled: false }
            targets:
              - address: command
                topics: ["_/_/things/live/messages"]
                authorizationContext: ["test:device"]

            """

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
            targets:
              - address: "app-events/{{ thing:id }}"
                topics: ["_/_/things/twin/events"]
                qos: 1
                authorizationContext: ["test:app"]

            """
        }

        private static func settings(_ cluster: KafkaProcess) -> [String] {
            [
                "--set", "hono.base-uri=tcp://127.0.0.1:\(cluster.port)",
                "--set", "hono.bootstrap-servers=\"\(cluster.bootstrapServers)\"", "--set", "hono.username=''",
            ]
        }

        private static func start(_ name: String) throws -> (Stage, KafkaProcess) {
            let cluster = try KafkaProcess()
            for alias in ["telemetry", "event", "command", "command_response"] {
                try cluster.makeTopic("hono.\(alias).plant")
            }
            let stage = try Stage(name, collecting: ["replies/#", "app-events/#"], settings(cluster)) { port in
                ["hono.yaml": hono, "apps.yaml": apps(port: port)]
            }
            try stage.create(["pump"], at: "apps/one", for: ["test:app", "test:device"])
            return (stage, cluster)
        }

        private static func header(_ name: String, _ value: String) -> (name: String, value: String) { (name, value) }

        @Test("telemetry updates twins, messages become commands, answers come back, presence is a feature")
        func roundTrip() throws {
            let (stage, cluster) = try Self.start("hono")
            let commands = try cluster.collect("hono.command.plant")
            let device = Self.header("device_id", "plant:pump")
            try cluster.send(
                [
                    KafkaProcess.Record(
                        Signals.envelope(
                            "plant/pump/things/twin/commands/modify", "/features/engine/properties/speed",
                            #""response-required":false"#, value: "42"),
                        key: "plant:pump", headers: [device])
                ], to: "hono.telemetry.plant")
            let changed = try stage.wait("the event of the telemetry", 20) { message in
                message.json.value(at: ["path"])?.string == "/features/engine/properties/speed"
            }
            #expect(changed.json.value(at: ["value"])?.int64 == 42)

            stage.send(
                "apps/one",
                Signals.envelope(
                    Self.ask, "/inbox/messages/ask", #""correlation-id":"m1","content-type":"application/json""#,
                    value: #"{"how":"fast"}"#))
            let command = try #require(try commands.record(within: 10_000), "no command for the device")
            #expect(command.keyText == "plant:pump" && command.header("device_id") == "plant:pump")
            #expect(command.header("subject") == "ask" && command.header("correlation-id") == "m1")
            #expect(command.header("response-required") == "true", "\(command.headers)")
            #expect(command.text.contains("fast"))

            try cluster.send(
                [
                    KafkaProcess.Record(
                        Signals.envelope(
                            Self.ask, "/inbox/messages/ask",
                            #""correlation-id":"m1","content-type":"application/json""#, value: #"{"rpm":7}"#,
                            status: 200),
                        key: "plant:pump",
                        headers: [device, Self.header("correlation-id", "m1"), Self.header("status", "200")])
                ], to: "hono.command_response.plant")
            let reply = try stage.wait("the answer at the app") {
                $0.topic == "replies/apps" && $0.correlationID == "m1"
            }
            #expect(reply.status == 200 && reply.json.value(at: ["value", "rpm"])?.int64 == 7)

            var connected = KafkaProcess.Record("", key: "plant:pump")
            connected.headers = [
                device, Self.header("content-type", "application/vnd.eclipse-hono-empty-notification"),
                Self.header("creation-time", "1767225600000"), Self.header("ttd", "-1"),
            ]
            try cluster.send([connected], to: "hono.event.plant")
            let presence = try stage.wait("the presence of the device") {
                $0.json.value(at: ["path"])?.string == "/features/ConnectionStatus"
            }
            let status = presence.json.value(at: ["value", "properties", "status"])
            #expect(status?.object?["readySince"]?.string == "2026-01-01T00:00:00Z")
            #expect(status?.object?["readyUntil"]?.string == "9999-12-31T23:59:59Z")
            try stage.end()
        }

        @Test("a cluster that is away is told by status, and so is its return")
        func outage() throws {
            let (stage, cluster) = try Self.start("hono-outage")
            try Self.waitForStatus(stage, "open") { $0.contains(" open") && !$0.contains("connection-lost") }
            try cluster.goDown()
            try Self.waitForStatus(stage, "an outage") {
                $0.contains("No broker of the cluster can be reached")
            }
            try cluster.comeUp()
            try Self.waitForStatus(stage, "the return") {
                $0.contains(" open") && !$0.contains("No broker of the cluster can be reached")
            }
            try stage.end()
        }

        private static func waitForStatus(
            _ stage: Stage, _ what: String, _ isWanted: (String) -> Bool
        ) throws {
            let limit = Date(timeIntervalSinceNow: 30)
            while true {
                let text = try stage.run("status")
                let line = text.split(separator: "\n").drop { !$0.hasPrefix("hono ") }.joined(separator: "\n")
                if !line.isEmpty, isWanted(line) { return }
                try require(Date() < limit, "status does not tell of \(what): \(text)")
            }
        }

        @Test("the resolved connection is told to Ditto's tools, without its password")
        func resolved() throws {
            let (stage, cluster) = try Self.start("hono-resolved")
            func ask(_ id: String) throws -> HTTPClient.Answer {
                try stage.process.http(as: "devops").request(
                    "POST", "/devops/piggyback/connectivity",
                    body: #"{"targetActorSelection":"/system/sharding/connection","headers":{"aggregate":false},"#
                        + #""piggybackCommand":{"type":"connectivity.commands:retrieveResolvedHonoConnection","#
                        + #""connectionId":"\#(id)"}}"#)
            }
            let answer = try ask("hono")
            #expect(answer.status == 200)
            let connection = answer.json.value(at: ["connection"])?.object
            #expect(connection?["connectionType"]?.string == "kafka", "\(answer.text)")
            #expect(connection?["uri"]?.string == "tcp://127.0.0.1:\(cluster.port)")
            #expect(answer.text.contains("hono.command.plant/{{thing:id}}") && answer.text.contains("hono.event.plant"))
            let other = try ask("apps")
            #expect(other.text.contains("is no Hono connection"), "\(other.text)")
            try stage.end()
        }

        @Test("a dry run dials the cluster that the configuration names")
        func check() throws {
            let cluster = try KafkaProcess()
            let bench = try Workbench("hono-check")
            try bench.write(Self.hono, to: "hono.yaml")
            for alias in ["telemetry", "event", "command_response"] { try cluster.makeTopic("hono.\(alias).plant") }
            let file = bench.directory + "/twinspan.yaml"
            func check(_ arguments: [String]) throws -> (code: Int32, text: String) {
                let log = bench.directory + "/check.log"
                let process = try ChildProcess(
                    [TwinspanProcess.binary, "check", bench.connections + "/hono.yaml"] + arguments, logPath: log)
                let limit = Date(timeIntervalSinceNow: 30)
                while process.isRunning {
                    try require(Date() < limit, "the check does not end")
                    usleep(10_000)
                }
                return (process.exitCode ?? -1, try String(contentsOfFile: log, encoding: .utf8))
            }
            let servers = #""\#(cluster.bootstrapServers)""#
            try "hono: { base-uri: 'tcp://127.0.0.1:\(cluster.port)', bootstrap-servers: \(servers), username: '' }\n"
                .write(toFile: file, atomically: true, encoding: .utf8)
            let fine = try check(["--config", file])
            #expect(fine.code == 0 && fine.text.contains("1 connection fine"), "\(fine.text)")
            try "hono: { base-uri: 'tcp://127.0.0.1:\(try LoopbackPort.free())', bootstrap-servers: 'no.invalid:1' }\n"
                .write(toFile: file, atomically: true, encoding: .utf8)
            let dead = try check(["--config", file, "--timeout", "2s"])
            #expect(dead.code == 1 && dead.text.contains("FAILED"), "\(dead.text)")
            try "hono: { sasl-mechanism: none }\n".write(toFile: file, atomically: true, encoding: .utf8)
            let wrong = try check(["--config", file])
            #expect(wrong.code == 1 && wrong.text.contains("'none' is not known"), "\(wrong.text)")
        }
    }
}
