// What can go wrong on the way out (spec/connectivity.md §3.3, §3.5): each is counted with its reason, and
// acknowledged where the target issues the acknowledgement; the next event goes out.
// acknowledged where a target issues the acknowledgement; the next event goes out.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Outcomes at targets", .enabled(if: TwinspanProcess.hasScriptEngine))
    struct OutboundOutcomeTests {
        /// A target and what becomes of the event at it.
        struct Row {
            var id: String
            /// The members of the target beside its authorisation.
            var target: String
            var mapping = ""
            var subject = Plant.gateway
            /// The outcome that is counted once, with its reason.
            var outcome: String
            var reason = ""
            /// The status of the acknowledgement that the target issues.
            var status: Int64
            var isWeak = false
        }

        private static let events = "_/_/things/twin/events"

        static let rows: [Row] = [
            Row(id: "sent", target: target("out/sent"), outcome: "published", status: 200),
            Row(
                id: "unreadable", target: target("out/x"), subject: "test:stranger", outcome: "denied",
                reason: "no-read-permission", status: 200, isWeak: true),
            Row(
                id: "filtered", target: target("out/x", topic: events + "?filter=gt(attributes/none,1)"),
                outcome: "filtered", status: 200, isWeak: true),
            Row(
                id: "excluded", target: target("out/x", more: "payloadMapping: [m]"),
                mapping: #"{ mappingEngine: Ditto, outgoingConditions: { never: "fn:filter('a','eq','b')" } }"#,
                outcome: "dropped", reason: "mapper", status: 200, isWeak: true),
            Row(
                id: "nothing", target: target("out/x", more: "payloadMapping: [m]"), mapping: script("return null;"),
                outcome: "dropped", reason: "mapper", status: 200, isWeak: true),
            Row(
                id: "throws", target: target("out/x", more: "payloadMapping: [m]"),
                mapping: script("throw new Error('no');"), outcome: "dropped", reason: "mapping", status: 200,
                isWeak: true),
            Row(
                id: "loops", target: target("out/x", more: "payloadMapping: [m]"), mapping: script("for (;;) {}"),
                outcome: "dropped", reason: "mapping", status: 200, isWeak: true),
            Row(
                id: "nowhere", target: target("out/{{ header:none }}"), outcome: "dropped",
                reason: "address-unresolved", status: 200, isWeak: true),
            Row(
                id: "wildcard", target: target("out/{{ thing:name }}/{{ thing-json:attributes/sign }}"),
                outcome: "dropped", status: 400),
        ]

        private static func target(_ address: String, topic: String = events, more: String = "") -> String {
            """
                address: "\(address)"
                topics: ["\(topic)"]
                \(more)
            """
        }

        private static func script(_ body: String) -> String {
            let function = "function mapFromDittoProtocolMsg() { \(body) }"
            return #"{ mappingEngine: JavaScript, options: { outgoingScript: "\#(function)" } }"#
        }

        @Test("each target counts, tells and acknowledges what became of the event, and the next event does the same")
        func targets() throws {
            let stage = try Stage("targets", collecting: ["out/#", "replies/#"]) { port in
                var files = Dictionary(
                    uniqueKeysWithValues: Self.rows.map { ($0.id + ".yaml", Self.yaml($0, port: port)) })
                files["in.yaml"] = Self.commands(port: port)
                return files
            }
            try stage.create(["pump"], at: "commands/pump", for: [Plant.gateway])
            // The event of the creation has to be through everywhere.
            let before = try stage.balance("the creation at all targets") { balance in
                Self.rows.allSatisfy { balance.count($0.id, "offered", "outbound") == 1 }
                    && balance.isAtRest && balance.discrepancies.isEmpty
            }
            for number in 1...2 {
                let labels = Self.rows.map { #""\#($0.id):done""# }.joined(separator: ",")
                stage.send(
                    "commands/pump",
                    Signals.envelope(
                        "plant/pump/things/twin/commands/modify", "/attributes",
                        #""correlation-id":"c\#(number)","timeout":"5s","requested-acks":[\#(labels)]"#,
                        value: ##"{"sign":"#","n":\##(number)}"##))
                let answer = try stage.wait("the answer") {
                    $0.correlationID == "c\(number)" && $0.topic == "replies/c"
                }
                #expect(answer.dittoTopic == "plant/pump/things/twin/acks")
                for row in Self.rows {
                    let ack = answer.json.value(at: ["value", "\(row.id):done"])
                    let text = Comment(rawValue: "'\(row.id)': \(ack?.text ?? answer.text)")
                    #expect(ack?.value(at: ["status"])?.int64 == row.status, text)
                    #expect((ack?.value(at: ["headers", "ditto-weak-ack"]) != nil) == row.isWeak, text)
                }
            }
            let after = try Balance.settle(stage.process)
            for row in Self.rows {
                func count(_ balance: Balance, _ outcome: String, _ reason: String = "") -> Int {
                    balance.count(row.id, outcome, "outbound") { reason.isEmpty || $0 == reason }
                }
                let text = Comment(rawValue: "'\(row.id)': \(after.summary(row.id))")
                #expect(
                    count(after, row.outcome, row.reason) - count(before, row.outcome, row.reason) == 2, text)
                #expect(count(after, "offered") - count(before, "offered") == 2, text)
            }
            #expect(stage.collector.messages.filter { $0.topic.hasPrefix("out/") && $0.topic != "out/sent" }.isEmpty)
            try stage.end()
        }

        private static func commands(port: Int) -> String {
            """
            id: in
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            sources:
              - addresses: ["commands/#"]
                qos: 1
                authorizationContext: ["\(Plant.gateway)"]
                replyTarget:
                  address: replies/c
                  headerMapping: { mqtt.qos: "1" }
                  expectedResponseTypes: [response, error, nack]

            """
        }

        private static func yaml(_ row: Row, port: Int) -> String {
            """
            id: \(row.id)
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            \(row.mapping.isEmpty ? "" : "mappingDefinitions: { m: \(row.mapping) }")
            targets:
              -
            \(row.target)
                qos: 1
                authorizationContext: ["\(row.subject)"]
                issuedAcknowledgementLabel: "{{ connection:id }}:done"

            """
        }
    }
}
