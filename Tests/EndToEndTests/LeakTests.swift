// A subject that may see one property of a thing full of secrets, on every way out there is: of the rest it must not
// see a byte, and what it may not see looks like what does not exist (spec/policies-search.md A.3.2, A.4).
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Nothing leaks")
    struct LeakTests {
        /// Stands in every key and value that the subject may not see, and nowhere else.
        private static let mark = "zq9"
        private static let thing = "/api/2/things/plant:pump"
        private static let topic = "plant/pump/things/"
        private static let speed = "/features/engine/properties/speed"

        @Test("who may see one property sees no byte of the rest, on no way out")
        func everyWayOut() throws {
            let stage = try Stage("leak", collecting: ["seen/#", "devices/#", "replies/#"]) { port in
                [
                    "owner.yaml": Self.owner(port: port), "reader.yaml": Self.reader(port: port),
                    "others.yaml": Self.others(port: port),
                ]
            }
            let devops = try stage.process.http(as: "devops")
            for id in ["owner", "reader", "others"] {
                let body = #"{"type":"connectivity.commands:enableConnectionLogs"}"#
                _ = try devops.request(
                    "POST", "/api/2/connections/\(id)/command", body: body, contentType: "text/plain")
            }
            Self.own(stage, "create", "twin/commands/create", "/", value: Self.document)
            try Self.answered(stage, "create", 201)
            let http = try stage.process.http(as: "ditto")
            try Self.walkHTTP(http)
            try Self.changeEverything(stage)
            try Self.walkLive(stage)
            try Self.walkHTTP(http)
            try Self.compareWithAbsent(http)

            // The last event, at every target, says that nothing is to come any more.
            Self.own(stage, "last", "twin/commands/modify", Self.speed, value: "99")
            for target in ["plain", "rich", "kept", "features/engine"] {
                try stage.wait("the last event at \(target)") {
                    $0.topic == "seen/\(target)" && $0.json.value(at: ["value"])?.int64 == 99
                }
            }
            Self.checkSeen(stage.collector.messages)
            try Self.checkOperator(stage, devops)
            stage.process.kill9()
        }

        // MARK: What is done

        private static let document = """
            {"_policy":{"policyId":"plant:\(mark)policy","entries":{
            "\(mark)all":{"subjects":{"test:owner":{"type":"t"}},"resources":{
            "thing:/":{"grant":["READ","WRITE"],"revoke":[]},"policy:/":{"grant":["READ","WRITE"],"revoke":[]},
            "message:/":{"grant":["READ","WRITE"],"revoke":[]}}},
            "part":{"subjects":{"nginx:ditto":{"type":"t"}},"resources":{
            "thing:/features/engine/properties/speed":{"grant":["READ"],"revoke":[]}}}}},
            "definition":"\(mark)ns:\(mark)def:1.0.0",
            "attributes":{"\(mark)key":"\(mark)value","n":{"\(mark)deep":[1,{"k":"\(mark)element"}]}},
            "features":{"engine":{"definition":["\(mark)ns:\(mark)f:1.0.0"],
            "properties":{"speed":1,"\(mark)prop":"\(mark)pv"},"desiredProperties":{"\(mark)wish":1}},
            "\(mark)feature":{"properties":{"x":"\(mark)fv"}}}}
            """

        /// Sends something as the owner; correlation ids are the reader's to see.
        private static func own(
            _ stage: Stage, _ id: String, _ criterion: String, _ path: String, value: String? = nil,
            headers: String = ""
        ) {
            let type = criterion.hasSuffix("merge") ? #","content-type":"application/merge-patch+json""# : ""
            let all = #""correlation-id":"\#(id)""# + type + (headers.isEmpty ? "" : ",\(headers)")
            stage.send("owner/x", Signals.envelope(topic + criterion, path, all, value: value))
        }

        private static func answered(_ stage: Stage, _ id: String, _ status: Int64) throws {
            try stage.wait("\(status) for \(id)") {
                $0.topic == "replies/owner" && $0.correlationID == id && $0.status == status
            }
        }

        /// Events of every kind, with and without the property among what they change.
        private static func changeEverything(_ stage: Stage) throws {
            let put = #""put-metadata":[{"key":"\#(mark)mk","value":"\#(mark)mv"}]"#
            let below = #""put-metadata":[{"key":"properties/\#(mark)prop/\#(mark)mk","value":"\#(mark)mv"}]"#
            let condition = #""condition":"eq(attributes/\#(mark)key,\"\#(mark)value\")""#
            let rows: [(String, String, String?, String, Int64)] = [
                ("modify", "/attributes/\(mark)key", #""\#(mark)value""#, put, 204),
                ("modify", "/attributes/\(mark)new", #"["\#(mark)",{"\#(mark)":1}]"#, condition, 201),
                ("merge", "/", #"{"attributes":{"\#(mark)m":"\#(mark)"},\#(features(2))}"#, condition, 204),
                ("merge", "/", #"{"attributes":{"\#(mark)m":null},"features":{"\#(mark)feature":null}}"#, "", 204),
                ("merge", "/attributes", #"{"{{ ~\#(mark)n.*~ }}":null}"#, "", 204),
                ("modify", "/features/\(mark)feature", #"{"properties":{"\#(mark)":"\#(mark)"}}"#, "", 201),
                ("modify", "/features/engine", engine(3), below, 204),
                ("modify", "/features/engine/properties", #"{"speed":4,"\#(mark)prop":"\#(mark)pv"}"#, "", 204),
                ("modify", speed, "5", "", 204),
                ("delete", "/features/engine/properties/\(mark)prop", nil, "", 204),
                ("delete", "/features/\(mark)feature", nil, "", 204),
                ("modify", "/", #"{"attributes":{"\#(mark)key":"\#(mark)value"},\#(features(6))}"#, "", 204),
                ("modify", "/attributes/\(mark)key", #""\#(mark)value""#, put, 204),
            ]
            for (number, row) in rows.enumerated() {
                let id = "change\(number)"
                own(stage, id, "twin/commands/\(row.0)", row.1, value: row.2, headers: row.3)
                try answered(stage, id, row.4)
            }
            // What cannot be understood, and what may not be done.
            stage.send("owner/x", "{\"\(mark)broken")
            stage.send("reader/x", "{\"\(mark)broken")
        }

        private static func engine(_ speed: Int) -> String {
            #"{"definition":["\#(mark)ns:\#(mark)f:1.0.0"],"#
                + #""properties":{"speed":\#(speed),"\#(mark)prop":"\#(mark)pv"}}"#
        }

        private static func features(_ speed: Int) -> String {
            #""features":{"engine":\#(engine(speed)),"\#(mark)feature":{"properties":{"x":"\#(mark)fv"}}}"#
        }

        /// Live signals of every kind, and the reader's own live commands, which the device answers with everything.
        private static func walkLive(_ stage: Stage) throws {
            let silent = #""response-required":false"#
            let everything = #"{"attributes":{"\#(mark)":"\#(mark)"},\#(features(7))}"#
            own(stage, "e1", "live/events/modified", "/", value: everything)
            own(stage, "e2", "live/events/modified", "/attributes/\(mark)", value: "1")
            own(stage, "e3", "live/events/deleted", "/features/\(mark)feature")
            own(stage, "e4", "live/events/merged", "/", value: #"{"attributes":{"\#(mark)":null}}"#)
            own(
                stage, "m1", "live/messages/\(mark)ask", "/inbox/messages/\(mark)ask", value: #""\#(mark)""#,
                headers: silent)
            own(stage, "c1", "live/commands/modify", "/features/engine", value: engine(8), headers: silent)
            own(stage, "c2", "live/commands/retrieve", "/attributes/\(mark)", headers: silent)
            own(stage, "e5", "live/events/modified", speed, value: "77")
            try stage.wait("the last live event") {
                $0.topic == "seen/live" && $0.json.value(at: ["value"])?.int64 == 77
            }
            let paths = [
                ("r1", "/", everything), ("r2", "/features", #"{"engine":\#(engine(9))}"#), ("r3", speed, "9"),
            ]
            for (id, path, value) in paths {
                let headers = #""correlation-id":"\#(id)","requested-acks":["live-response"],"timeout":"10s""#
                stage.send("reader/x", Signals.envelope(topic + "live/commands/retrieve", path, headers))
                let asked = try stage.wait("the command \(id)") {
                    $0.topic == "devices/pump" && $0.correlationID?.hasPrefix(id) == true
                }
                let answer = Signals.envelope(
                    topic + "live/commands/retrieve", path, #""correlation-id":"\#(asked.correlationID ?? "")""#,
                    value: value, status: 200)
                stage.send("owner/x", answer)
                try stage.wait("the answer to \(id)") {
                    $0.topic == "replies/reader" && $0.correlationID == id && $0.status == 200
                }
            }
            // What he may not do is refused without a word about the thing.
            for (number, row) in [
                ("twin/commands/retrieve", "/"), ("twin/commands/retrieve", "/features"),
                ("twin/commands/delete", "/"), ("twin/commands/retrieve", "/policyId"),
                ("live/commands/retrieve", "/definition"), ("live/messages/ask", "/inbox/messages/ask"),
            ].enumerated() {
                let id = "own\(number)"
                stage.send("reader/x", Signals.envelope(topic + row.0, row.1, #""correlation-id":"\#(id)""#))
                try stage.wait("the answer to \(id)") { $0.topic == "replies/reader" && $0.correlationID == id }
            }
        }

        // MARK: HTTP

        private static let reads = [
            "", "/attributes", "/features", "/features/engine", "/features/engine/properties", speed,
            "/features/engine/definition", "/features/engine/desiredProperties", "/definition", "/policyId",
            "?fields=attributes,features,definition,policyId,_policy,_metadata,_revision,_modified,_created",
            "/features?fields=*", "/features/*", "?condition=eq(attributes/n,1)", "?condition=exists(_metadata)",
            "?condition=eq(features/engine/properties/speed,5)", "?condition=not(eq(policyId,'x'))", "?condition=eq(",
            "?channel=live", "?at-historical-revision=1",
        ]

        private static func walkHTTP(_ http: HTTPClient) throws {
            var answers: [HTTPClient.Answer] = []
            let conditions: [[String: String]] = [
                [:], ["If-None-Match": "\"rev:1\""], ["If-Match": "\"x\""], ["If-None-Match": "*"],
                ["get-metadata": "*"], ["get-metadata": "features/*/properties/*/x"], ["if-equal": "skip"],
            ]
            for headers in conditions {
                for read in reads { answers.append(try http.request("GET", thing + read, headers: headers)) }
                for list in ["", "&fields=attributes,features,_metadata,_policy", "&fields=thingId"] {
                    let path = "/api/2/things?ids=plant:pump,plant:none" + list
                    answers.append(try http.request("GET", path, headers: headers))
                }
                for path in ["", "/attributes", "/attributes/n", "/features/engine", "/definition", "/policyId", speed]
                {
                    for (method, type) in [
                        ("PUT", "application/json"), ("PATCH", "application/merge-patch+json"), ("DELETE", ""),
                    ] {
                        let body = method == "DELETE" ? nil : path.hasSuffix("speed") ? "1" : "{}"
                        answers.append(
                            try http.request(method, thing + path, body: body, contentType: type, headers: headers))
                    }
                }
            }
            for path in [
                "/api/2/things", "/api/2/policies", "/api/2/connections", "/devops/twinspan/status", "/metrics",
                "/ready",
                "/health", "/api/2/things/plant:pump/inbox/messages/ask",
            ] { answers.append(try http.get(path)) }
            for answer in answers {
                let text = answer.head + answer.text
                #expect(!text.lowercased().contains(mark), "\(text)")
                // Nor the size of anything: what he sees of the features is the one property.
                #expect(answer.status != 500, "\(text)")
            }
            let whole = try http.get(thing).json
            #expect(whole.object?.count == 2 && whole.value(at: ["thingId"]) == "plant:pump", "\(whole.text)")
            let speed = try http.get(thing + "/features").json
            #expect(speed.value(at: ["engine"])?.object?.keys.map { $0 } == ["properties"], "\(speed.text)")
            #expect(speed.value(at: ["engine", "properties"])?.object?.keys.map { $0 } == ["speed"], "\(speed.text)")
        }

        /// Every answer about something hidden is that about something absent, but for the name in it.
        private static func compareWithAbsent(_ http: HTTPClient) throws {
            let pairs =
                [
                    ("/attributes/\(mark)key", "/attributes/nonekey"),
                    ("/features/\(mark)feature", "/features/nonefeature"),
                    ("/features/\(mark)feature/properties/x", "/features/nonefeature/properties/x"),
                    ("/features/engine/properties/\(mark)prop", "/features/engine/properties/noneprop"),
                    ("/features/engine/desiredProperties/\(mark)wish", "/features/engine/desiredProperties/nonewish"),
                ].map { (thing + $0, thing + $1) } + [
                    ("/api/2/policies/plant:\(mark)policy", "/api/2/policies/plant:nonepolicy")
                ]
            for (hidden, absent) in pairs {
                for headers in [[:], ["If-None-Match": "*"], ["If-Match": "*"], ["get-metadata": "*"]] {
                    let found = try http.request("GET", hidden, headers: headers)
                    let missing = try http.request("GET", absent, headers: headers)
                    #expect(found.status == 404 && missing.status == 404)
                    #expect(found.text.replacingOccurrences(of: mark, with: "none") == missing.text)
                    #expect(!found.head.lowercased().contains("etag"))
                }
            }
        }

        // MARK: What was seen

        private static func checkSeen(_ messages: [EventCollector.Message]) {
            let seen = messages.filter { $0.topic.hasPrefix("seen/") || $0.topic == "replies/reader" }
            for message in seen {
                let text = message.topic + message.text
                #expect(!text.lowercased().contains(mark), "\(text)")
            }
            func values(_ target: String) -> [String] {
                seen.filter { $0.topic == "seen/\(target)" }.compactMap { $0.json.value(at: ["value"])?.text }
            }
            // create, the merge, the feature, its properties, the property, the whole thing, the last one.
            #expect(values("plain").count == 7, "\(values("plain"))")
            #expect(values("rich").count == 7 && values("kept").count == 7)
            #expect(values("live").count == 2, "\(values("live"))")
            let extras = seen.filter { $0.topic == "seen/rich" }.compactMap { $0.json.value(at: ["extra"])?.object }
            #expect(extras.allSatisfy { $0.keys.map { $0 } == ["features"] } && extras.count == 7, "\(extras)")
        }

        /// The operator's pages tell what happened, not what was said.
        private static func checkOperator(_ stage: Stage, _ devops: HTTPClient) throws {
            var pages = [try devops.get("/metrics").text, try devops.get("/devops/twinspan/status").text]
            for id in ["owner", "reader", "others"] {
                for report in ["status", "metrics", "logs"] {
                    pages.append(try devops.get("/api/2/connections/\(id)/\(report)").text)
                }
            }
            pages.append(stage.process.log)
            for page in pages {
                #expect(!page.isEmpty)
                let lines = page.split(separator: "\n").filter { $0.lowercased().contains(mark) }
                #expect(lines.isEmpty, "\(lines.prefix(3).map { $0.prefix(2_000) })")
            }
        }

        // MARK: Connections

        private static func owner(port: Int) -> String {
            """
            id: owner
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            sources:
              - addresses: ["owner/#"]
                qos: 1
                authorizationContext: ["test:owner"]
                replyTarget:
                  address: replies/owner
                  headerMapping: { mqtt.qos: "1" }
            targets:
              - address: "devices/{{ thing:name }}"
                topics: ["_/_/things/live/commands"]
                qos: 1
                authorizationContext: ["test:owner"]

            """
        }

        private static func reader(port: Int) -> String {
            let extra = "extraFields=attributes,features,definition,policyId,_metadata"
            let subject = #"authorizationContext: ["nginx:ditto"]"#
            return """
                id: reader
                connectionType: mqtt
                uri: tcp://127.0.0.1:\(port)
                sources:
                  - addresses: ["reader/#"]
                    qos: 1
                    \(subject)
                    replyTarget:
                      address: replies/reader
                      headerMapping: { mqtt.qos: "1" }
                targets:
                  - { address: seen/plain, topics: ["_/_/things/twin/events"], qos: 1, \(subject) }
                  - { address: seen/rich, topics: ["_/_/things/twin/events?\(extra)"], qos: 1, \(subject) }
                  - address: seen/live
                    topics:
                      - "_/_/things/live/events?\(extra)"
                      - "_/_/things/live/messages?\(extra)"
                      - "_/_/things/live/commands?\(extra)"
                    qos: 1
                    \(subject)

                """
        }

        /// More targets than one connection may have.
        private static func others(port: Int) -> String {
            let subject = #"authorizationContext: ["nginx:ditto"]"#
            return """
                id: others
                connectionType: mqtt
                uri: tcp://127.0.0.1:\(port)
                targets:
                  - address: seen/kept
                    topics: ["_/_/things/twin/events"]
                    qos: 1
                    \(subject)
                    twinspan: { name: kept, delivery: durable }
                  - address: "seen/features/{{ feature:id }}"
                    topics: ["_/_/things/twin/events"]
                    qos: 1
                    \(subject)

                """
        }
    }
}
