// What becomes of a message, over a real broker: the outcome table (spec/connectivity.md §6.8) and the inbound failure
// matrix (§3.1.1), with what is published at the reply target and what was settled as what.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Outcomes of messages")
    struct ConnectivityOutcomeTests {
        /// What is to be published at the reply target.
        enum Published {
            case nothing
            /// The topic of the envelope, its status and its error code, which is empty for successes.
            case answer(_ topic: String, Int64, String = "")
        }

        struct Row {
            var name: String
            var connection = "outcomes"
            var topic = "commands/device"
            var payload: String
            var published: Published
            /// What the message is settled as: `effective`, `empty` or `dead`.
            var settled: String
            /// What is counted of its signal, and why.
            var outcome: String
            var reason = ""
        }

        private static let speed = "/features/engine/properties/speed"
        private static let twin = "plant/device/things/twin/"
        private static let modify = twin + "commands/modify"

        /// A change of `plant:device` with these headers.
        private static func change(_ headers: String, topic: String = modify) -> String {
            Signals.envelope(topic, speed, headers, value: "1")
        }

        static let outcomes: [Row] = [
            Row(
                name: "no response, no acknowledgements", payload: change(#""response-required":false"#),
                published: .nothing, settled: "effective", outcome: "committed"),
            Row(
                name: "no response, no acknowledgements, no time",
                payload: change(#""response-required":false,"timeout":"0""#),
                published: .nothing, settled: "effective", outcome: "committed"),
            Row(
                name: "no response, an empty list",
                payload: change(#""response-required":false,"requested-acks":[],"timeout":"5s""#),
                published: .nothing, settled: "effective", outcome: "committed"),
            Row(
                name: "no response, the built-in acknowledgement",
                payload: change(#""response-required":false,"requested-acks":["twin-persisted"]"#),
                published: .nothing, settled: "effective", outcome: "committed"),
            Row(
                name: "no response, an acknowledgement of ours",
                payload: change(#""response-required":false,"requested-acks":["outcomes:done"]"#),
                published: .nothing, settled: "effective", outcome: "served"),
            Row(
                name: "a response, nothing said of acknowledgements", payload: change(#""timeout":"5s""#),
                published: .answer(modify, 204), settled: "effective", outcome: "committed"),
            Row(
                name: "a response, an empty list", payload: change(#""requested-acks":[],"timeout":"5s""#),
                published: .answer(modify, 204), settled: "effective", outcome: "committed"),
            Row(
                name: "a response, the built-in acknowledgement",
                payload: change(#""requested-acks":["twin-persisted"]"#),
                published: .answer(modify, 204), settled: "effective", outcome: "committed"),
            Row(
                name: "a response, several acknowledgements",
                payload: change(#""requested-acks":["twin-persisted","outcomes:done"]"#),
                published: .answer(twin + "acks", 200), settled: "effective", outcome: "served"),
            Row(
                name: "a response, an acknowledgement of ours",
                payload: change(#""requested-acks":["outcomes:done"]"#),
                published: .answer(twin + "acks", 200), settled: "effective", outcome: "served"),
            Row(
                name: "a query", payload: Signals.envelope(twin + "commands/retrieve", speed),
                published: .answer(twin + "commands/retrieve", 200), settled: "effective", outcome: "unchanged"),
            Row(
                name: "G: a response, but no time", payload: change(#""response-required":true,"timeout":"0""#),
                published: .answer(twin + "errors", 400, "header.invalid"), settled: "dead", outcome: "dropped",
                reason: "header.invalid"),
            Row(
                name: "G: acknowledgements, but no time",
                payload: change(#""response-required":false,"requested-acks":["twin-persisted"],"timeout":"0ms""#),
                published: .nothing, settled: "dead", outcome: "dropped", reason: "header.invalid"),
        ]

        static let failures: [Row] = [
            Row(
                name: "A: the enforcement input has no value", connection: "gates", topic: "input/none",
                payload: change(""), published: .answer("unknown/unknown/things/twin/errors", 400, unresolved),
                settled: "dead", outcome: "denied", reason: unresolved),
            Row(
                name: "B: a condition excludes it", connection: "gates", topic: "conditions/none",
                payload: change(""), published: .nothing, settled: "empty", outcome: "dropped", reason: "mapper"),
            Row(
                name: "C: no JSON", payload: "speed=12",
                published: .answer("unknown/unknown/things/twin/errors", 400, "json.invalid"), settled: "dead",
                outcome: "dropped", reason: "json.invalid"),
            Row(
                name: "C: no command", payload: change("", topic: twin + "commands/explode"),
                published: .answer("unknown/unknown/things/twin/errors", 400, "protocoladapter:unknown.topicpath"),
                settled: "dead", outcome: "dropped", reason: "protocoladapter:unknown.topicpath"),
            Row(
                name: "D: the subject has no value", connection: "gates", topic: "subjects/none",
                payload: change(""), published: .answer(twin + "errors", 400, unresolved), settled: "dead",
                outcome: "denied", reason: unresolved),
            Row(
                name: "E: another device", connection: "gates", topic: "enforced/plant:other", payload: change(""),
                published: .answer(twin + "errors", 400, enforcement), settled: "dead", outcome: "denied",
                reason: enforcement),
            Row(
                name: "E: the policy of another device", connection: "gates", topic: "enforced/plant:other",
                payload: Signals.envelope("plant/device/policies/commands/retrieve"),
                published: .answer("plant/device/policies/errors", 400, enforcement), settled: "dead",
                outcome: "denied", reason: enforcement),
            Row(
                name: "F: headers too large", payload: change(#""x":"\#(String(repeating: "x", count: 6000))""#),
                published: .answer(twin + "errors", 431, "headers.too.large"), settled: "dead", outcome: "dropped"),
            Row(
                name: "H: a change of what is not there",
                payload: change("", topic: "plant/nobody/things/twin/commands/modify"),
                published: .answer("plant/nobody/things/twin/errors", 404, "things:thing.notfound"),
                settled: "dead", outcome: "dropped"),
            Row(
                name: "H: a query of what is not there",
                payload: Signals.envelope("plant/nobody/things/twin/commands/retrieve"),
                published: .answer("plant/nobody/things/twin/errors", 404, "things:thing.notfound"),
                settled: "effective", outcome: "dropped", reason: "things:thing.notfound"),
            Row(
                name: "H: a precondition that does not hold", payload: change(#""if-match":"\"rev:99\"""#),
                published: .answer(twin + "errors", 412, "things:precondition.failed"), settled: "effective",
                outcome: "dropped", reason: "things:precondition.failed"),
            Row(
                name: "I: a label that is not declared",
                payload: Signals.envelope(
                    twin + "acks/outcomes:other", "/", #""correlation-id":"x""#, value: "1", status: 200),
                published: .answer(twin + "errors", 400, "acknowledgement:label.not.declared"),
                settled: "effective", outcome: "dropped", reason: "acknowledgement:label.not.declared"),
            Row(
                name: "I: a label that may not come from outside",
                payload: Signals.envelope(
                    twin + "acks/twin-persisted", "/", #""correlation-id":"x""#, value: "1", status: 200),
                published: .answer(twin + "errors", 400, "acknowledgement:ditto.acklabel.forbidden"),
                settled: "effective", outcome: "dropped"),
        ]

        private static let unresolved = "placeholder:unresolved"
        private static let enforcement = "connectivity:connection.id.enforcement.failed"

        @Test("each is published, settled and counted as the tables say, and no more")
        func outcomes() throws {
            let stage = try Stage("outcomes", collecting: ["replies/#"]) { port in
                ["outcomes.yaml": Self.outcomesYAML(port), "gates.yaml": Self.gatesYAML(port)]
            }
            try stage.create(["device"], at: "commands/device", for: [Plant.gateway])
            for row in Self.outcomes + Self.failures {
                let before = try Balance.settle(stage.process)
                let seen = stage.collector.count
                stage.send(row.topic, row.payload)
                let after = try stage.balance("the settlement of '\(row.name)'") {
                    $0.count(row.connection, "acknowledged") > before.count(row.connection, "acknowledged")
                        && $0.isAtRest && $0.discrepancies.isEmpty && $0.gauge(row.connection, "waiting_signals") == 0
                }
                func grown(_ outcome: String, _ reason: String? = nil) -> Int {
                    after.count(row.connection, outcome) { reason ?? $0 == $0 }
                        - before.count(row.connection, outcome) { reason ?? $0 == $0 }
                }
                let text = Comment(rawValue: "'\(row.name)': \(after.summary(row.connection))")
                for settled in ["effective", "empty", "dead"] {
                    #expect(grown(settled) == (settled == row.settled ? 1 : 0), text)
                }
                #expect(grown(row.outcome, row.reason.isEmpty ? nil : row.reason) == 1, text)
                #expect(grown("retried") == 0 && grown("redelivered") == 0, text)
                try check(row, stage, seen)
            }
            #expect(try Balance(stage.process).gauge("outcomes", "inbox_messages") == 0)
            try stage.end()
        }

        private func check(_ row: Row, _ stage: Stage, _ seen: Int) throws {
            switch row.published {
            case .nothing:
                usleep(50_000)
                let answers = stage.collector.messages[seen...].map(\.text)
                #expect(answers.isEmpty, Comment(rawValue: "'\(row.name)' was answered: \(answers)"))
            case .answer(let topic, let status, let code):
                try stage.collector.wait(5, count: seen + 1)
                let answers = stage.collector.messages[seen...]
                let text = Comment(rawValue: "'\(row.name)': \(answers.map(\.text))")
                #expect(answers.count == 1, text)
                #expect(answers.first?.dittoTopic == topic && answers.first?.status == status, text)
                #expect((answers.first?.error ?? "") == code, text)
            }
        }

        /// Commands with answers of all kinds.
        private static func outcomesYAML(_ port: Int) -> String {
            """
            id: outcomes
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            sources:
              - addresses: ["commands/#"]
                qos: 1
                authorizationContext: ["\(Plant.gateway)"]
                declaredAcks: ["{{ connection:id }}:done"]
                replyTarget:
                  address: replies/commands
                  headerMapping: { mqtt.qos: "1" }
                  expectedResponseTypes: [response, error, nack]

            """
        }

        /// A source for each gate a message can fail at before it is a command.
        private static func gatesYAML(_ port: Int) -> String {
            func source(_ address: String, subject: String = Plant.gateway, _ more: String) -> String {
                """
                  - addresses: ["\(address)/#"]
                    qos: 1
                    authorizationContext: ["\(subject)"]
                    replyTarget: { address: replies/gates, headerMapping: { mqtt.qos: "1" } }
                \(more)

                """
            }
            func enforcement(_ input: String, _ filter: String) -> String {
                #"    enforcement: { input: "{{ \#(input) }}", filters: ["\#(filter)"] }"#
            }
            return """
                id: gates
                connectionType: mqtt
                uri: tcp://127.0.0.1:\(port)
                mappingDefinitions:
                  never:
                    mappingEngine: Ditto
                    incomingConditions: { never: "fn:filter('a','eq','b')" }
                sources:

                """
                    + source("input", enforcement("source:address | fn:substring-after('device/')", "{{ thing:id }}"))
                    + source("conditions", "    payloadMapping: [never]")
                    + source("subjects", subject: "{{ header:mqtt.topic | fn:substring-after('user/') }}", "")
                    + source("enforced", enforcement("source:address", "enforced/{{ entity:id }}"))
        }
    }
}
