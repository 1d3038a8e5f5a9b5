// Access that ends while everything runs: subjects that expire, also over a kill, a permission taken away under load,
// and a template from which policies import (spec/policies-search.md A.5, A.9).
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Access that ends")
    struct AccessTests {
        private static let policy = "/api/2/policies/plant:fleet"
        private static let guests = policy + "/entries/guests/subjects"

        // MARK: Expiry

        private static let settings = """
            access:
              subjectExpiryGranularity: 1s
              announcements: { granularity: 1s, randomizationInterval: 1ms }

            """

        /// A moment on a whole second, at least so many seconds ahead.
        private static func moment(in seconds: Double) -> Date {
            Date(timeIntervalSince1970: Date(timeIntervalSinceNow: seconds).timeIntervalSince1970.rounded(.up))
        }

        /// The policy of a fleet; its owner may not read things.
        private static func document(guest: String, until expiry: Date, _ more: String = "") -> String {
            let text = ISO8601DateFormatter().string(from: expiry)
            return """
                {"entries":{
                "owner":{"subjects":{"nginx:ditto":{"type":"t"}},"resources":{
                "policy:/":{"grant":["READ","WRITE"],"revoke":[]},"thing:/":{"grant":["WRITE"],"revoke":[]}}},
                "guests":{"subjects":{"\(guest)":{"type":"t","expiry":"\(text)"\(more)}},"resources":{
                "thing:/":{"grant":["READ"],"revoke":[]}}}}}
                """
        }

        private static func revision(_ http: HTTPClient, of path: String) throws -> Int {
            let answer = try http.get(path + "?fields=_revision")
            guard let number = answer.json.value(at: ["_revision"])?.int64 else {
                throw ScenarioFailure("no revision of \(path): \(answer.status) \(answer.text)")
            }
            return Int(number)
        }

        /// Waits until nobody is left among the guests.
        private static func awaitNoGuests(_ http: HTTPClient, by end: Date) throws {
            while true {
                let isOver = Date() >= end
                let subjects = try http.get(guests)
                if subjects.text == "{}" { return }
                try require(!isOver, "a guest is still there: \(subjects.status) \(subjects.text)")
                usleep(10_000)
            }
        }

        @Test(
            "who expired while the process was dead is gone right after the start, in one change of the policy (A.9.1)")
        func expiredWhileDead() throws {
            let stage = try Stage("expiry", collecting: ["none"], ["--config", "twinspan.yaml"]) { _ in
                ["../twinspan.yaml": Self.settings]
            }
            let http = try stage.process.http(as: "ditto")
            let expiry = Self.moment(in: 2)
            let made = try http.request(
                "PUT", Self.policy, body: Self.document(guest: "nginx:ditto", until: expiry))
            try #require(made.status == 201, "\(made.text)")
            let thing = "/api/2/things/plant:pump"
            let created = try http.request("PUT", thing, body: #"{"policyId":"plant:fleet"}"#)
            try #require(created.status == 201, "\(created.text)")
            #expect(try http.get(thing).status == 200)
            #expect(try Self.revision(http, of: Self.policy) == 1)
            try #require(Date() < expiry, "the machine is too slow for this test")
            stage.process.kill9()
            Thread.sleep(until: expiry)

            try stage.restart()
            try Self.awaitNoGuests(http, by: Date(timeIntervalSinceNow: 1.5))
            #expect(try http.get(thing).status == 404)
            #expect(try Self.revision(http, of: Self.policy) == 2)
            // The removal was a change like any other: the next start finds nothing left to do.
            stage.process.kill9()
            try stage.restart()
            #expect(try http.get(Self.guests).text == "{}")
            #expect(try Self.revision(http, of: Self.policy) == 2)
            try stage.end()
        }

        @Test("a running process announces an expiry once, to whom it is about, and removes on time (A.9.1, A.9.2)")
        func expiresWhileRunning() throws {
            let stage = try Stage("announced", collecting: ["told/#"], ["--config", "twinspan.yaml"]) { port in
                ["../twinspan.yaml": Self.settings, "listeners.yaml": Self.listeners(port: port)]
            }
            let http = try stage.process.http(as: "ditto")
            let expiry = Self.moment(in: 3)
            let document = Self.document(
                guest: "integration:x", until: expiry, #","announcement":{"beforeExpiry":"1s"}"#)
            let made = try http.request("PUT", Self.policy, body: document)
            try #require(made.status == 201, "\(made.text)")
            let told = try stage.wait("the announcement") { _ in true }
            #expect(Date() >= expiry.addingTimeInterval(-1), "it came too early")
            #expect(told.topic == "told/guest/subjectDeletion")
            #expect(told.dittoTopic == "plant/fleet/policies/announcements/subjectDeletion")
            #expect(told.json.value(at: ["value", "subjectIds"])?.text == #"["integration:x"]"#, "\(told.text)")

            Thread.sleep(until: expiry.addingTimeInterval(-0.1))
            let before = try http.get(Self.guests)
            #expect(Date() >= expiry || before.text != "{}", "the guest went too early")
            try Self.awaitNoGuests(http, by: expiry.addingTimeInterval(1.5))
            #expect(try Self.revision(http, of: Self.policy) == 2)
            try stage.collector.waitForSilence(of: 1.5, 5)
            #expect(stage.collector.count == 1, "\(stage.collector.messages.map(\.text))")
            try stage.end()
        }

        /// Targets for announcements: of the guest, and of somebody they are not for.
        private static func listeners(port: Int) -> String {
            let targets = [("guest", "integration:x"), ("other", "integration:y")].map { name, subject in
                """
                  - address: "told/\(name)/{{ topic:subject }}"
                    topics: ["_/_/policies/announcements"]
                    qos: 1
                    authorizationContext: ["\(subject)"]

                """
            }
            return "id: listeners\nconnectionType: mqtt\nuri: tcp://127.0.0.1:\(port)\ntargets:\n" + targets.joined()
        }

        // MARK: Revocation under load

        private static let names = ["pump-0", "pump-1", "pump-2", "pump-3"]

        private static func fleet(readers: String) -> String {
            let all = #"{"grant":["READ","WRITE"],"revoke":[]}"#
            return """
                {"entries":{"all":{
                "subjects":{"nginx:ditto":{"type":"t"},"\(Plant.gateway)":{"type":"t"}},
                "resources":{"policy:/":\(all),"thing:/":\(all)}},
                "readers":{"subjects":{"integration:x":{"type":"t"}},"resources":{\(readers)}}}}
                """
        }

        private static let reading = fleet(readers: #""thing:/":{"grant":["READ"],"revoke":[]}"#)
        private static let nothing = fleet(readers: "")

        @Test("after a revocation was confirmed no later event goes to the subject, durable target or not (A.4)")
        func revocationUnderLoad() throws {
            let stage = try Stage("revocation", collecting: ["owner/#", "plain/#", "kept/#", "replies/#"]) { port in
                ["telemetry-in.yaml": Plant.telemetryIn(port: port), "events-out.yaml": Self.readers(port: port)]
            }
            let http = try stage.process.http(as: "ditto")
            #expect(try http.request("PUT", Self.policy, body: Self.reading).status == 201)
            for name in Self.names {
                stage.send("telemetry/\(name)", Command.create(name, policy: "plant:fleet"))
                try stage.wait("\(name)") { $0.topic == "replies/all" && $0.correlationID == "\(name)-create" }
            }
            // More than the test lasts.
            stage.generator.setRate(300)
            stage.generator.send(
                (1...20_000).map { number in
                    let name = Self.names[number % Self.names.count]
                    return .init("telemetry/\(name)", Command.setSpeed(name, number))
                })
            let first = try Self.revisions(http)
            for target in ["owner", "plain", "kept"] { try Self.awaitEvents(stage, target, past: first, by: 50) }

            #expect(try http.request("PUT", Self.policy, body: Self.nothing).status == 204)
            let revoked = try Self.revisions(http)
            try Self.awaitEvents(stage, "owner", past: revoked, by: 90)
            let during = try Self.revisions(http)
            try Self.awaitEvents(stage, "owner", past: during, by: 90)

            // Two seconds of changes are over.
            Self.expectNone(stage.collector.messages, after: revoked, until: nil)

            #expect(try http.request("PUT", Self.policy, body: Self.reading).status == 204)
            let granted = try Self.revisions(http)
            for target in ["owner", "plain", "kept"] { try Self.awaitEvents(stage, target, past: granted, by: 25) }
            stage.generator.stop()

            // Nor does a new permission bring back what was missed.
            let messages = stage.collector.messages
            Self.expectNone(messages, after: revoked, until: during)
            // The owner was not disturbed.
            for (name, revisions) in Self.events(messages, "owner") {
                #expect(revisions == Array(1...revisions.count), "the owner does not see all of \(name) in order")
            }
            stage.process.kill9()
        }

        /// Neither target of the subject shows a revision after the one and up to the other, and all come in order.
        private static func expectNone(
            _ messages: [EventCollector.Message], after low: [String: Int], until high: [String: Int]?
        ) {
            for target in ["plain", "kept"] {
                let seen = events(messages, target)
                #expect(seen.count == names.count, "\(target) shows \(seen.keys)")
                for (name, revisions) in seen {
                    let wrong = revisions.filter { $0 > low[name] ?? 0 && $0 <= high?[name] ?? .max }
                    #expect(wrong.isEmpty, "\(target) shows \(wrong) of \(name), revoked at \(low[name] ?? 0)")
                    #expect(revisions == revisions.sorted(), "\(target) shows \(name) out of order")
                }
            }
        }

        /// The revisions of all things now.
        private static func revisions(_ http: HTTPClient) throws -> [String: Int] {
            var all: [String: Int] = [:]
            for name in names { all[name] = try revision(http, of: "/api/2/things/plant:\(name)") }
            return all
        }

        /// The revisions a target has shown, by things, in the order they came.
        private static func events(_ messages: [EventCollector.Message], _ target: String) -> [String: [Int]] {
            var all: [String: [Int]] = [:]
            for message in messages where message.topic.hasPrefix("\(target)/") {
                let revision = message.json.value(at: ["revision"])?.int64 ?? -1
                all[String(message.topic.dropFirst(target.count + 1)), default: []].append(Int(revision))
            }
            return all
        }

        /// Waits until a target has shown so many revisions more than those, of each thing.
        private static func awaitEvents(
            _ stage: Stage, _ target: String, past revisions: [String: Int], by count: Int64
        ) throws {
            for (name, revision) in revisions {
                try stage.wait("\(target)/\(name) past \(revision)", 20) {
                    $0.topic == "\(target)/\(name)"
                        && $0.json.value(at: ["revision"])?.int64 ?? 0 >= Int64(revision) + count
                }
            }
        }

        private static func readers(port: Int) -> String {
            let targets = [
                ("owner", Plant.gateway, "{ queue: 10000 }"), ("plain", "integration:x", "{ queue: 10000 }"),
                ("kept", "integration:x", "{ name: kept, delivery: durable }"),
            ].map { name, subject, options in
                """
                  - address: "\(name)/{{ thing:name }}"
                    topics: ["_/_/things/twin/events"]
                    qos: 1
                    authorizationContext: ["\(subject)"]
                    twinspan: \(options)

                """
            }
            return "id: events-out\nconnectionType: mqtt\nuri: tcp://127.0.0.1:\(port)\ntargets:\n" + targets.joined()
        }

        // MARK: Templates

        private static let template = """
            policyId: plant:roles
            entries:
              admin:
                subjects: { "nginx:ditto": { type: who keeps the template } }
                resources: { "policy:/": { grant: [READ, WRITE] } }
                importable: never
              viewer:
                subjects: { "nginx:ditto": { type: who looks at machines } }
                resources: { "thing:/": { grant: [READ] } }

            """
        private static let importer = """
            policyId: plant:fleet
            imports: { "plant:roles": {} }
            entries:
              owner:
                subjects: { "test:gateway": { type: the machines } }
                resources:
                  "policy:/": { grant: [READ, WRITE] }
                  "thing:/": { grant: [READ, WRITE] }

            """

        @Test("a change of a template counts at once for whoever imports it, is explained, and outlives a start (A.5)")
        func template() throws {
            let stage = try Stage("template", collecting: ["none"]) { _ in
                [
                    "../policies/roles.yaml": Self.template, "../policies/fleet.yaml": Self.importer,
                    "../things/pump.yaml": "thingId: plant:pump\npolicyId: plant:fleet\n",
                ]
            }
            let http = try stage.process.http(as: "ditto")
            let thing = "/api/2/things/plant:pump"
            #expect(try http.get(thing).status == 200)
            let allowed = try Self.explain(stage)
            #expect(allowed.code == 0, "\(allowed)")
            #expect(
                allowed.text.contains("entry 'viewer' of plant:roles (imported) grants READ on thing:/"), "\(allowed)")

            let admin = #""resources":{"policy:/":{"grant":["READ","WRITE"],"revoke":[]}},"importable":"never""#
            let body = #"{"entries":{"admin":{"subjects":{"nginx:ditto":{"type":"t"}},\#(admin)}}}"#
            let changed = try http.request("PUT", "/api/2/policies/plant:roles", body: body)
            #expect(changed.status == 204, "\(changed.text)")
            #expect(try http.get(thing).status == 404)
            let denied = try Self.explain(stage)
            #expect(denied.code == 1 && !denied.text.contains("viewer"), "\(denied)")

            stage.process.kill9()
            try stage.restart()
            #expect(try http.get(thing).status == 404)
            #expect(try Self.explain(stage).code == 1)
            try stage.end()
        }

        /// What `twinspan policy explain` says about the thing, and its exit code.
        private static func explain(_ stage: Stage) throws -> (code: Int32, text: String) {
            let (process, log) = try stage.tool([
                "policy", "explain", "--thing", "plant:pump", "--subject", "nginx:ditto",
            ])
            let end = Date(timeIntervalSinceNow: 15)
            while process.isRunning {
                try require(Date() < end, "the tool did not end")
                usleep(5_000)
            }
            return (process.exitCode ?? -1, try String(contentsOfFile: log, encoding: .utf8))
        }
    }
}
