// A full way in reaches the source: the broker keeps what there is no room for, and it is read when there is.
import Foundation
import Testing
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Back-pressure to the source", .enabled(if: BrokerKind.unavailableReason == nil))
    struct BackPressureTests {
        static let total = 2_000

        @Test(
            "a full inbox leaves the rest at the broker, and reading goes on when there is room",
            arguments: [BrokerKind.amqp091, .amqp10, .kafka])
        func fullInbox(_ kind: BrokerKind) throws {
            let bench = try Workbench("pressure-\(kind.rawValue)")
            let yard = try BrokerYard("pressure", mosquitto: bench.broker)
            try bench.write(yard.source(kind, lines: ["replyTarget: { enabled: false }"]), to: "in.yaml")
            try bench.write(Self.devices(port: bench.broker.port), to: "devices.yaml")
            let collector = try EventCollector(port: bench.broker.port, ["devices/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            let process = try bench.start(["--set", "inbox.bytes=50kB"])
            try process.waitUntilReady(30)
            try process.makeThings(["pump"])
            try yard.send(
                (0..<Self.total).map { SourceMessage(device: "pump", text: Self.change($0)) }, to: kind)

            try Balance.wait(process, 20, for: "a full inbox") { $0.gauge("in", "inbox_bytes") >= 50_000 }
            // Long enough for whatever is on its way to arrive; then nothing moves any more.
            sleep(1)
            let (before, kept) = (try Balance(process), try Self.ready(yard, kind))
            sleep(1)
            let (full, stillKept) = (try Balance(process), try Self.ready(yard, kind))
            #expect(full.count("in", "received") == before.count("in", "received"), "\(full.summary("in"))")
            #expect(full.count("in", "received") < Self.total / 2, "\(full.summary("in"))")
            if let kept, let stillKept {
                #expect(kept == stillKept && kept > 0, "\(kept) messages in the queue became \(stillKept)")
            }
            print("\(kind.rawValue): \(full.count("in", "received")) taken, \(kept ?? -1) ready at the broker")

            let end = Date(timeIntervalSinceNow: 60)
            var done = 0
            while true {
                let asked = collector.messages.compactMap(\.correlationID)
                for id in asked[done...] { Self.acknowledge(generator, id) }
                done = asked.count
                let now = try Balance(process)
                let served = Set(asked.compactMap { $0.split(separator: "#").first })
                if served.count == Self.total, now.isAtRest, now.gauge("in", "inbox_messages") == 0 { break }
                try require(
                    Date() < end, "\(served.count) of \(Self.total) came through: \(now.summary("in"))")
                usleep(50_000)
            }
            let last = try Balance.settle(process)
            #expect(last.count("in", "dead") == 0 && last.count("in", "died") == 0, "\(last.summary("in"))")
            #expect(last.count("in", "redelivered") == 0, "\(last.summary("in"))")
            if let left = try Self.ready(yard, kind) { #expect(left == 0) }
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(15) == 0)
        }

        /// Messages of the queue that are with nobody; nil for Kafka, whose log keeps everything.
        private static func ready(_ yard: BrokerYard, _ kind: BrokerKind) throws -> Int? {
            kind == .kafka ? nil : try yard.rabbit.messageCount(yard.inlet(kind))
        }

        private static func change(_ number: Int) -> String {
            Signals.envelope(
                "plant/pump/things/twin/commands/modify", Ledger.path,
                #""correlation-id":"p\#(number)","timeout":"60s","requested-acks":["devices:received"],"#
                    + #""response-required":false"#, value: "\(number)")
        }

        private static func acknowledge(_ generator: LoadGenerator, _ id: String) {
            let text = Signals.envelope(
                "plant/pump/things/twin/acks/devices:received", "/", #""correlation-id":"\#(id)""#, status: 200)
            generator.send([.init("devices-answers/pump", text)])
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
                topics: ["_/_/things/twin/events?filter=ne(resource:path,'/')"]
                qos: 1
                authorizationContext: ["test:device"]

            """
        }
    }

    @Suite("Live messages to a web service")
    struct LivePushTests {
        @Test("the answer of a web service is the response to a live message, with its status")
        func roundTrip() throws {
            let server = try HTTPTestServer { request in
                request.text.contains("fast")
                    ? .answer(
                        status: 202, headers: [("content-type", "application/json")], body: #"{"rpm":7}"#)
                    : .answer(
                        status: 404, headers: [("content-type", "application/json")], body: #"{"none":true}"#)
            }
            defer { server.stop() }
            let stage = try Stage("push", collecting: ["replies/#"]) { port in
                ["apps.yaml": Self.apps(port: port), "push.yaml": Self.push(port: server.port)]
            }
            try stage.create(["pump"], at: "apps/one", for: ["test:app", "test:device"])
            for (id, how, status, member) in [("m1", "fast", 202, "rpm"), ("m2", "slow", 404, "none")] {
                stage.send(
                    "apps/one",
                    Signals.envelope(
                        "plant/pump/things/live/messages/ask", "/inbox/messages/ask",
                        #""correlation-id":"\#(id)","timeout":"10s""#, value: #"{"how":"\#(how)"}"#))
                let reply = try stage.wait("the answer to \(id)") {
                    $0.topic == "replies/apps" && $0.correlationID == id
                }
                #expect(reply.status == Int64(status), "\(reply.text)")
                #expect(reply.dittoTopic == "plant/pump/things/live/messages/ask", "\(reply.text)")
                #expect(reply.json.value(at: ["value", member]) != nil, "\(reply.text)")
            }
            let requests = server.record.current.requests
            #expect(requests.map(\.method) == ["POST", "POST"])
            #expect(requests.map(\.target) == ["/devices/pump", "/devices/pump"])
            #expect(requests.map { $0.header("x-subject") } == ["ask", "ask"])
            try stage.balance("an empty inbox") { $0.gauge("apps", "inbox_messages") == 0 }
            try stage.end()
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

        private static func push(port: Int) -> String {
            """
            id: push
            connectionType: http-push
            uri: http://127.0.0.1:\(port)
            targets:
              - address: "POST:/devices/{{ thing:name }}"
                topics: ["_/_/things/live/messages"]
                authorizationContext: ["test:device"]
                issuedAcknowledgementLabel: live-response
                headerMapping:
                  x-subject: "{{ topic:action-subject }}"

            """
        }
    }
}
