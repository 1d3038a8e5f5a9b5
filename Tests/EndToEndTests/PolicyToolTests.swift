// `twinspan policy explain` as an operator meets it: over files, and against a running service.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("twinspan policy explain")
    struct PolicyToolTests {
        private struct Result {
            var code: Int32
            var output: String
            var errors: String
        }

        private let directory: TemporaryDirectory

        init() throws { directory = try TemporaryDirectory() }

        private func write(_ text: String, to name: String) throws {
            try text.write(toFile: directory.path + "/" + name, atomically: true, encoding: .utf8)
        }

        private func explain(_ arguments: [String]) throws -> Result {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: TwinspanProcess.binary)
            process.arguments = ["policy", "explain"] + arguments
            process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
            let (stdout, stderr) = (Pipe(), Pipe())
            process.standardOutput = stdout
            process.standardError = stderr
            try process.run()
            let output = stdout.fileHandleForReading.readDataToEndOfFile()
            let errors = stderr.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return Result(
                code: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
                errors: String(decoding: errors, as: UTF8.self))
        }

        private static let plant = """
            policyId: plant:machines
            imports:
              plant:roles: {}
            entries:
              owner:
                subjects: { "nginx:ditto": { type: the user of the HTTP API } }
                resources:
                  "policy:/": { grant: [READ, WRITE] }
                  "thing:/": { grant: [READ, WRITE] }
                  "thing:/features/motor/properties/pin": { revoke: [READ] }
              night:
                subjects: { "group:night": { type: the night shift } }
                namespaces: [plant.north]
                resources: { "thing:/": { grant: [READ] } }

            """
        private static let roles = """
            policyId: plant:roles
            entries:
              viewer:
                subjects: { "group:staff": { type: everybody who works here } }
                resources: { "thing:/features": { grant: [READ] } }

            """

        private func writePolicies() throws {
            try write(Self.plant, to: "plant.yaml")
            try FileManager.default.createDirectory(
                atPath: directory.path + "/policies", withIntermediateDirectories: true)
            try write(Self.roles, to: "policies/roles.yaml")
        }

        @Test("over files: the verdict, what decides, what restricts, and the exit code")
        func files() throws {
            try writePolicies()
            let base = ["--policy", "plant.yaml", "--policy-dir", "policies", "--thing", "plant:pump-7"]
            let restricted = try explain(base + ["--subject", "nginx:ditto"])
            #expect(restricted.code == 0 && restricted.errors.isEmpty, "\(restricted)")
            #expect(
                restricted.output == """
                    nginx:ditto may READ thing:/ of plant:pump-7, but not everything below it.
                    Requests and events show the parts that may be read.

                    decided by   entry 'owner' grants READ on thing:/ to nginx:ditto; no other statement reaches the
                                 resource

                    below the resource
                      depth 5  revoke  thing:/features/motor/properties/pin  'owner'

                    does not count
                      entry 'night': it counts in plant.north only, not in plant

                    """)
            let revoked = try explain(
                base + ["--subject", "nginx:ditto", "--resource", "thing:/features/motor/properties/pin"])
            #expect(revoked.code == 1 && revoked.output.contains("it is revoked"))
            let imported = try explain(
                base + ["--subject", "group:staff", "--resource", "thing:/features/motor", "--permission", "read"])
            #expect(imported.code == 0)
            #expect(imported.output.contains("entry 'viewer' of plant:roles (imported) grants READ"))
            let mistyped = try explain(base + ["--subject", "group:stuff"])
            #expect(mistyped.code == 1)
            #expect(mistyped.output.contains("subject group:stuff: no entry names it; did you mean group:staff?"))
        }

        @Test("over files: a policy by its id, a namespace without a thing, JSON, and imports that are missing")
        func otherWays() throws {
            try writePolicies()
            let named = try explain(
                ["--policy", "plant:machines", "--policy-dir", "plant.yaml", "--policy-dir", "policies"]
                    + ["--namespace", "plant.north", "--subject", "group:night", "--json"])
            #expect(named.code == 0, "\(named)")
            let json = try JSONValue.parse(named.output)
            #expect(json.value(at: ["verdict"])?.string == "unrestricted")
            #expect(json.value(at: ["decidedBy", "entry"])?.string == "night")
            let alone = try explain(["--policy", "plant.yaml", "--subject", "group:staff"])
            #expect(alone.code == 1)
            #expect(alone.errors.contains("'plant:roles' is not in the files: add its file with --policy-dir"))
            #expect(alone.output.contains("policy plant:roles: it is imported or a namespace root, but does not exist"))
        }

        @Test(
            "wrong usage is told with exit code 2 and what would be right",
            arguments: [
                (["--subject", "u:a"], "--thing"), (["--thing", "a:b"], "--subject"),
                (["--thing", "a:b", "--subject", "u:a", "--permission", "REED"], "Did you mean READ?"),
                (["--thing", "a:b", "--subject", "u:a", "--resource", "/features"], "Did you mean thing:/features?"),
                (["--thing", "nonsense", "--subject", "u:a"], "thing id 'nonsense' is not valid"),
                (["--policy", "nonsense", "--subject", "u:a"], "A file ends in .yaml"),
                (["--thing", "a:b", "--policy", "a:p", "--subject", "u:a"], "leave --policy out"),
                (["--thing", "a:b", "--namespace", "a", "--subject", "u:a"], "leave --namespace out"),
                (["--thing", "a:b", "--policy-dir", ".", "--subject", "u:a"], "name it with --policy"),
                (["--policy", "none.yaml", "--subject", "u:a"], "none.yaml"),
                (["--policy", "two.yaml", "--subject", "u:a"], "--policy a:one --policy-dir two.yaml"),
                (["--policy", "a:onn", "--policy-dir", "two.yaml", "--subject", "u:a"], "did you mean 'a:one'?"),
                (["--policy", "broken.yaml", "--subject", "u:a"], "broken.yaml:1:1: error: The resource key 'thing'"),
                (["--policy", "twice.yaml", "--policy-dir", "two.yaml", "--subject", "u:a"], "two policies 'a:one'"),
            ])
        func usage(_ arguments: [String], _ expected: String) throws {
            let empty = "entries: {}\n"
            try write("policyId: a:one\n\(empty)---\npolicyId: a:two\n\(empty)", to: "two.yaml")
            try write("policyId: a:one\nimports: {}\n\(empty)", to: "twice.yaml")
            try write("policyId: a:b\nentries: { x: { resources: { thing: {} } } }\n", to: "broken.yaml")
            let result = try explain(arguments)
            #expect(result.code == 2 && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains(expected), "\(result.errors)")
        }

        @Test("the help says what the exit codes mean, and ends with two examples")
        func help() throws {
            let result = try explain(["--help"])
            let lines = result.output.split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("  twinspan policy explain") } == 2)
            #expect(lines.joined(separator: " ").contains("Exit code 0: granted at the resource"))
            #expect(lines.allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE:") }, "\(result.output)")
        }

        @Test("against a service: things, policies, and what is not there")
        func service() throws {
            let stage = try Stage("explain", collecting: ["replies/#"]) {
                ["file.yaml": Plant.telemetryIn(port: $0)]
            }
            try stage.create(["pump"], at: "telemetry/pump", for: [Plant.gateway])
            let place = ["--url", "http://127.0.0.1:\(stage.bench.httpPort)", "--data", stage.bench.data]
            let allowed = try explain(
                ["--thing", "plant:pump", "--subject", Plant.gateway, "--resource", "thing:/features/engine"] + place)
            #expect(allowed.code == 0, "\(allowed)")
            #expect(
                allowed.output == """
                    test:gateway may READ thing:/features/engine of plant:pump, and everything below it.

                    decided by   entry 'all' grants READ on thing:/ to test:gateway; no other statement reaches the
                                 resource

                    """)
            let denied = try explain(["--policy", "plant:pump", "--subject", "test:gatewy", "--json"] + place)
            #expect(denied.code == 1)
            let nearest = try JSONValue.parse(denied.output).value(at: ["unknownSubjects"])?.array?.first
            #expect(nearest?.value(at: ["nearest"])?.string == "test:gateway")
            for (arguments, expected) in [
                (["--thing", "plant:none"], "The thing 'plant:none' could not be found"),
                (["--policy", "plant:none"], "There is no policy 'plant:none'"),
            ] {
                let result = try explain(arguments + ["--subject", "u:a"] + place)
                #expect(result.code == 2 && result.errors.contains(expected), "\(result)")
                #expect(result.errors.contains("→ "))
            }
            try stage.end()
            let gone = try explain(["--thing", "plant:pump", "--subject", "u:a"] + place)
            #expect(gone.code == 2 && gone.errors.contains("no twinspan answers"))
        }
    }
}
