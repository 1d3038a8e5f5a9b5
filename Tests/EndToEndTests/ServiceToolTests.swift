// `twinspan status`, `logs` and `tap` as an operator meets them. The service is a fake, so that every state and every
// mistake can be shown.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("tools that ask a service")
    struct ServiceToolTests {
        struct Result {
            var code: Int32
            var output: String
            var errors: String
            var lines: [String] { output.split(separator: "\n").map(String.init) }
        }

        /// Runs a tool in an empty directory; `interruptAfter` seconds it gets a Ctrl-C.
        private func run(
            _ arguments: [String], environment: [String: String] = ["TWINSPAN_PASSWORD": "secret"],
            credentials: String? = nil, interruptAfter: Double? = nil
        ) throws -> Result {
            let directory = FileManager.default.temporaryDirectory
                .appendingPathComponent("twinspan-tools-\(UUID().uuidString.prefix(8))")
            try FileManager.default.createDirectory(
                at: directory.appendingPathComponent("data"), withIntermediateDirectories: true)
            // A directory left behind harms nobody.
            defer { try? FileManager.default.removeItem(at: directory) }
            if let credentials {
                try credentials.write(
                    to: directory.appendingPathComponent("data/credentials"), atomically: true, encoding: .utf8)
            }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: TwinspanProcess.binary)
            process.arguments = arguments
            process.currentDirectoryURL = directory
            process.environment = environment
            let (stdout, stderr) = (Pipe(), Pipe())
            process.standardOutput = stdout
            process.standardError = stderr
            try process.run()
            if let interruptAfter {
                Thread.sleep(forTimeInterval: interruptAfter)
                process.interrupt()
            }
            let output = stdout.fileHandleForReading.readDataToEndOfFile()
            let errors = stderr.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return Result(
                code: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
                errors: String(decoding: errors, as: UTF8.self))
        }

        private static func url(_ service: FakeService) -> [String] { ["--url", "http://127.0.0.1:\(service.port)"] }

        private static let head =
            #"{"version":"1","uptimeSeconds":273600,"memoryBytes":38000000,"#
            + #""journal":{"bytes":1200000000,"maxBytes":4000000000},"commit":{"p99Milliseconds":1.8},"connections":["#
        private static let nothing = #"{"messages":0,"bytes":0,"ageSeconds":0}"#

        private static func connection(
            _ id: String, _ state: String, sources: Int, targets: Int, counters: String = "{}",
            failure: String = "null", next: String = "null", behind: String = "null", dead: Int = 0
        ) -> String {
            #"{"id":"\#(id)","type":"mqtt","uri":"tcp://b:1883","state":"\#(state)","stateAgeSeconds":120,"#
                + #""failure":\#(failure),"nextAttemptSeconds":\#(next),"sources":\#(sources),"targets":\#(targets),"#
                + #""inFlight":0,"queue":\#(nothing),"inbox":\#(nothing),"#
                + #""deadLetters":{"messages":\#(dead),"bytes":0,"ageSeconds":61},"behind":\#(behind),"#
                + #""counters":\#(counters)}"#
        }

        private static let longMessage = String(repeating: "no broker of 3 answered ", count: 8)

        // MARK: status

        @Test("the table shows states, rates, what waits and what ails, in 100 columns and without colour")
        func table() throws {
            let service = try FakeService { _, number in
                let received = number * 200
                return .json(
                    Self.head
                        + [
                            Self.connection(
                                "telemetry-in", "open", sources: 1, targets: 0,
                                counters: #"{"inbound/received":\#(received),"inbound/committed":\#(received)}"#),
                            Self.connection(
                                "cloud", "failed", sources: 0, targets: 1,
                                failure: #"{"step":"connect","message":"\#(Self.longMessage)","hint":"start one"}"#,
                                next: "13.2", behind: #"{"events":24310,"ageSeconds":123.4}"#),
                        ].joined(separator: ",") + "]}")
            }
            let result = try run(["status"] + Self.url(service))
            #expect(result.code == 0)
            #expect(result.errors.isEmpty)
            #expect(result.lines.allSatisfy { $0.count <= 100 }, "\(result.output)")
            #expect(!result.output.contains("\u{1B}"))
            #expect(result.lines.first?.hasPrefix("connection") == true)
            let telemetry = result.lines.first { $0.hasPrefix("telemetry-in") } ?? ""
            let words = telemetry.split(separator: " ").map(String.init)
            #expect(words.prefix(3) == ["telemetry-in", "mqtt", "open"])
            // Two readings about a second apart, with 200 messages between them.
            #expect(words.dropFirst(3).first.flatMap { Double($0) }.map { (150...201).contains($0) } == true)
            #expect(words.suffix(4) == ["–", "0", "0", "–"])
            #expect(result.output.contains("failed (2 m)"))
            #expect(result.output.contains("(next try in 14 s)"))
            #expect(result.output.contains("→ start one"))
            #expect(result.output.contains("behind by 24,310 events (oldest 2 m 3 s), durable, nothing lost"))
            #expect(
                result.lines.last == "journal 1.2 GB of 4 GB   memory 38 MB   commit p99 1.8 ms   up 3 d 4 h")
            #expect(service.requests.allSatisfy { $0.head.contains("Basic ZGV2b3BzOnNlY3JldA==") })
        }

        @Test("what is dropped while one looks is shown with its reason")
        func drops() throws {
            let service = try FakeService { _, number in
                .json(
                    Self.head
                        + Self.connection(
                            "out", "open", sources: 0, targets: 1,
                            counters: #"{"outbound/published":5,"outbound/dropped/queue-full":\#(number * 30)}"#)
                        + "]}")
            }
            let result = try run(["status"] + Self.url(service))
            #expect(result.output.contains("dropped outbound"))
            #expect(result.output.contains("/s: queue-full"))
        }

        @Test("a program gets the service's JSON with the rates")
        func json() throws {
            let service = try FakeService { _, number in
                .json(
                    Self.head
                        + Self.connection(
                            "in", "open", sources: 1, targets: 0,
                            counters: #"{"inbound/received":\#(number * 100)}"#) + "]}")
            }
            let result = try run(["status", "--json"] + Self.url(service))
            let json = try JSONValue.parse(result.output).object
            let connection = json?["connections"]?.array?.first?.object
            let rate = try #require(connection?["perSecond"]?.object?["inbound/received"]?.double)
            #expect((70...101).contains(rate))
            #expect(json?["memoryBytes"]?.int64 == 38_000_000)
        }

        @Test("watching goes on until Ctrl-C, which is no failure")
        func watch() throws {
            let service = try FakeService { _, _ in .json(Self.head + "]}") }
            let result = try run(["status", "--watch"] + Self.url(service), interruptAfter: 2.6)
            #expect(result.code == 0)
            #expect(result.lines.filter { $0 == "there are no connections" }.count >= 2)
        }

        // MARK: what goes wrong

        @Test("nobody there, nobody who answers, and what is no twinspan are told apart, with what to do")
        func unreachable() throws {
            let free = try LoopbackPort.free()
            let refused = try run(["status", "--url", "http://127.0.0.1:\(free)"])
            #expect(refused.code == 1)
            #expect(refused.errors.contains("no twinspan answers at http://127.0.0.1:\(free): "))
            #expect(refused.errors.contains("twinspan serve"))
            let foreign = try FakeService { _, _ in .json("<html>") }
            let html = try run(["status"] + Self.url(foreign))
            #expect(html.code == 1)
            #expect(html.errors.contains("is not the JSON of a twinspan"))
            let unknown = try run(["status", "--url", "http://no-such-host.invalid:1"])
            #expect(unknown.code == 1)
            #expect(unknown.errors.contains("there is no host 'no-such-host.invalid'"))
        }

        @Test(
            "a refusal says whose fault it is",
            arguments: [
                (401, "did not let 'devops' in with the password of TWINSPAN_PASSWORD"),
                (403, "--user devops"), (404, "does not know what was asked"), (500, "answered 500: Broken."),
            ])
        func refusals(status: Int, expected: String) throws {
            let service = try FakeService { _, _ in
                .json(#"{"status":0,"error":"x","message":"Broken.","description":"Mend it."}"#, status: status)
            }
            let result = try run(["status"] + Self.url(service))
            #expect(result.code == 1)
            #expect(result.errors.contains(expected), "\(result.errors)")
            #expect(result.errors.contains("→ "))
        }

        @Test("the password comes from the credentials when the environment has none")
        func credentials() throws {
            let service = try FakeService { _, _ in .json(Self.head + "]}") }
            let found = try run(
                ["status"] + Self.url(service), environment: [:], credentials: "ditto:a\ndevops:secret\n")
            #expect(found.code == 0)
            #expect(service.requests.last?.head.contains("Basic ZGV2b3BzOnNlY3JldA==") == true)
            let closed = try FakeService { _, _ in .json("{}", status: 401) }
            let missing = try run(["status"] + Self.url(closed), environment: [:])
            #expect(missing.code == 1)
            #expect(missing.errors.contains("set TWINSPAN_PASSWORD"))
            #expect(missing.errors.contains("data/credentials"))
        }

        @Test(
            "wrong usage is told with exit code 2",
            arguments: [
                ["status", "--url", "https://x"], ["status", "--url", "x:8080"], ["status", "--password", "x"],
                ["logs"], ["logs", "a/b"], ["tap", "x", "--outcome", "failed"], ["tap", "x", "--stage", "maped"],
            ])
        func usage(arguments: [String]) throws {
            let result = try run(arguments)
            #expect(result.code == 2)
            #expect(result.output.isEmpty)
        }

        @Test("every command ends its help with two examples", arguments: ["status", "logs", "tap"])
        func help(command: String) throws {
            let result = try run([command, "--help"])
            #expect(result.code == 0)
            #expect(result.lines.filter { $0.hasPrefix("  twinspan \(command)") }.count == 2)
            // The library does not break the line of usage.
            #expect(result.lines.allSatisfy { $0.count <= 100 || $0.hasPrefix("USAGE:") })
        }

        @Test("an unknown connection is told with the nearest id", arguments: ["logs", "tap"])
        func unknownConnection(command: String) throws {
            let service = try FakeService { request, _ in
                request.path == "/devops/twinspan/status"
                    ? .json(Self.head + Self.connection("telemetry-in", "open", sources: 1, targets: 0) + "]}")
                    : .json(#"{"error":"connectivity:connection.notfound"}"#, status: 404)
            }
            let result = try run([command, "telemtry-in"] + Self.url(service))
            #expect(result.code == 1)
            #expect(result.errors.contains("there is no connection 'telemtry-in'"))
            #expect(result.errors.contains("did you mean 'telemetry-in'?"))
        }

        // MARK: logs

        private static let longText = String(repeating: " It went well.", count: 10)

        private static func entry(_ number: Int, level: String = "success") -> String {
            #"{"correlationId":"c\#(number)","timestamp":"2026-01-01T00:00:0\#(number).5Z","category":"source","#
                + #""type":"mapped","level":"\#(level)","message":"Message \#(number).\#(longText)","#
                + #""address":"a/#","entityType":"thing","entityId":"a:b"}"#
        }

        private static func logs(_ entries: [String]) -> String {
            #"{"connectionId":"c","connectionLogs":[\#(entries.joined(separator: ","))],"#
                + #""enabledSince":null,"enabledUntil":null}"#
        }

        @Test("entries are shown in blocks that fit, or as lines of JSON")
        func logs() throws {
            let service = try FakeService { _, _ in
                .json(Self.logs([Self.entry(1), Self.entry(2, level: "failure")]))
            }
            let result = try run(["logs", "c"] + Self.url(service))
            #expect(result.code == 0)
            #expect(result.lines.allSatisfy { $0.count <= 100 })
            #expect(result.lines.first == "2026-01-01T00:00:01.5Z   success source/mapped       a/#")
            #expect(result.output.contains("failure source/mapped"))
            #expect(result.output.contains("    thing a:b, correlation-id c2"))
            #expect(service.requests.first?.path == "/api/2/connections/c/logs")
            let json = try run(["logs", "c", "--json"] + Self.url(service))
            #expect(json.lines == [Self.entry(1), Self.entry(2, level: "failure")])
        }

        @Test("an empty log is said to be empty, beside the output")
        func emptyLog() throws {
            let service = try FakeService { _, _ in .json(Self.logs([])) }
            let result = try run(["logs", "c"] + Self.url(service))
            #expect(result.code == 0)
            #expect(result.output.isEmpty)
            #expect(result.errors == "the log of 'c' is empty.\n")
        }

        @Test("following shows each entry once, and outlives a service that is away for a moment")
        func follow() throws {
            let service = try FakeService { _, number in
                switch number {
                case 0: .json(Self.logs([Self.entry(1)]))
                case 1: .json("{}", status: 503)
                default: .json(Self.logs([Self.entry(1), Self.entry(2)]))
                }
            }
            let result = try run(["logs", "c", "-f", "--json"] + Self.url(service), interruptAfter: 3.6)
            #expect(result.code == 0)
            #expect(result.lines == [Self.entry(1), Self.entry(2)])
            #expect(result.errors.contains("trying again every second"))
        }

        // MARK: tap

        private static let line =
            #"{"time":"2026-01-01T12:00:03.123Z","connection":"c","direction":"inbound","source":1,"#
            + #""stage":"mapped","outcome":"failure","address":"a/b","thing":"org.plant:pump-7","#
            + #""correlationId":"c-1","reason":"mapping","message":"Nonsense.","details":{"mapper":"Ditto"}}"#

        @Test("lines are shown as they come, also when a chunk ends within one")
        func tap() throws {
            let (first, second) = (Self.line.prefix(50), Self.line.dropFirst(50))
            let service = try FakeService { _, _ in
                FakeService.Answer(parts: [String(first), second + "\n" + Self.line + "\n"], pause: 50)
            }
            let arguments = [
                "tap", "c", "--thing", "org.plant:*", "--outcome", "failure", "--correlation-id", "ä b", "--stage",
                "mapped",
            ]
            let result = try run(arguments + ["--json"] + Self.url(service))
            #expect(result.code == 0)
            #expect(result.lines == [Self.line, Self.line])
            #expect(
                service.requests.first?.path
                    == "/devops/twinspan/connections/c/tap?thing=org.plant%3A%2A&outcome=failure"
                    + "&correlation-id=%C3%A4%20b&stage=mapped")
            let text = try run(["tap", "c"] + Self.url(service))
            #expect(
                text.lines.prefix(3) == [
                    "12:00:03.123Z in 1   mapped       failed org.plant:pump-7",
                    "    Nonsense. (mapping)",
                    "    address a/b, correlation-id c-1, mapper Ditto",
                ])
        }

        @Test("Ctrl-C ends a tap in order, also while nothing comes")
        func interrupt() throws {
            let service = try FakeService { _, _ in FakeService.Answer(parts: [Self.line + "\n"], ends: false) }
            let result = try run(["tap", "c", "--json"] + Self.url(service), interruptAfter: 1)
            #expect(result.code == 0)
            #expect(result.lines == [Self.line])
            #expect(result.errors.isEmpty)
        }
    }
}
