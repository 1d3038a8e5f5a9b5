// Apps and devices that talk over the service: messages, live commands, events and acknowledgements, over real brokers.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Live signals and acknowledgements")
    struct LiveTests {
        private static let pump = "plant/pump/things/"
        private static let speed = "/features/engine/properties/speed"

        /// Sends something from an app.
        private static func ask(
            _ stage: Stage, _ id: String, _ topic: String, _ path: String, _ headers: String = "",
            value: String? = nil
        ) {
            stage.send(
                "apps/one",
                Signals.envelope(
                    pump + topic, path, #""correlation-id":"\#(id)""# + (headers.isEmpty ? "" : ",\(headers)"),
                    value: value))
        }

        /// Answers something as a device.
        private static func answer(
            _ stage: Stage, _ id: String, _ topic: String, _ path: String, _ status: Int, value: String? = nil,
            headers: String = ""
        ) {
            stage.send(
                "devices-answers/pump",
                Signals.envelope(
                    pump + topic, path, #""correlation-id":"\#(id)""# + (headers.isEmpty ? "" : ",\(headers)"),
                    value: value, status: status))
        }

        private static func atDevice(_ stage: Stage, _ id: String, repeats: Int = 1) throws -> EventCollector.Message {
            var left = repeats
            return try stage.wait("'\(id)' at the device, \(repeats) times") { message in
                if message.topic == "devices/pump", message.correlationID == id { left -= 1 }
                return left == 0
            }
        }

        private static func atApp(
            _ stage: Stage, _ id: String, _ status: Int64, _ timeout: Double = 10
        ) throws -> EventCollector.Message {
            try stage.wait("\(status) for '\(id)' at the app", timeout) {
                $0.topic == "replies/apps" && $0.correlationID == id && $0.status == status
            }
        }

        @Test("messages and commands reach the device, and its answers the app; events reach whoever may read them")
        func roundTrips() throws {
            let stage = try Self.stage("live")
            Self.ask(stage, "m1", "live/messages/ask", "/inbox/messages/ask", value: #"{"how":"fast"}"#)
            let message = try Self.atDevice(stage, "m1")
            #expect(message.dittoTopic == Self.pump + "live/messages/ask")
            #expect(message.json.value(at: ["value", "how"])?.string == "fast")
            #expect(message.json.value(at: ["extra", "attributes", "maker"])?.string == "Example Works")
            Self.answer(stage, "m1", "live/messages/ask", "/inbox/messages/ask", 200, value: #"{"rpm":7}"#)
            let reply = try Self.atApp(stage, "m1", 200)
            #expect(reply.dittoTopic == Self.pump + "live/messages/ask")
            #expect(reply.json.value(at: ["value", "rpm"])?.int64 == 7)

            Self.ask(stage, "c1", "live/commands/modify", Self.speed, value: "12")
            #expect(try Self.atDevice(stage, "c1").dittoTopic == Self.pump + "live/commands/modify")
            Self.answer(stage, "c1", "live/commands/modify", Self.speed, 204)
            #expect(try Self.atApp(stage, "c1", 204).dittoTopic == Self.pump + "live/commands/modify")

            // A device's answer that is an error is an answer, and its message is done.
            Self.ask(stage, "c2", "live/commands/retrieve", Self.speed)
            _ = try Self.atDevice(stage, "c2")
            Self.answer(
                stage, "c2", "live/errors", "/", 404,
                value: #"{"status":404,"error":"things:feature.notfound","message":"none"}"#)
            #expect(try Self.atApp(stage, "c2", 404).error == "things:feature.notfound")

            // The device's own signals come to the app once, though two topics fit, and not back to the device.
            stage.send(
                "devices-answers/pump",
                Signals.envelope(Self.pump + "live/events/modified", Self.speed, #""correlation-id":"e1""#, value: "9"))
            stage.send(
                "devices-answers/pump",
                Signals.envelope(
                    Self.pump + "twin/commands/modify", Self.speed,
                    #""correlation-id":"e2","response-required":false"#, value: "10"))
            for (id, topic) in [("e1", "live/events/modified"), ("e2", "twin/events/modified")] {
                let event = try stage.wait(id) { $0.topic == "app-events/plant:pump" && $0.correlationID == id }
                #expect(event.dittoTopic == Self.pump + topic)
                #expect(event.json.value(at: ["extra", "attributes", "maker"])?.string == "Example Works")
            }
            let seen = stage.collector.messages
            #expect(seen.filter { $0.topic.hasPrefix("app-events") && $0.correlationID == "e2" }.count == 1)
            #expect(!seen.contains { $0.topic == "devices/pump" && ["e1", "e2"].contains($0.correlationID) })
            let balance = try Balance.settle(stage.process)
            #expect(balance.gauge("apps", "inbox_messages") == 0 && balance.gauge("apps", "waiting_signals") == 0)
            #expect(balance.count("apps", "dead") == 0 && balance.count("devices", "dead") == 0)
            try stage.end()
        }

        @Test("who does not answer in time costs the app a 408 and gets the message again, until he answers")
        func redelivery() throws {
            let stage = try Self.stage("late")
            Self.ask(stage, "m1", "live/messages/ask", "/inbox/messages/ask", #""timeout":"700ms""#, value: "1")
            _ = try Self.atDevice(stage, "m1")
            try stage.balance("the message in the inbox") { $0.gauge("apps", "inbox_messages") == 1 }
            #expect(try Self.atApp(stage, "m1", 408).error == "command.timeout")
            _ = try Self.atDevice(stage, "m1", repeats: 2)
            Self.answer(stage, "m1", "live/messages/ask", "/inbox/messages/ask", 200, value: "2")
            _ = try Self.atApp(stage, "m1", 200)
            let balance = try stage.balance("the inbox to be empty") {
                $0.gauge("apps", "inbox_messages") == 0 && $0.gauge("apps", "waiting_signals") == 0
            }
            #expect(balance.count("apps", "redelivered") { $0 == "command.timeout" } == 1)
            #expect(balance.count("apps", "rerun") == 1 && balance.count("apps", "died") == 0)

            // Row J: an answer that does not fit is the device's mistake and answers nothing.
            Self.ask(
                stage, "c1", "live/commands/retrieve", Self.speed, #""timeout":"1s","requested-acks":[]"#)
            _ = try Self.atDevice(stage, "c1")
            Self.answer(
                stage, "c1", "live/commands/delete", Self.speed, 204, headers: #""response-required":false"#)
            #expect(try Self.atApp(stage, "c1", 408).error == "command.timeout")
            let after = try Balance.settle(stage.process)
            #expect(after.count("devices", "dropped") { $0 == "unfit-answer" } == 1, "\(after.summary("devices"))")
            #expect(after.count("devices", "dead") == 0)
            // An empty list of acknowledgements lets the message go at once, so it does not come again.
            #expect(after.gauge("apps", "inbox_messages") == 0 && after.count("apps", "rerun") == 1)
            try stage.end()
        }

        @Test("a device acknowledges what an app asks it to; a refusal is told and kept")
        func acknowledgements() throws {
            let stage = try Self.stage("acks")
            func change(_ id: String, _ labels: String, _ value: Int) {
                Self.ask(
                    stage, id, "twin/commands/modify", Self.speed,
                    #""timeout":"5s","requested-acks":[\#(labels)]"#, value: "\(value)")
            }
            change("a1", #""twin-persisted","devices:received""#, 1)
            let event = try Self.atDevice(stage, "a1")
            #expect(event.dittoTopic == Self.pump + "twin/events/modified")
            let asked = event.json.value(at: ["headers", "requested-acks"])?.text ?? ""
            #expect(asked.contains("devices:received") && !asked.contains("twin-persisted"), "asked for \(asked)")
            try stage.balance("the message in the inbox") { $0.gauge("apps", "inbox_messages") == 1 }
            Self.answer(stage, "a1", "twin/acks/devices:received", "/", 200, value: #""fine""#)
            let acks = try Self.atApp(stage, "a1", 200)
            #expect(acks.dittoTopic == Self.pump + "twin/acks")
            #expect(acks.json.value(at: ["value", "twin-persisted", "status"])?.int64 == 204)
            #expect(acks.json.value(at: ["value", "devices:received", "payload"])?.string == "fine")

            change("a2", #""devices:received""#, 2)
            _ = try Self.atDevice(stage, "a2")
            Self.answer(stage, "a2", "twin/acks/devices:received", "/", 400, value: #""no""#)
            _ = try Self.atApp(stage, "a2", 400)
            let balance = try stage.balance("the refused message to die") { $0.count("apps", "died") == 1 }
            #expect(balance.count("apps", "rerun") == 0)

            // Labels that nobody answers for where the event goes are acknowledged weakly.
            Self.ask(
                stage, "a3", "twin/commands/modify", "/attributes/quiet",
                #""requested-acks":["devices:received"]"#, value: "3")
            let weak = try Self.atApp(stage, "a3", 200)
            #expect(weak.text.contains("ditto-weak-ack"), "not weak: \(weak.text)")
            try stage.balance("the inbox to be empty") {
                $0.gauge("apps", "inbox_messages") == 0 && $0.gauge("apps", "dead_letters") == 1
            }
            try stage.end()
        }

        @Test(
            "what another broker has confirmed is acknowledged for it; while it is away that fails, and is tried again")
        func issued() throws {
            var settings = BrokerProcess.Settings()
            settings.isPersistent = true
            let other = try BrokerProcess(settings)
            let stage = try Self.stage("issued") { _ in ["archive.yaml": Self.archive(port: other.port)] }
            func change(_ id: String, _ value: Int) {
                Self.ask(
                    stage, id, "twin/commands/modify", Self.speed,
                    #""timeout":"1s","requested-acks":["archive:stored"]"#, value: "\(value)")
            }
            change("i1", 1)
            let stored = try Self.atApp(stage, "i1", 200)
            #expect(stored.json.value(at: ["value", "archive:stored", "status"])?.int64 == 200)
            other.stop()
            try stage.balance("the connection to be away") { $0.value(ofState: "open", "archive") == 0 }
            change("i2", 2)
            // The event waits for the broker longer than the app does for the acknowledgement.
            let missing = try Self.atApp(stage, "i2", 408)
            #expect(missing.json.value(at: ["value", "archive:stored", "status"])?.int64 == 408)
            #expect(try Balance(stage.process).gauge("apps", "inbox_messages") == 1)
            try other.start()
            _ = try Self.atApp(stage, "i2", 200, 20)
            try stage.balance("the inbox to be empty") { $0.gauge("apps", "inbox_messages") == 0 }
            try stage.end()
        }

        // MARK: The connections

        /// An app and a device at one broker, and `plant:pump`.
        private static func stage(
            _ name: String, more: (Int) -> [String: String] = { _ in [:] }
        ) throws -> Stage {
            let stage = try Stage(name, collecting: ["devices/#", "replies/#", "app-events/#"]) { port in
                var files = more(port)
                files["apps.yaml"] = Self.apps(port: port)
                files["devices.yaml"] = Self.devices(port: port)
                return files
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
            targets:
              - address: "app-events/{{ thing:id }}"
                topics:
                  - "_/_/things/live/events?extraFields=attributes"
                  - "_/_/things/twin/events?filter=gt(features/engine/properties/speed,0)&extraFields=attributes"
                  - "_/_/things/twin/events?namespaces=plant"
                qos: 1
                authorizationContext: ["test:app"]

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
                topics:
                  - "_/_/things/live/messages?extraFields=attributes/maker"
                  - "_/_/things/live/commands"
                  - "_/_/things/live/events"
                  - "_/_/things/twin/events?filter=exists(features/engine/properties/speed)"
                qos: 1
                authorizationContext: ["test:device"]

            """
        }

        private static func archive(port: Int) -> String {
            """
            id: archive
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            targets:
              - address: "archive/{{ thing:id }}"
                topics: ["_/_/things/twin/events"]
                qos: 1
                authorizationContext: ["test:app"]
                issuedAcknowledgementLabel: "{{ connection:id }}:stored"

            """
        }
    }
}
