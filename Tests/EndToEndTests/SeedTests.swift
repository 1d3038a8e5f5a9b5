// Policies and things as files: what a start makes of them.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Seeds")
    struct SeedTests {
        private static func policy(_ id: String = "plant:p", _ more: String = "") -> String {
            """
            policyId: \(id)
            entries:
              owner:
                subjects:
                  nginx:ditto: { type: user }
                resources:
                  policy:/: { grant: [READ, WRITE] }
                  thing:/: { grant: [READ, WRITE] }
            \(more)
            """
        }

        private static func thing(_ place: String, _ more: String = "") -> String {
            "thingId: plant:t\npolicyId: plant:p\nattributes:\n  place: \(place)\n\(more)\n"
        }

        private static let path = "/api/2/things/plant:t/attributes/place"

        @Test("a first start makes what is missing, a second one leaves alone what changed, unless it always applies")
        func starts() throws {
            let bench = try Workbench("seeds")
            // The directories beside the process, as a newcomer would have them.
            try bench.write(Self.policy(), to: "../policies/p.yaml")
            try bench.write(Self.thing("cellar"), to: "../things/t.yaml")
            let first = try bench.start()
            try first.waitUntilReady()
            let made = "policies and things applied"
            #expect(first.log.contains(made) && first.log.contains("1 made, 0 changed, 0 left alone"), "\(first.log)")
            let http = try first.http(as: "ditto")
            #expect(try http.get(Self.path).text == #""cellar""#)
            #expect(try http.request("PUT", Self.path, body: #""roof""#).status == 204)
            first.signal(SIGTERM)
            #expect(try first.waitForEnd(10) == 0)

            let second = try bench.start()
            try second.waitUntilReady()
            #expect(second.log.contains("0 made, 0 changed, 1 left alone"), "\(second.log)")
            #expect(try http.get(Self.path).text == #""roof""#)
            second.signal(SIGTERM)
            #expect(try second.waitForEnd(10) == 0)

            try bench.write(Self.thing("yard", "twinspan: { apply: always }"), to: "../things/t.yaml")
            let third = try bench.start()
            try third.waitUntilReady()
            #expect(third.log.contains("0 made, 1 changed, 0 left alone"), "\(third.log)")
            #expect(try http.get(Self.path).text == #""yard""#)
            #expect(try http.get("/api/2/things/plant:t?fields=_revision").text == #"{"_revision":3}"#)
            third.signal(SIGTERM)
            #expect(try third.waitForEnd(10) == 0)
        }

        @Test("files that come or change while it runs are applied, at once on SIGHUP; broken ones change nothing")
        func reload() throws {
            let bench = try Workbench("seeds-reload")
            try bench.write(Self.policy(), to: "../policies/p.yaml")
            let process = try bench.start()
            try process.waitUntilReady()
            let http = try process.http(as: "ditto")
            #expect(try http.get(Self.path).status == 404)
            try bench.write("thingId: plant\n", to: "../things/t.yaml")
            process.signal(SIGHUP)
            try process.waitForLog(10, "t.yaml:1:10: error: ")
            try bench.write(Self.thing("cellar"), to: "../things/t.yaml")
            process.signal(SIGHUP)
            try process.waitForLog(10, #""because":"SIGHUP""#)
            #expect(try http.get(Self.path).text == #""cellar""#)
            try bench.write(Self.policy("plant:later"), to: "../policies/later.yaml")
            try process.waitForLog(10, #""policies":"1 made, 0 changed, 1 left alone""#)
            #expect(try http.get("/api/2/policies/plant:later").status == 200)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
        }

        /// Files that keep the process from starting, and what it says.
        static let broken: [(name: String, files: [(String, String)], says: [String])] = [
            (
                "a subject without a colon",
                [("../policies/p.yaml", policy().replacing("nginx:ditto", with: "ditto"))],
                ["policies/p.yaml:5:7: error: ", "policies:subjectid.invalid"]
            ),
            (
                "nobody who could write the policy",
                [("../policies/p.yaml", policy().replacing("READ, WRITE", with: "READ"))],
                ["policies/p.yaml:3:3: error: ", "policies:policy.modificationinvalid"]
            ),
            ("a thing without a policy", [("../things/t.yaml", "thingId: a:b\n")], ["things/t.yaml:1:1: error: "]),
            (
                "a thing whose policy is nowhere", [("../things/t.yaml", thing("cellar"))],
                ["things/t.yaml:2:11: error: ", "policies:policy.notfound"]
            ),
            (
                "an import that is nowhere",
                [("../policies/p.yaml", policy("plant:p", "imports:\n  plant:none: {}"))],
                ["policies/p.yaml:10:3: error: ", "plant:none"]
            ),
            (
                "a policy and a connection, told at once",
                [("../policies/p.yaml", "policyId: p\n"), ("c.yaml", "id: c\nconnectionType: smoke\n")],
                ["policies/p.yaml:1:11: error: ", "c.yaml:2:17: error: "]
            ),
        ]

        @Test("a broken file fails the start with its place, before anything is served", arguments: broken)
        func refused(name: String, files: [(String, String)], says: [String]) throws {
            let bench = try Workbench("seeds-broken")
            for (file, text) in files { try bench.write(text, to: file) }
            let process = try bench.start()
            #expect(try process.waitForEnd(10) == 1)
            for text in says { #expect(process.log.contains(text), "\(name): expected '\(text)' in:\n\(process.log)") }
            #expect(!process.log.contains("ready"))
        }

        @Test("policies that import each other are made, and paths of the configuration are used")
        func circle() throws {
            let bench = try Workbench("seeds-circle")
            try bench.write(Self.policy("plant:a", "imports:\n  plant:b: {}"), to: "../seed/a.yaml")
            try bench.write(Self.policy("plant:b", "imports:\n  plant:a: {}"), to: "../seed/b.yaml")
            let process = try bench.start(["--set", "policies=[\(bench.directory)/seed]", "--set", "things=[]"])
            try process.waitUntilReady()
            let http = try process.http(as: "ditto")
            for id in ["plant:a", "plant:b"] { #expect(try http.get("/api/2/policies/\(id)").status == 200) }
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
        }

        @Test("a path that was named and is not there fails the start; a default one need not be there")
        func missing() throws {
            let bench = try Workbench("seeds-missing")
            let process = try bench.start(["--set", "policies=\(bench.directory)/nowhere"])
            #expect(try process.waitForEnd(10) == 1)
            #expect(process.log.contains("/nowhere: error: "), "\(process.log)")
        }
    }
}
