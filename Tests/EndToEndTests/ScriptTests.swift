// Script mappers in the running service: what they translate, and that a script that goes wrong costs one message.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Scripts over MQTT", .enabled(if: TwinspanProcess.hasScriptEngine))
    struct ScriptTests {
        /// One message to the script and what becomes of it.
        struct Row {
            var name: String
            /// The member `do` of the message: what the script does.
            var action: String
            /// Part of the error's message.
            var says: String
        }

        static let rows = [
            Row(name: "a loop without end", action: "loop", says: "execution time"),
            Row(name: "a script that eats memory", action: "eat", says: "memory"),
            Row(name: "a script that throws", action: "throw", says: "no such reading"),
            Row(name: "a recursion without end", action: "recurse", says: "RangeError"),
            Row(name: "a number instead of a message", action: "number", says: ""),
            Row(name: "a message without a topic", action: "topicless", says: ""),
            Row(name: "a topic that is none", action: "nonsense", says: ""),
            Row(name: "a promise", action: "promise", says: "Promise"),
        ]

        private static let readingScript = """
            function mapToDittoProtocolMsg(headers, textPayload, bytePayload, contentType) {
              const message = JSON.parse(textPayload);
              switch (message.do) {
                case 'loop': for (;;) {}
                case 'eat': { const all = []; for (;;) all.push(new Array(100000).fill(all.length)); }
                case 'throw': throw new Error('no such reading: ' + message.n);
                case 'recurse': { const f = () => f() + 1; return f(); }
                case 'number': return 42;
                case 'topicless': return { path: '/', value: 1 };
                case 'nonsense': return { topic: 'what/ever', path: '/', headers: {} };
                case 'promise': return Promise.resolve(null);
                case 'drop': return null;
              }
              return Ditto.buildDittoProtocolMsg(
                'plant', message.id, 'things', 'twin', 'commands', message.create ? 'create' : 'modify',
                message.create ? '/' : '/features/engine/properties/speed',
                { 'response-required': false, 'correlation-id': 'n' + message.n }, message.create || message.n);
            }
            """

        private static let scaleScript = """
            function mapFromDittoProtocolMsg(
              namespace, name, group, channel, criterion, action, path, dittoHeaders, value, status, extra
            ) {
              if (path === '/') return null;
              return Ditto.buildExternalMsg({}, name + ' SCALE ' + value * FACTOR, null, 'text/plain');
            }
            """

        @Test("a script translates both ways; one that goes wrong costs its message, and the next one works")
        func scripts() throws {
            let stage = try Self.stage("scripts")
            try Self.expectSpeed(7, at: "pump 70", stage)
            for (index, row) in Self.rows.enumerated() {
                let before = try Balance.settle(stage.process)
                let letters = before.gauge("readings", "dead_letters")
                stage.send("readings/pump", #"{"do":"\#(row.action)","id":"pump","n":1}"#)
                try Self.expectSpeed(100 + index, at: "pump \((100 + index) * 10)", stage)
                let after = try stage.balance("the end of '\(row.name)'") {
                    $0.gauge("readings", "dead_letters") == letters + 1
                        && $0.count("readings", "dead") > before.count("readings", "dead")
                }
                let text = Comment(rawValue: "'\(row.name)': \(after.summary("readings"))")
                #expect(after.count("readings", "dead") == before.count("readings", "dead") + 1, text)
                #expect(after.count("readings", "dropped") == before.count("readings", "dropped") + 1, text)
                #expect(stage.process.isRunning, text)
                let answer = stage.collector.messages.last { $0.topic == "replies/readings" }
                let said = answer?.text ?? "no answer"
                #expect(row.says.isEmpty || said.contains(row.says), "'\(row.name)': \(said.prefix(400))")
            }
            stage.send("readings/pump", #"{"do":"drop","id":"pump","n":1}"#)
            let last = try stage.balance("the dropped message") { $0.count("readings", "empty") == 1 }
            #expect(last.count("readings", "dropped") { $0 == "mapper" } == 1)
            let maps = try stage.process.mappedFiles()
            #expect(maps.contains("javascriptcore"))
            try stage.end()
        }

        @Test("a changed script restarts its connection alone; a broken one changes nothing and is told")
        func reload() throws {
            let stage = try Self.stage("reload")
            try Self.expectSpeed(7, at: "pump 70", stage)
            try stage.bench.write(Self.scriptText(factor: 100), to: "../mappers/scale.js")
            try stage.process.waitForLog(10, "connection changed")
            let line = stage.process.log.split(separator: "\n").last { $0.contains("connections reloaded") } ?? ""
            #expect(line.contains(#""changed":"speeds""#) && line.contains("scale.js"), "\(line)")
            try stage.process.waitUntilReady()
            try Self.expectSpeed(8, at: "pump 800", stage)

            try stage.bench.write("function mapFromDittoProtocolMsg( {", to: "../mappers/scale.js")
            try stage.process.waitForLog(10, "connections not reloaded")
            let failed = try Balance(stage.process)
            #expect(failed.value("twinspan_config_last_reload_successful") == 0)
            #expect(stage.process.log.contains("scale.js"))
            try Self.expectSpeed(9, at: "pump 900", stage)
            try stage.bench.write(Self.scriptText(factor: 1000), to: "../mappers/scale.js")
            try stage.balance("a successful reload") { $0.value("twinspan_config_last_reload_successful") == 1 }
            try stage.process.waitUntilReady()
            try Self.expectSpeed(10, at: "pump 10000", stage)
            try stage.end()
        }

        @Test("without a script the engine is not loaded")
        func unloaded() throws {
            let stage = try Stage("plain", collecting: ["events/#"]) { ["plant.yaml": Plant.telemetryIn(port: $0)] }
            let maps = try stage.process.mappedFiles()
            #expect(!maps.contains("javascriptcore") && !maps.contains("libglib"))
            try stage.end()
        }

        // MARK: The connections

        private static func expectSpeed(_ speed: Int, at text: String, _ stage: Stage) throws {
            stage.send("readings/pump", #"{"id":"pump","n":\#(speed)}"#)
            try stage.wait("'\(text)'", 20) {
                $0.topic == "speeds/pump" && $0.text == text.replacing(" ", with: " SCALE ")
            }
        }

        private static func scriptText(factor: Int) -> String { scaleScript.replacing("FACTOR", with: "\(factor)") }

        /// A script in and a script file out, and `plant:pump`.
        private static func stage(_ name: String) throws -> Stage {
            let stage = try Stage(name, collecting: ["speeds/#", "replies/#"]) { port in
                [
                    "../mappers/readings.js": readingScript, "../mappers/scale.js": scriptText(factor: 10),
                    "readings.yaml": readings(port: port), "speeds.yaml": speeds(port: port),
                ]
            }
            let list = #"{"test:gateway":{"type":"t"}}"#
            let grant = #"{"grant":["READ","WRITE"],"revoke":[]}"#
            let resources = #"{"thing:/":\#(grant),"policy:/":\#(grant)}"#
            let policy = #"{"entries":{"all":{"subjects":\#(list),"resources":\#(resources)}}}"#
            stage.send(
                "readings/pump",
                #"{"id":"pump","n":0,"create":{"_policy":\#(policy),"features":{"engine":{"properties":{}}}}}"#)
            return stage
        }

        private static func readings(port: Int) -> String {
            """
            id: readings
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            mappingDefinitions:
              script:
                mappingEngine: JavaScript
                options: { script: ../mappers/readings.js }
            sources:
              - addresses: ["readings/#"]
                qos: 1
                authorizationContext: ["\(Plant.gateway)"]
                payloadMapping: [script]
                replyTarget: { address: replies/readings, headerMapping: { mqtt.qos: "1" } }

            """
        }

        private static func speeds(port: Int) -> String {
            """
            id: speeds
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            mappingDefinitions:
              script:
                mappingEngine: JavaScript
                options: { script: ../mappers/scale.js }
            targets:
              - address: "speeds/{{ thing:name }}"
                topics: ["_/_/things/twin/events"]
                qos: 1
                authorizationContext: ["\(Plant.gateway)"]
                payloadMapping: [script]

            """
        }
    }
}
