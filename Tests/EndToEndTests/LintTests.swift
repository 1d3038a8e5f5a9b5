// `twinspan lint` and the command line as a user meets them: exit codes, and a place for every problem.
import Foundation
import Testing
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Command line")
    struct LintTests {
        /// A file with one mistake, and where it must be reported.
        struct Row: CustomStringConvertible, Sendable {
            var description: String
            var line: Int
            var column: Int
            /// Something the message must name.
            var word: String
            var text: String

            init(_ name: String, _ line: Int, _ column: Int, _ word: String, _ text: String) {
                description = name
                self.line = line
                self.column = column
                self.word = word
                self.text = text
            }
        }

        private static let head = """
            id: telemetry-in
            connectionType: mqtt
            uri: tcp://127.0.0.1:1883

            """
        private static let source = """
            sources:
              - addresses: [telemetry/#]
                qos: 1
                authorizationContext: ["test:gateway"]

            """
        private static func uri(_ uri: String) -> String { "id: a\nconnectionType: mqtt\nuri: \(uri)\n" + source }

        /// A connection with a source whose fields, after its addresses, are these lines.
        private static func source(addresses: String = "[a]", _ lines: String...) -> String {
            head + "sources:\n  - addresses: \(addresses)\n" + lines.map { "    \($0)\n" }.joined()
        }

        /// A connection with a target; its address is in line 5, its topic in line 6.
        private static func target(address: String = "events", topic: String = "_/_/things/twin/events") -> String {
            head
                + "targets:\n  - address: \"\(address)\"\n    topics: [\"\(topic)\"]\n"
                + "    qos: 1\n    authorizationContext: [x]\n"
        }

        static let rows: [Row] = [
            Row("a tab as indentation", 2, 1, "tab", "id: a\n\tconnectionType: mqtt\n"),
            Row("an open quote", 1, 5, "quote", "id: \"telemetry\n"),
            Row("an open bracket", 5, 8, "']'", head + "tags: [a, b\nsources: x\n"),
            Row("a second value", 1, 6, "':'", "id: a: b\n"),
            Row("a key twice", 4, 1, "id", head + "id: other\n" + source),
            Row("an alias of nothing", 4, 7, "*nothing", head + "tags: *nothing\n" + source),
            Row("a list instead of an object", 1, 1, "a list", "- a\n- b\n"),
            Row("a text instead of an object", 1, 1, "text", "telemetry\n"),
            Row("invalid UTF-8", 1, 0, "UTF-8", "id: \u{FFFF}\u{FFFE}bad\n"),
            Row("an unknown key", 4, 1, "souces", head + "souces: []\n" + source),
            Row(
                "an unknown key of a source", 8, 5, "autorizationContext",
                source("qos: 1", "authorizationContext: [x]", "autorizationContext: [y]")),
            Row("a wrong kind", 4, 10, "sources", head + "sources: yes please\n"),
            Row("a wrong kind deep inside", 6, 10, "qos", source("qos: one", "authorizationContext: [x]")),
            Row("no connection type", 1, 1, "connectionType", "id: a\nuri: tcp://127.0.0.1:1883\n" + source),
            Row(
                "an unknown connection type", 2, 17, "mqqt",
                "id: a\nconnectionType: mqqt\nuri: tcp://127.0.0.1:1883\n" + source),
            Row("an unknown scheme", 3, 6, "http", uri("http://127.0.0.1:1883")),
            Row("a port that is none", 3, 22, "port", uri("tcp://127.0.0.1:99999")),
            Row(
                "an id with blanks", 1, 5, "id",
                "id: two words\nconnectionType: mqtt\nuri: tcp://127.0.0.1:1883\n" + source),
            Row("a QoS out of range", 6, 10, "qos", source("qos: 3", "authorizationContext: [x]")),
            Row(
                "a topic filter that is none", 5, 17, "a/#/b",
                source(addresses: "[\"a/#/b\"]", "qos: 1", "authorizationContext: [x]")),
            Row("no address", 5, 5, "addresses", head + "sources:\n  - qos: 1\n    authorizationContext: [x]\n"),
            Row("an unknown placeholder", 5, 25, "thing:di", target(address: "events/{{ thing:di }}")),
            Row("an open placeholder", 5, 22, "not closed", target(address: "events/{{ thing:id")),
            Row("an unknown function", 5, 36, "fn:uper", target(address: "events/{{ thing:id | fn:uper() }}")),
            Row("an unknown topic", 6, 15, "evnts", target(topic: "_/_/things/twin/evnts")),
            Row("a filter that is none", 6, 48, "filter", target(topic: "_/_/things/twin/events?filter=gt(a")),
            Row(
                "an unknown mapper", 8, 22, "Javascript",
                source("qos: 1", "authorizationContext: [x]", "payloadMapping: [Javascript]")),
            Row("a variable that is not set", 3, 12, "TWINSPAN_NOT_SET", uri("tcp://${TWINSPAN_NOT_SET}:1883")),
            Row("a file that is not there", 3, 6, "/nowhere/uri", uri("${file:/nowhere/uri}")),
            Row("the same id twice", 9, 5, "telemetry-in", head + source + "---\n" + target()),
        ]

        @Test("every mistake has its file, line and column, and ends with exit code 1", arguments: rows)
        func mistake(row: Row) throws {
            let directory = try Directory()
            let file = directory.path + "/plant.yaml"
            try Self.write(row.text, to: file)
            let (code, output) = try Self.run(["lint", file], in: directory.path)
            #expect(code == 1, "\(output)")
            let place = "\(file):\(row.line):" + (row.column > 0 ? "\(row.column)" : "")
            let lines = output.split(separator: "\n").filter { $0.contains(": error: ") }
            #expect(lines.contains { $0.contains(place) }, "expected \(place) in:\n\(output)")
            #expect(
                lines.contains { $0.contains(place) && $0.lowercased().contains(row.word.lowercased()) },
                "expected '\(row.word)' at \(place) in:\n\(output)")
            // file:line:column, for editors that jump to it.
            #expect(lines.allSatisfy { $0.contains(/:[0-9]+:[0-9]+: error: ./) }, "\(output)")
        }

        /// A text whose U+FFFF U+FFFE stand for bytes that are no UTF-8.
        private static func write(_ text: String, to file: String) throws {
            var bytes = Data(text.utf8)
            if let range = bytes.range(of: Data("\u{FFFF}\u{FFFE}".utf8)) {
                bytes.replaceSubrange(range, with: [0xC3, 0x28, 0xFF])
            }
            try bytes.write(to: URL(fileURLWithPath: file))
        }

        @Test("all problems of all files are reported at once")
        func allAtOnce() throws {
            let directory = try Directory()
            try (Self.head + "souces: []\nsources: 7\n").write(
                toFile: directory.path + "/a.yaml", atomically: true, encoding: .utf8)
            try "id: b\nconnectionType: smoke\n".write(
                toFile: directory.path + "/b.yaml", atomically: true, encoding: .utf8)
            let (code, output) = try Self.run(["lint", directory.path], in: directory.path)
            #expect(code == 1)
            for word in ["a.yaml:4:1", "a.yaml:5:10", "b.yaml:2:17", "uri"] {
                #expect(output.contains(word), "\(output)")
            }
        }

        @Test("files without a problem end with exit code 0, and what they say is short")
        func clean() throws {
            let directory = try Directory()
            try (Self.head + Self.source).write(
                toFile: directory.path + "/a.yaml", atomically: true, encoding: .utf8)
            let (code, output) = try Self.run(["lint", directory.path], in: directory.path)
            #expect(code == 0)
            #expect(output == "no problems in 1 file\n")
        }

        @Test(
            "wrong usage ends with exit code 2 and says what is right",
            arguments: [
                ["lint", "--jsn"], ["serve", "--htp", "127.0.0.1:0"], ["serve", "--http", "nonsense"],
                ["fly"], ["serve", "left-over"],
            ])
        func wrongUsage(arguments: [String]) throws {
            let directory = try Directory()
            let (code, output) = try Self.run(arguments, in: directory.path)
            #expect(code == 2, "\(output)")
            #expect(output.contains("Usage:") || output.contains("--http 127.0.0.1:8081"), "\(output)")
        }

        @Test("init writes a file that lint accepts, and never over another one")
        func initAndLint() throws {
            let directory = try Directory()
            let file = directory.path + "/plant.yaml"
            #expect(try Self.run(["init", "mqtt", "-o", file], in: directory.path).0 == 0)
            let (code, output) = try Self.run(["lint", file], in: directory.path)
            #expect(code == 0 && output.hasSuffix("no problems in 1 file\n"), "\(output)")
            let again = try Self.run(["init", "kafka", "-o", file], in: directory.path)
            #expect(again.0 == 1 && again.1.contains("it exists already"), "\(again.1)")
            let unknown = try Self.run(["init", "mqqt"], in: directory.path)
            #expect(unknown.0 == 2 && unknown.1.contains("mqtt-5"), "\(unknown.1)")
        }

        @Test("import writes a file per connection, says which secrets it took out, and lint accepts them")
        func importAndLint() throws {
            let directory = try Directory()
            let file = directory.path + "/ditto.json"
            let definition = """
                {"id": "a", "connectionType": "mqtt", "connectionStatus": "closed", "uri": "tcp://u:geheim@h:1",
                 "sources": [{"addresses": ["x"], "qos": 1, "authorizationContext": ["s"]}]}
                """
            try definition.write(toFile: file, atomically: true, encoding: .utf8)
            let (code, output) = try Self.run(["import", file, "-o", directory.path], in: directory.path)
            #expect(code == 0 && output.contains("A_PASSWORD") && !output.contains("geheim"), "\(output)")
            let yaml = try String(contentsOfFile: directory.path + "/a.yaml", encoding: .utf8)
            #expect(yaml.contains("${A_PASSWORD}") && !yaml.contains("geheim"))
            let twice = try Self.run(["import", file, "-o", directory.path], in: directory.path)
            #expect(twice.0 == 1 && twice.1.contains("it exists already"), "\(twice.1)")
            try definition.replacingOccurrences(of: "]}]}", with: "").write(
                toFile: file, atomically: true, encoding: .utf8)
            #expect(try Self.run(["import", file], in: directory.path).0 == 1)
            #expect(try Self.run(["import", "https://h/api/2/connections"], in: directory.path).0 == 2)
        }

        @Test("a file that does not exist is a finding that names it")
        func missingFile() throws {
            let directory = try Directory()
            let (code, output) = try Self.run(["lint", "no-such-file.yaml"], in: directory.path)
            #expect(code == 1)
            #expect(output.contains("no-such-file.yaml"), "\(output)")
        }

        @Test("serve refuses files with errors before it touches anything else")
        func serveWithErrors() throws {
            let directory = try Directory()
            let file = directory.path + "/plant.yaml"
            try (Self.head + "souces: []\n").write(toFile: file, atomically: true, encoding: .utf8)
            let (code, output) = try Self.run(
                ["serve", "--data", directory.path + "/data", "--connections", file, "--http", "127.0.0.1:0"],
                in: directory.path)
            #expect(code == 1)
            #expect(output.contains("\(file):4:1: error: "), "\(output)")
        }

        // MARK: Policies and things

        private static let policy = """
            policyId: plant:p
            entries:
              owner:
                subjects:
                  nginx:ditto: { type: user }
                resources:
                  policy:/: { grant: [READ, WRITE] }

            """
        private static func thing(_ text: String = "") -> String { "thingId: plant:t\npolicyId: plant:p\n" + text }

        /// Files of policies and things with one problem; the folder says which.
        static let seedRows: [(folder: String, Row)] = [
            ("policies", Row("a tab as indentation", 2, 1, "tab", "policyId: a:b\n\tentries: {}\n")),
            ("policies", Row("a list", 1, 1, "a list", "- policyId: a:b\n")),
            ("policies", Row("no id", 1, 1, "policyId", policy.replacing("policyId: plant:p\n", with: ""))),
            ("policies", Row("a bad id", 1, 11, "policies:id.invalid", policy.replacing("plant:p", with: "plant"))),
            ("policies", Row("no colon", 5, 7, "subjectid.invalid", policy.replacing("nginx:ditto", with: "ditto"))),
            (
                "policies",
                Row(
                    "a placeholder", 5, 7, "no caller",
                    policy.replacing("nginx:ditto", with: "'{{ request:subjectId }}'"))
            ),
            ("policies", Row("a reserved label", 3, 3, "reserved", policy.replacing("owner", with: "imported-x"))),
            ("policies", Row("a bad resource", 7, 7, "resource key", policy.replacing("policy:/", with: "policy"))),
            (
                "policies",
                Row("a bad permission", 7, 33, "'WRTE'", policy.replacing("READ, WRITE", with: "READ, WRTE"))
            ),
            ("policies", Row("no owner", 3, 3, "modificationinvalid", policy.replacing("READ, WRITE", with: "READ"))),
            (
                "policies",
                Row("a bad reference", 8, 18, "does not exist", policy + "    references: [{ entry: x }]\n")
            ),
            ("policies", Row("a bad import", 8, 12, "id.invalid", policy + "imports: { base: {} }\n")),
            ("policies", Row("a policy twice", 9, 11, "defined twice", policy + "---\n" + policy)),
            ("policies", Row("a wrong word", 8, 20, "'once'", policy + "twinspan: { apply: once }\n")),
            ("things", Row("no id", 1, 1, "thingId", "policyId: plant:p\n")),
            ("things", Row("no policy", 1, 1, "policyId", "thingId: plant:t\n")),
            ("things", Row("a bad policy", 2, 11, "id.invalid", thing().replacing("plant:p", with: "p"))),
            ("things", Row("a bad key", 4, 3, "a/b", thing("attributes:\n  a/b: 1\n"))),
            ("things", Row("a bad feature", 3, 16, "features", thing("features: { a: 1 }\n"))),
            ("things", Row("a policy along", 3, 1, "a file of its own", thing("_policy: {}\n"))),
            ("things", Row("a thing twice", 4, 10, "defined twice", thing() + "---\n" + thing())),
        ]

        @Test("every mistake in a policy or thing has its place too", arguments: seedRows)
        func seedMistake(folder: String, row: Row) throws {
            let directory = try Directory()
            try directory.write(row.text, to: "\(folder)/a.yaml")
            let (code, output) = try Self.run(["lint", directory.path + "/" + folder], in: directory.path)
            #expect(code == 1, "\(output)")
            let place = "/\(folder)/a.yaml:\(row.line):\(row.column): error: "
            let lines = output.split(separator: "\n")
            let line = lines.first { $0.contains(place) }
            #expect(line != nil && lines.count { $0.contains(": error: ") } <= 2, "expected \(place) in:\n\(output)")
            #expect(output.lowercased().contains(row.word.lowercased()), "expected '\(row.word)' in:\n\(output)")
        }

        @Test("what refers to something that no file has is a warning: the store may have it")
        func seedWarnings() throws {
            let directory = try Directory()
            let importing = """
                imports:
                  plant:none: {}
                  plant:q:
                    entries: [owner, guest]
                    transitiveImports: [plant:r]
                """
            try directory.write(Self.policy + importing, to: "policies/p.yaml")
            try directory.write(Self.policy.replacing("plant:p", with: "plant:q") + "things: 1\n", to: "policies/q.yml")
            try directory.write(Self.thing(), to: "things/t.yaml")
            try directory.write(
                Self.thing().replacing("plant:p", with: "plant:gone").replacing("plant:t", with: "plant:u"),
                to: "things/u.json")
            let (code, output) = try Self.run(
                ["lint", directory.path + "/policies", directory.path + "/things"], in: directory.path)
            #expect(code == 0, "\(output)")
            for text in [
                "p.yaml:9:3: warning: none of the files has the policy 'plant:none'",
                "p.yaml:11:22: warning: the policy 'plant:q' has no entry 'guest'",
                "p.yaml:12:25: warning: the policy 'plant:q' does not import 'plant:r'",
                "q.yml:8:1: warning: unknown key 'things'",
                "u.json:2:11: warning: none of the files has the policy 'plant:gone'", "5 warnings in 3 of 4 files",
            ] { #expect(output.contains(text), "expected '\(text)' in:\n\(output)") }
        }

        @Test("without paths, connections, policies and things are checked; elsewhere the keys tell what a file is")
        func kinds() throws {
            let directory = try Directory()
            try directory.write(Self.head + Self.source, to: "connections/c.yaml")
            try directory.write(Self.policy, to: "policies/p.yaml")
            try directory.write(Self.thing("attribute: 1\n"), to: "things/t.yaml")
            let (code, output) = try Self.run(["lint"], in: directory.path, from: directory.path)
            #expect(code == 0 && output.contains("t.yaml:3:1: warning: unknown key 'attribute'"), "\(output)")
            #expect(output.contains("did you mean 'attributes'?") && output.contains("in 1 of 3 files"), "\(output)")
            let mixed = try Directory()
            try mixed.write(Self.head + Self.source, to: "c.yaml")
            try mixed.write(Self.policy, to: "p.yaml")
            try mixed.write(Self.thing(), to: "t.yaml")
            let (mixedCode, mixedOutput) = try Self.run(["lint", mixed.path], in: mixed.path)
            #expect(mixedCode == 0 && mixedOutput == "no problems in 3 files\n", "\(mixedOutput)")
        }

        /// Runs the binary to its end; returns its exit code and its output.
        /// - Parameter place: the working directory; nil for that of the test.
        private static func run(
            _ arguments: [String], in directory: String, from place: String? = nil
        ) throws -> (Int32, String) {
            let log = directory + "/output"
            let command = place.map { ["/usr/bin/env", "-C", $0, TwinspanProcess.binary] } ?? [TwinspanProcess.binary]
            let child = try ChildProcess(command + arguments, logPath: log)
            let end = Date(timeIntervalSinceNow: 15)
            while child.isRunning {
                try require(Date() < end, "twinspan \(arguments) does not end")
                usleep(2_000)
            }
            return (child.exitCode ?? -1, try String(contentsOfFile: log, encoding: .utf8))
        }
    }
}

/// A directory that is gone with the test.
private final class Directory {
    let path = NSTemporaryDirectory() + "twinspan-lint-\(UUID().uuidString.prefix(8))"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    /// Writes a file and makes the directories it needs.
    func write(_ text: String, to name: String) throws {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    // A directory left behind harms nobody.
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
