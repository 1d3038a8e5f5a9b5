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

        private static func modify(_ path: String, _ value: String, topic: String? = nil) -> String {
            let topic = topic ?? "plant/device/things/twin/commands/modify"
            return #"{"topic":"\#(topic)","headers":{"correlation-id":"bad"},"path":"\#(path)","value":\#(value)}"#
        }

        private static let speed = "/features/engine/properties/speed"
        private static let long = String(repeating: "x", count: 300)

        static let rows: [Row] = [
            Row("not JSON", "speed=12", 400, "json.invalid"),
            Row("empty", "", 400, "connectivity:message.mapping.failed"),
            Row("half a document", #"{"topic":"plant/dev"#, 400, "json.invalid"),
            Row("an array", "[1,2,3]", 400, "json."),
            Row("trailing bytes", modify(speed, "1") + "}", 400, "json.invalid"),
            Row("a key twice", #"{"topic":"a/b/things/twin/commands/modify","path":"/","path":"/"}"#, 400, "json.invalid"),
            Row("no topic", #"{"path":"/","value":1}"#, 400, "json.field.missing"),
            Row("a topic that is not one", modify(speed, "1", topic: "nonsense"), 400, "protocoladapter:unknown.topicpath"),
            Row("a topic with an unknown group", modify(speed, "1", topic: "plant/device/birds/twin/commands/modify"),
                400, "protocoladapter:unknown.topicpath"),
            Row("a topic with an unknown command", modify(speed, "1", topic: "plant/device/things/twin/commands/explode"),
                400, "protocoladapter:unknown.topicpath"),
            Row("a wrong namespace", modify(speed, "1", topic: "1plant/device/things/twin/commands/modify"),
                400, "things:id.invalid"),
            Row("a name that is too long", modify(speed, "1", topic: "plant/\(long)/things/twin/commands/modify"),
                400, "things:id.invalid"),
            Row("an unknown path", modify("/wheels", "1"), 400, "protocoladapter:unknown.path"),
            Row("a path with a double slash", modify("/attributes//x", "1"), 400, "json.pointer.invalid"),
            Row("a property that is not there", #"{"topic":"plant/device/things/twin/commands/retrieve","path":"/attributes/none"}"#,
                404, "notfound"),
            Row("a thing that is not there", modify(speed, "1", topic: "plant/nobody/things/twin/commands/modify"),
                404, "things:thing.notfound"),
            Row("10 MB", modify("/attributes/x", "\"\(String(repeating: "x", count: 10_000_000))\""), 400,
                "connectivity:message.mapping.failed"),
            Row("10 MB of something", bytes: [UInt8](repeating: 0x5B, count: 10_000_000), 400,
                "connectivity:message.mapping.failed"),
            Row("a depth bomb", modify("/attributes/x", String(repeating: "[", count: 100_000)), 400, "json.invalid"),
            Row("a deep but whole document",
                modify("/attributes/x", String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)),
                400, "json.invalid"),
            Row("invalid UTF-8", bytes: Array(modify("/attributes/x", "\"").utf8) + [0xC3, 0x28, 0xFF] + Array("\"}".utf8),
                400, "json.invalid"),
            Row("a lone surrogate", modify("/attributes/x", #""\ud800""#), 400, "json.invalid"),
            Row("a thing over the size limit", modify("/attributes/x", "\"\(String(repeating: "x", count: 150_000))\""),
                413, "things:thing.toolarge"),
            Row("headers over the size limit",
                #"{"topic":"plant/device/things/twin/commands/retrieve","headers":{"x":"\#(String(repeating: "h", count: 6000))"},"path":"/"}"#,
                431, "headers.too.large"),
            Row("a subject that may only read", topic: "readonly/device", modify(speed, "1"), 403,
                "things:feature.property.notmodifiable"),
            Row("a subject that may nothing", topic: "stranger/device", modify(speed, "1"), 403, "things:feature.property.notmodifiable"),
            Row("another device's thing", topic: "enforced/plant:other", modify(speed, "1"),
                400, "connectivity:connection.id.enforcement.failed"),
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
            let all = #"{"grant":["READ","WRITE"],"revoke":[]}"#
            let read = #"{"grant":["READ"],"revoke":[]}"#
            let owners = #"{"subjects":{"test:gateway":{"type":"t"}},"resources":{"thing:/":\#(all),"policy:/":\#(all)}}"#
            let readers = #"{"subjects":{"test:reader":{"type":"t"}},"resources":{"thing:/":\#(read)}}"#
            let value = #"{"_policy":{"entries":{"o":\#(owners),"r":\#(readers)}},"features":{"engine":{"properties":{}}}}"#
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
