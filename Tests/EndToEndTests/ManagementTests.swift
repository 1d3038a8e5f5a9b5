// Connections made, watched and ended over HTTP and with the tools, beside those of files, over a real broker.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Management of connections")
    struct ManagementTests {
        private static let api = "/api/2/connections"

        private static func document(_ port: Int, status: String = "open", topic: String = "made") -> String {
            #"{"name":"made","connectionType":"mqtt","connectionStatus":"\#(status)","#
                + #""uri":"tcp://127.0.0.1:\#(port)","sources":[{"addresses":["\#(topic)/#"],"qos":1,"#
                + #""authorizationContext":["\#(Plant.gateway)"],"replyTarget":{"enabled":true,"#
                + #""address":"replies/made","headerMapping":{"mqtt.qos":"1"}}}]}"#
        }

        private static func command(_ client: HTTPClient, _ id: String, _ name: String) throws -> Int {
            try client.request(
                "POST", "\(api)/\(id)/command", body: "connectivity.commands:\(name)", contentType: "text/plain"
            ).status
        }

        private static func liveStatus(_ client: HTTPClient, _ id: String) throws -> String {
            let answer = try client.get("\(api)/\(id)/status")
            return answer.json.value(at: ["liveStatus"])?.string ?? "\(answer.status) \(answer.text)"
        }

        private static func waitForStatus(_ client: HTTPClient, _ id: String, _ status: String) throws {
            let end = Date(timeIntervalSinceNow: 10)
            while try liveStatus(client, id) != status {
                let seen = try client.get("\(api)/\(id)/status").text
                try require(Date() < end, "\(id) never was \(status): \(seen)")
                usleep(50_000)
            }
        }

        @Test("a connection is made, works, is watched, closed, opened, survives restarts, and goes")
        func lifecycle() throws {
            let stage = try Stage("managed", collecting: ["replies/#"]) {
                ["file.yaml": Plant.telemetryIn(port: $0)]
            }
            let client = try stage.process.http(as: "devops")
            let port = stage.bench.broker.port
            #expect(try stage.process.http().get(Self.api).status == 401)
            #expect(try stage.process.http(as: "ditto").get(Self.api).status == 401)
            let made = try client.request("POST", Self.api, body: Self.document(port))
            let id = made.json.value(at: ["id"])?.string ?? ""
            #expect(made.status == 201 && !id.isEmpty, "\(made)")
            try Self.waitForStatus(client, id, "open")
            try stage.create(["pump"], at: "made/pump", for: [Plant.gateway])

            let metrics = try client.get("\(Self.api)/\(id)/metrics").json
            let consumed = ["connectionMetrics", "inbound", "consumed", "success", "PT1M"]
            #expect(metrics.value(at: consumed)?.int64 == 1, "\(metrics.text)")
            let address = ["sourceMetrics", "addressMetrics", "made/#", "acknowledged", "success", "PT1H"]
            #expect(metrics.value(at: address)?.int64 == 1, "\(metrics.text)")
            let logs = try client.get("\(Self.api)/\(id)/logs").json
            let entries = logs.value(at: ["connectionLogs"])?.array ?? []
            let kinds = Set(entries.compactMap { $0.value(at: ["type"])?.string })
            #expect(kinds.isSuperset(of: ["consumed", "mapped", "acknowledged", "published"]), "\(kinds)")
            #expect(entries.contains { $0.value(at: ["entityId"])?.string == "plant:pump" })

            #expect(try Self.command(client, id, "closeConnection") == 200)
            try Self.waitForStatus(client, id, "closed")
            // The session of a closed connection is the broker's to keep: the message comes when it is opened.
            stage.send("made/pump", Command.setSpeed("pump", 5, isAnswered: true))
            #expect(try Self.command(client, id, "openConnection") == 200)
            try stage.wait("the answer after opening") { $0.correlationID == "pump-modify" && $0.status == 204 }
            #expect(try Self.command(client, id, "resetConnectionMetrics") == 200)
            let reset = try client.get("\(Self.api)/\(id)/metrics").json
            #expect(reset.value(at: consumed)?.int64 == 0)

            stage.process.kill9()
            try stage.restart()
            try Self.waitForStatus(client, id, "open")
            stage.send("made/pump", Command.retrieve("pump"))
            try stage.wait("the answer after the restart") { $0.correlationID == "pump-retrieve" }

            let conflict = try client.request("DELETE", "\(Self.api)/telemetry-in")
            #expect(conflict.status == 409 && conflict.text.contains("file.yaml"), "\(conflict)")
            #expect(try client.request("DELETE", "\(Self.api)/\(id)").status == 204)
            #expect(try client.get("\(Self.api)/\(id)").status == 404)
            #expect(try Self.command(client, id, "openConnection") == 404)
            stage.process.kill9()
            try stage.restart()
            #expect(try client.get("\(Self.api)/\(id)").status == 404)
            #expect(try client.get("\(Self.api)?ids-only=true").text == #"["telemetry-in"]"#)
            try stage.end()
        }

        @Test("what cannot be made is refused with its code, and a dry run tells and keeps nothing")
        func refusals() throws {
            let stage = try Stage("refused", collecting: ["replies/#"]) {
                ["file.yaml": Plant.telemetryIn(port: $0)]
            }
            let client = try stage.process.http(as: "devops")
            let port = stage.bench.broker.port
            let closed = try LoopbackPort.free()
            func post(_ body: String, _ query: String = "") throws -> HTTPClient.Answer {
                try client.request("POST", Self.api + query, body: body)
            }
            #expect(try post(Self.document(port), "?dry-run=true").status == 200)
            let unreachable = try post(Self.document(closed), "?dry-run=true")
            #expect(unreachable.status == 504, "\(unreachable)")
            #expect(unreachable.json.value(at: ["error"])?.string == "connectivity:connection.failed")
            #expect(unreachable.text.contains("127.0.0.1:\(closed)"))
            let invalid = "connectivity:connection.configuration.invalid"
            let rows: [(body: String, status: Int, code: String)] = [
                ("{", 400, "json.invalid"), ("[]", 400, "json.invalid"),
                ("{}", 400, "json.field.missing"),
                (Self.document(port, status: "ajar"), 400, "json.format.invalid"),
                (Self.document(port).replacing("tcp://", with: "http://"), 400, "connectivity:"),
                (Self.document(port).replacing("mqtt", with: "carrier-pigeon"), 400, "json.format.invalid"),
                (Self.document(port).replacing(#""qos":1,"#, with: #""qos":7,"#), 400, "connectivity:"),
                (Self.document(port).replacing("replies/made", with: "replies/{{ nothing:here }}"), 400, invalid),
            ]
            for row in rows {
                let answer = try post(row.body)
                let code = answer.json.value(at: ["error"])?.string ?? "none"
                #expect(answer.status == row.status && code.contains(row.code), "\(row.body): \(answer)")
            }
            #expect(try client.get("\(Self.api)/none").status == 404)
            #expect(try Self.command(client, "telemetry-in", "explode") == 400)
            #expect(try client.get("\(Self.api)?ids-only=true").text == #"["telemetry-in"]"#)
            try stage.end()
        }

        @Test("dead letters are listed, shown, run again and dropped, over HTTP and by the tool")
        func deadLetters() throws {
            let stage = try Stage("letters", collecting: ["replies/#"]) {
                ["file.yaml": Plant.telemetryIn(port: $0)]
            }
            let client = try stage.process.http(as: "devops")
            let path = "/devops/twinspan/deadletters"
            stage.send("telemetry/x", "no json")
            stage.send("telemetry/x", Command.setSpeed("later", 7))
            stage.send("telemetry/x", "neither")
            try stage.balance("three dead letters") { $0.gauge("telemetry-in", "dead_letters") == 3 }
            let listed = try client.get("\(path)?connection=telemetry-in").json.value(at: ["deadLetters"])?.array ?? []
            let ids = listed.compactMap { $0.value(at: ["id"])?.int64 }
            try require(ids.count == 3 && ids == ids.sorted(by: >), "the newest are not first: \(ids)")
            let letter = try client.get("\(path)/\(ids[1])").json
            #expect(letter.value(at: ["payload"])?.string == Command.setSpeed("later", 7))
            #expect(letter.value(at: ["address"])?.string == "telemetry/x")
            #expect(letter.value(at: ["error", "error"])?.string == "things:thing.notfound", "\(letter.text)")
            let shown = try stage.run("deadletters", "show", "\(ids[2])")
            #expect(shown.contains("no json") && shown.contains("json.invalid"), "\(shown)")
            #expect(try stage.run("deadletters", "ls").split(separator: "\n").count >= 3)

            // What has failed because a thing was missing succeeds once it is there.
            try stage.create(["later"], at: "telemetry/later", for: [Plant.gateway])
            _ = try stage.run("deadletters", "retry", "\(ids[1])")
            stage.send("telemetry/x", Command.retrieve("later"))
            try stage.balance("the retried letter to be gone") {
                $0.gauge("telemetry-in", "dead_letters") == 2 && $0.gauge("telemetry-in", "inbox_messages") == 0
            }
            let speed = try Self.speed(stage, "later")
            #expect(speed == 7)

            // One that fails again is a dead letter again.
            #expect(try client.request("POST", "\(path)/\(ids[2])/retry").status == 204)
            try stage.balance("the letter to die again") {
                $0.count("telemetry-in", "died") == 1 && $0.gauge("telemetry-in", "dead_letters") == 2
            }
            #expect(try client.get("\(path)/\(ids[2])").status == 404)
            #expect(try client.request("POST", "\(path)/\(ids[2])/retry").status == 404)
            #expect(try client.request("DELETE", "\(path)/\(ids[0])").status == 204)
            _ = try stage.run("deadletters", "drop", "--all", "telemetry-in")
            try stage.balance("no dead letters") { $0.gauge("telemetry-in", "dead_letters") == 0 }
            #expect(try client.request("DELETE", path).status == 400)
            try stage.end()
        }

        /// The speed of a thing, asked for over MQTT.
        private static func speed(_ stage: Stage, _ name: String) throws -> Int? {
            let id = UUID().uuidString
            stage.send(
                "telemetry/x",
                Signals.envelope("plant/\(name)/things/twin/commands/retrieve", "/", #""correlation-id":"\#(id)""#))
            return try stage.wait("the twin") { $0.correlationID == id }.json.value(at: ["value"])?.speed
        }

        @Test("a tap shows the stages of each message; status and logs show what ails")
        func tools() throws {
            let stage = try Stage("tools", collecting: ["replies/#"]) {
                ["file.yaml": Plant.telemetryIn(port: $0)]
            }
            try stage.create(["pump"], at: "telemetry/pump", for: [Plant.gateway])
            let tap = try stage.tool(["tap", "telemetry-in", "--json"])
            func lines() -> [JSONValue] {
                // What is not there yet is waited for below, and a line that is half written is read again.
                let text = (try? String(contentsOfFile: tap.log, encoding: .utf8)) ?? ""
                return text.split(separator: "\n").compactMap { try? JSONValue.parse(String($0)) }
            }
            func stages(of id: String) -> [String] {
                lines().filter { $0.value(at: ["correlationId"])?.string == id }
                    .compactMap { $0.value(at: ["stage"])?.string }
            }
            // The tool needs a moment; what was before it is not shown.
            let end = Date(timeIntervalSinceNow: 15)
            var number = 0
            while stages(of: "t\(number)").isEmpty {
                try require(Date() < end && tap.process.isRunning, "the tap shows nothing: \(lines().map(\.text))")
                number += 1
                stage.send(
                    "telemetry/pump",
                    Signals.envelope(
                        "plant/pump/things/twin/commands/retrieve", "/", #""correlation-id":"t\#(number)""#))
                usleep(200_000)
            }
            let expected = ["consumed", "mapped", "acknowledged", "dispatched", "published"]
            while !Set(stages(of: "t\(number)")).isSuperset(of: expected.dropFirst()) {
                try require(Date() < end, "stages of t\(number): \(stages(of: "t\(number)"))")
                usleep(50_000)
            }
            #expect(lines().contains { $0.value(at: ["stage"])?.string == "consumed" })
            stage.send("telemetry/pump", "no json")
            while !lines().contains(where: { $0.value(at: ["outcome"])?.string == "failure" }) {
                try require(Date() < end, "the failure is not shown")
                usleep(50_000)
            }
            let failure = lines().first { $0.value(at: ["outcome"])?.string == "failure" }
            #expect(failure?.value(at: ["reason"])?.string == "json.invalid")
            #expect(failure?.value(at: ["address"])?.string == "telemetry/pump")
            tap.process.end(with: SIGINT)

            let status = try stage.run("status")
            #expect(status.contains("telemetry-in") && status.contains("open"), "\(status)")
            let logs = try stage.run("logs", "telemetry-in")
            #expect(logs.contains("Ran into a failure") && logs.contains("consumed"), "\(logs)")
            try stage.end()
        }

        @Test("opening and closing are announced at the targets that ask for it")
        func announcements() throws {
            let stage = try Stage("announced", collecting: ["announced/#"]) { port in
                [
                    "out.yaml": """
                    id: out
                    connectionType: mqtt
                    uri: tcp://127.0.0.1:\(port)
                    targets:
                      - address: "announced/{{ connection:id }}/{{ topic:action | fn:default('any') }}"
                        topics: ["_/_/connections/announcements"]
                        qos: 1
                        authorizationContext: ["test:nobody"]

                    """
                ]
            }
            let client = try stage.process.http(as: "devops")
            var seen = 0
            func expect(_ subject: String) throws {
                seen += 1
                try stage.collector.wait(10, count: seen)
                let message = stage.collector.messages[seen - 1]
                #expect(message.dittoTopic == "_/out/connections/announcements/\(subject)", "\(message.text)")
                #expect(message.json.value(at: ["path"])?.string == "/")
                #expect(message.json.value(at: ["value", "\(subject)At"])?.string?.isEmpty == false)
                #expect(message.topic.hasPrefix("announced/out/"))
            }
            try expect("opened")
            #expect(try Self.command(client, "out", "closeConnection") == 200)
            try expect("closed")
            #expect(try Self.command(client, "out", "openConnection") == 200)
            try expect("opened")
            stage.bench.broker.stop()
            try stage.balance("the connection to be away") { $0.value(ofState: "open", "out") == 0 }
            try stage.bench.broker.start()
            try expect("opened")
            try stage.end()
            try expect("closed")
        }
    }
}
