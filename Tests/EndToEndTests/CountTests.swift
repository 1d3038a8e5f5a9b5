// Count in equals count out: the identities between counters hold after every kind of traffic, and what was
// acknowledged is in the store after a kill.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Counts", .enabled(if: Journal.unavailableReason == nil))
    struct CountTests {
        private static let speed = "/features/engine/properties/speed"

        private static func modify(_ name: String, _ headers: String, _ value: Int) -> String {
            Signals.envelope("plant/\(name)/things/twin/commands/modify", speed, headers, value: "\(value)")
        }

        /// One message of each kind, in turn.
        private static func message(_ number: Int, _ name: String) -> LoadGenerator.Message {
            let quiet = #""response-required":false"#
            let live = #""correlation-id":"n\#(number)","timeout":"500ms""#
            switch number % 12 {
            case 0: return .init("gates/\(name)", modify(name, quiet, number))
            case 1: return .init("gates/\(name)", "no json \(number)")
            case 2: return .init("strangers/\(name)", modify(name, quiet, number))
            case 3: return .init("drops/\(name)", modify(name, quiet, number))
            case 4: return .init("enforced/plant:other", modify(name, "", number))
            case 5: return .init("gates/\(name)", modify(name, quiet + #","requested-acks":["devices:got"]"#, number))
            case 6:
                return .init(
                    "gates/\(name)",
                    Signals.envelope(
                        "plant/\(name)/things/live/messages/ask", "/inbox/messages/ask",
                        live + #","requested-acks":[]"#,
                        value: "\(number)"))
            case 7:
                return .init(
                    "gates/\(name)",
                    Signals.envelope("plant/\(name)/things/live/events/modified", speed, quiet, value: "\(number)"))
            case 8: return .init("gates/\(name)", Signals.envelope("plant/\(name)/things/twin/commands/retrieve"))
            case 9: return .init("gates/\(name)", modify("nobody", "", number))
            case 10:
                return .init(
                    "gates/\(name)",
                    "["
                        + (0..<3).map { modify(name, quiet, number + $0) }.joined(separator: ",") + "]")
            default: return .init("gates/\(name)", modify(name, #""if-match":"\"rev:1\"""#, number))
            }
        }

        @Test("after traffic of all kinds everything that came in has gone out, and adds up")
        func mixture() throws {
            let stage = try Self.stage("mixture")
            let names = ["one", "two", "three"]
            try stage.create(names, at: "gates/x", for: Self.subjects)
            stage.generator.send((0..<1200).map { Self.message($0, names[$0 % 3]) })
            try stage.generator.waitForConfirmations(20)
            // Devices acknowledge half of what they are asked to, so that the rest waits.
            let asked = try Self.asked(stage, 50)
            for message in asked {
                guard let id = message.correlationID, let name = message.topic.split(separator: "/").last else {
                    continue
                }
                stage.send(
                    "answers/\(name)",
                    Signals.envelope(
                        "plant/\(name)/things/twin/acks/devices:got", "/", #""correlation-id":"\#(id)""#, status: 200))
            }
            // Messages that nobody answers wait half a second.
            let balance = try stage.balance("a balance", 20) {
                $0.isAtRest && $0.discrepancies.isEmpty
                    && $0.gauge("gates", "waiting_signals") == $0.gauge("gates", "inbox_messages")
            }
            let gates = balance.summary("gates")
            #expect(balance.count("gates", "received") == 1200 + names.count, "\(gates)")
            #expect(balance.count("gates", "acknowledged") == 1200 + names.count, "\(gates)")
            #expect(balance.gauge("gates", "inbox_messages") == 100 - asked.count, "\(gates)")
            #expect(balance.gauge("gates", "waiting_signals") == 100 - asked.count, "\(gates)")
            // Not JSON, not allowed, not the own thing, and a thing that is not there.
            #expect(balance.count("gates", "dead") == 400 && balance.gauge("gates", "dead_letters") == 400, "\(gates)")
            #expect(balance.count("gates", "empty") == 100, "\(gates)")
            #expect(balance.count("devices", "filtered", "outbound") > 0)
            #expect(balance.count("strange", "denied", "outbound") == balance.count("strange", "offered", "outbound"))
            try stage.end()
        }

        /// Waits for so many events that ask the devices for an acknowledgement.
        private static func asked(_ stage: Stage, _ count: Int) throws -> [EventCollector.Message] {
            func isAsked(_ message: EventCollector.Message) -> Bool {
                message.topic.hasPrefix("devices/") && message.text.contains("devices:got")
            }
            var left = count
            try stage.wait("\(count) events that ask for acknowledgements", 20) { message in
                if isAsked(message) { left -= 1 }
                return left == 0
            }
            return Array(stage.collector.messages.filter(isAsked).prefix(count))
        }

        @Test("after a kill under load the store has everything that was acknowledged, as an event, waiting or dead")
        func kill() throws {
            let stage = try Self.stage("count-kill")
            let names = (0..<8).map { "device-\($0)" }
            try stage.create(names, at: "gates/x", for: Self.subjects)
            stage.generator.setRate(2000)
            let quiet = #""response-required":false"#
            stage.generator.send(
                (1...4000).map { number in
                    let name = names[number % names.count]
                    switch number % 4 {
                    case 0:
                        return .init(
                            "gates/\(name)", Self.modify(name, quiet + #","requested-acks":["devices:got"]"#, number))
                    case 1: return .init("gates/\(name)", "broken \(number)")
                    default: return .init("gates/\(name)", Self.modify(name, quiet, number))
                    }
                })
            for pause in [0.4, 0.3] {
                Thread.sleep(forTimeInterval: pause)
                stage.process.kill9()
                try stage.restart()
            }
            try stage.generator.waitForConfirmations(30)
            try stage.balance("the end of the traffic", 30) { $0.isAtRest && $0.discrepancies.isEmpty }
            // Behind everything else, so that the broker has nothing left when it is answered.
            stage.send("gates/x", Self.modify("device-0", #""correlation-id":"marker""#, 999_999))
            try stage.wait("the marker", 20) { $0.correlationID == "marker" && $0.status == 204 }
            stage.process.kill9()
            try Self.check(stage, 1...4000)
        }

        /// Every number is an event, a message that waits, or a dead letter.
        private static func check(_ stage: Stage, _ numbers: ClosedRange<Int>) throws {
            let file = Journal.file(of: stage.bench.data)
            func payloads(_ table: String) throws -> [String] {
                try Journal.query(file, "SELECT CAST(payload AS TEXT) FROM \(table)").compactMap(\.first)
            }
            let events = Set(
                try Journal.query(file, "SELECT CAST(value AS TEXT) FROM journal WHERE path = '\(speed)'")
                    .compactMap { $0.first.flatMap { Int($0) } })
            let dead = Set(try payloads("dead_letter").compactMap { Int($0.dropFirst("broken ".count)) })
            let waiting = try payloads("inbox")
            let missing = numbers.filter { $0 % 4 == 1 ? !dead.contains($0) : !events.contains($0) }
            #expect(missing.isEmpty, "\(missing.count) of \(numbers.count) are lost: \(missing.prefix(20))")
            // Nobody has acknowledged, so each of these still waits.
            let held = numbers.filter { $0 % 4 == 0 }
            let kept = Set(waiting.compactMap { text in (try? JSONValue.parse(text))?.value(at: ["value"])?.int64 })
            let lost = held.filter { !kept.contains(Int64($0)) }
            #expect(lost.isEmpty, "\(lost.count) of \(held.count) wait no more: \(lost.prefix(20))")
            #expect(events.contains(999_999))
            let sequences = try Journal.query(
                file, "SELECT count(*), max(revision) - count(*) FROM journal WHERE kind = 1 GROUP BY entity")
            #expect(sequences.allSatisfy { $0.last == "0" }, "revisions have gaps: \(sequences)")
        }

        // MARK: The connections

        private static let subjects = [Plant.gateway, "test:device"]

        private static func stage(_ name: String) throws -> Stage {
            try Stage(name, collecting: ["devices/#", "replies/#"]) { port in
                ["gates.yaml": gates(port: port), "devices.yaml": devices(port: port)]
            }
        }

        private static func gates(port: Int) -> String {
            func source(_ topic: String, _ subject: String, _ more: String) -> String {
                """
                  - addresses: ["\(topic)/#"]
                    qos: 1
                    authorizationContext: ["\(subject)"]
                    replyTarget: { address: "replies/{{ thing:name }}", headerMapping: { mqtt.qos: "1" } }
                \(more)

                """
            }
            return """
                id: gates
                connectionType: mqtt
                uri: tcp://127.0.0.1:\(port)
                mappingDefinitions:
                  never: { mappingEngine: Ditto, incomingConditions: { never: "fn:filter('a','eq','b')" } }
                sources:

                """ + source("gates", Plant.gateway, "")
                    + source("strangers", "test:stranger", "")
                    + source("drops", Plant.gateway, "    payloadMapping: [never]")
                    + source(
                        "enforced", Plant.gateway,
                        #"    enforcement: { input: "{{ source:address }}", filters: ["enforced/{{ thing:id }}"] }"#)
        }

        private static func devices(port: Int) -> String {
            func target(_ address: String, _ subject: String, _ topics: String) -> String {
                """
                  - address: "\(address)/{{ thing:name }}"
                    topics: [\(topics)]
                    qos: 1
                    authorizationContext: ["\(subject)"]

                """
            }
            let events = "_/_/things/twin/events"
            return """
                id: devices
                connectionType: mqtt
                uri: tcp://127.0.0.1:\(port)
                sources:
                  - addresses: ["answers/#"]
                    qos: 1
                    authorizationContext: ["test:device"]
                    declaredAcks: ["{{ connection:id }}:got"]
                targets:

                """ + target("devices", "test:device", "\(events), _/_/things/live/messages, _/_/things/live/events")
                    + target("fast", "test:device", "\"\(events)?filter=gt(features/engine/properties/speed,600)\"")
                        + """
                        ---
                        id: strange
                        connectionType: mqtt
                        uri: tcp://127.0.0.1:\(port)
                        targets:

                        """ + target("strange", "test:stranger", events)
        }
    }
}
