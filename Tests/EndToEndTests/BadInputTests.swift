// What peers can get wrong, over the real broker: each is answered, and the next good message works.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Bad input over MQTT")
    struct BadInputTests {
        /// One bad message.
        struct Row: CustomStringConvertible {
            var description: String
            var topic = "telemetry/device"
            var payload: [UInt8]
            var status: Int64
            var code: String

            init(_ name: String, topic: String = "telemetry/device", _ payload: String, _ status: Int64, _ code: String)
            {
                self.init(name, topic: topic, bytes: Array(payload.utf8), status, code)
            }

            init(
                _ name: String, topic: String = "telemetry/device", bytes: [UInt8], _ status: Int64, _ code: String
            ) {
                description = name
                self.topic = topic
                payload = bytes
                self.status = status
                self.code = code
            }
        }

        /// A command to `plant:device`, or to another topic.
        private static func command(
            _ action: String, _ path: String, _ value: String? = nil,
            topic: String = "plant/device/things/twin/commands/", headers: String = #""correlation-id":"bad""#
        ) -> String {
            let tail = value.map { #","value":\#($0)"# } ?? ""
            return #"{"topic":"\#(topic)\#(action)","headers":{\#(headers)},"path":"\#(path)"\#(tail)}"#
        }

        private static func modify(_ path: String, _ value: String) -> String { command("modify", path, value) }

        /// The good change, but with this topic.
        private static func withTopic(_ topic: String) -> String { command("", speed, "1", topic: topic) }

        private static func text(_ count: Int) -> String { "\"\(String(repeating: "x", count: count))\"" }
        private static func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }

        private static let speed = "/features/engine/properties/speed"
        private static let long = String(repeating: "x", count: 300)
        private static let mapping = "connectivity:message.mapping.failed"
        private static let topicPath = "protocoladapter:unknown.topicpath"
        private static let notModifiable = "things:feature.property.notmodifiable"

        static let rows: [Row] = [
            Row("not JSON", "speed=12", 400, "json.invalid"),
            Row("empty", "", 400, mapping),
            Row("half a document", #"{"topic":"plant/dev"#, 400, "json.invalid"),
            Row("an array", "[1,2,3]", 400, "json."),
            Row("trailing bytes", modify(speed, "1") + "}", 400, "json.invalid"),
            Row(
                "a key twice", #"{"topic":"a/b/things/twin/commands/modify","path":"/","path":"/"}"#, 400,
                "json.invalid"),
            Row("no topic", #"{"path":"/","value":1}"#, 400, "json.field.missing"),
            Row("a topic that is not one", withTopic("nonsense"), 400, topicPath),
            Row("an unknown group", withTopic("plant/device/birds/twin/commands/modify"), 400, topicPath),
            Row("an unknown command", withTopic("plant/device/things/twin/commands/explode"), 400, topicPath),
            Row("a wrong namespace", withTopic("1plant/device/things/twin/commands/modify"), 400, "things:id.invalid"),
            Row("a name too long", withTopic("plant/\(long)/things/twin/commands/modify"), 400, "things:id.invalid"),
            Row("an unknown path", modify("/wheels", "1"), 400, "protocoladapter:unknown.path"),
            Row("a path with a double slash", modify("/attributes//x", "1"), 400, "json.pointer.invalid"),
            Row("an attribute that is not there", command("retrieve", "/attributes/none"), 404, "notfound"),
            Row("no such thing", withTopic("plant/nobody/things/twin/commands/modify"), 404, "things:thing.notfound"),
            Row("10 MB", modify("/attributes/x", text(10_000_000)), 400, mapping),
            Row("10 MB of brackets", bytes: [UInt8](repeating: 0x5B, count: 10_000_000), 400, mapping),
            Row("a depth bomb", modify("/attributes/x", String(repeating: "[", count: 100_000)), 400, "json.invalid"),
            Row("a deep but whole document", modify("/attributes/x", nested(5000)), 400, "json.invalid"),
            Row(
                "invalid UTF-8",
                bytes: Array(modify("/attributes/x", "\"").utf8.dropLast()) + [0xC3, 0x28, 0xFF] + Array("\"}".utf8),
                400, "json.invalid"),
            Row("a lone surrogate", modify("/attributes/x", #""\ud800""#), 400, "json.invalid"),
            Row("a thing over the size limit", modify("/attributes/x", text(150_000)), 413, "things:thing.toolarge"),
            Row(
                "headers over the size limit", command("retrieve", "/", headers: #""x":\#(text(6000))"#), 431,
                "headers.too.large"),
            Row("may only read", topic: "readonly/device", modify(speed, "1"), 403, notModifiable),
            Row("may nothing", topic: "stranger/device", modify(speed, "1"), 403, notModifiable),
            Row(
                "another device's thing", topic: "enforced/plant:other", modify(speed, "1"), 400,
                "connectivity:connection.id.enforcement.failed"),
        ]

        @Test("each is answered with its error, and the message after it works")
        func answered() throws {
            let bench = try Workbench("bad")
            try bench.write(Self.connections(port: bench.broker.port), to: "all.yaml")
            let process = try bench.start()
            let collector = try EventCollector(port: bench.broker.port, ["events/#", "replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            try process.waitUntilReady()
            generator.send([.init("telemetry/device", Self.creation)])
            try collector.wait(10, for: "the creation") { $0.topic == "events/1/plant:device" }
            var ledger = Ledger()
            for row in Self.rows {
                let seen = collector.count
                generator.send([.init(row.topic, bytes: row.payload)])
                let number = ledger.next("device")
                generator.send([.init("telemetry/device", Command.setSpeed("device", number))])
                try collector.wait(20, for: "the good message after '\(row)'") {
                    SeenEvent($0)?.value == "\(number)"
                }
                let answer = collector.messages[seen...].first { $0.topic == "replies/errors" }
                guard let answer else {
                    Issue.record("'\(row)' was not answered")
                    continue
                }
                let status = answer.json.value(at: ["status"])?.int64
                let code = answer.json.value(at: ["value", "error"])?.string ?? ""
                let text = "'\(row)' was answered with \(answer.text.prefix(400))"
                #expect(status == row.status, Comment(rawValue: text))
                #expect(code.contains(row.code), Comment(rawValue: text))
                #expect(answer.json.value(at: ["value", "message"])?.string?.isEmpty == false, Comment(rawValue: text))
                #expect(process.isRunning, "'\(row)' ended the process: \(process.log.suffix(2000))")
            }
            try LossTests.expectTwins(at: ledger, generator, collector)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
        }

        private static let creation: String = {
            func entry(_ subject: String, _ permissions: String, _ resources: String...) -> String {
                let grant = #"{"grant":\#(permissions),"revoke":[]}"#
                let list = resources.map { #""\#($0)":\#(grant)"# }.joined(separator: ",")
                return #"{"subjects":{"\#(subject)":{"type":"test"}},"resources":{\#(list)}}"#
            }
            let owner = entry(Plant.gateway, #"["READ","WRITE"]"#, "thing:/", "policy:/")
            let reader = entry("test:reader", #"["READ"]"#, "thing:/")
            let policy = #"{"entries":{"owner":\#(owner),"reader":\#(reader)}}"#
            let value = #"{"_policy":\#(policy),"features":{"engine":{"properties":{}}}}"#
            return Command.envelope("device", "create", "/", value, isAnswered: false)
        }()

        /// One source per subject and a source with enforcement; answers and errors have topics of their own.
        private static func connections(port: Int) -> String {
            func source(_ topic: String, _ subject: String, _ more: String = "") -> String {
                """
                  - addresses: ["\(topic)/#"]
                    qos: 1
                    authorizationContext: ["\(subject)"]
                    replyTarget:
                      address: replies/errors
                      headerMapping: { mqtt.qos: "1" }
                \(more)

                """
            }
            let enforcement =
                #"    enforcement: { input: "{{ source:address }}", filters: ["enforced/{{ thing:id }}"] }"#
            return """
                id: devices
                connectionType: mqtt
                connectionStatus: open
                uri: tcp://127.0.0.1:\(port)
                sources:

                """ + source("telemetry", Plant.gateway) + source("readonly", "test:reader")
                    + source("stranger", "test:stranger") + source("enforced", Plant.gateway, enforcement)
                    + "---\n" + Plant.eventsOut(port: port)
        }
    }
}
