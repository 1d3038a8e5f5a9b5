// `twinspan parse` as a device developer meets it: lines in, canonical envelopes or errors out, and an exit code.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("twinspan parse")
    struct ParseTests {
        private static let modify = #"{"topic":"a/b/things/twin/commands/modify","path":"/attributes/x","value":1}"#

        /// Runs the command with these lines as its input.
        private func parse(_ input: String, _ options: [String] = []) throws -> (lines: [String], code: Int32) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: TwinspanProcess.binary)
            process.arguments = ["parse"] + options
            let (stdin, stdout) = (Pipe(), Pipe())
            process.standardInput = stdin
            process.standardOutput = stdout
            process.standardError = FileHandle.nullDevice
            try process.run()
            // From another thread, because neither pipe holds more than 64 kB.
            let bytes = Data(input.utf8)
            Thread.detachNewThread {
                stdin.fileHandleForWriting.write(bytes)
                stdin.fileHandleForWriting.closeFile()
            }
            let output = stdout.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            let text = String(decoding: output, as: UTF8.self)
            return (text.split(separator: "\n").map(String.init), process.terminationStatus)
        }

        @Test("valid lines come back in their canonical form, and the exit code is 0")
        func valid() throws {
            let spread = #" {"value" : 1.10, "path":"attributes/x", "topic":"a/b/things/twin/commands/modify"} "#
            let (lines, code) = try parse(Self.modify + "\n\n" + spread)
            #expect(code == 0)
            #expect(
                lines == [
                    #"{"topic":"a/b/things/twin/commands/modify","path":"/attributes/x","value":1}"#,
                    #"{"topic":"a/b/things/twin/commands/modify","path":"/attributes/x","value":1.10}"#,
                ])
        }

        @Test(
            "a wrong line gives the error that would be sent, with its correlation id, and the exit code 1",
            arguments: [
                ("nonsense", "json.invalid"),
                (#"{"path":"/"}"#, "json.field.missing"),
                (#"{"topic":"a/b/things/twin/commands/explode","path":"/"}"#, "protocoladapter:unknown.topicpath"),
                (#"{"topic":"a/b/things/twin/commands/modify","path":"/wheels","value":1}"#, "protocoladapter:unknown"),
                (#"{"topic":"a/b/things/twin/commands/merge","path":"/","value":{}}"#, "mediatype.unsupported"),
                (
                    #"{"topic":"a/b/things/twin/commands/modify","path":"/definition","value":"x"}"#,
                    "things:definition.identifier.invalid"
                ),
                (
                    #"{"topic":"a/b/things/twin/commands/modify","path":"/features/f/definition","value":[]}"#,
                    "things:feature.definition.empty"
                ),
                (
                    #"{"topic":"a/b/things/twin/commands/modify","path":"/","value":{"thingId":"a:c"}}"#,
                    "things:id.notsettable"
                ),
                (
                    #"{"topic":"a/b/things/twin/commands/retrieve","headers":{"condition":"gt("},"path":"/"}"#,
                    "things:condition.invalid"
                ),
                (
                    #"{"topic":"a/b/policies/commands/modify","path":"/entries/imported-x","value":{}}"#,
                    "policies:label.invalid"
                ),
            ])
        func invalid(line: String, code: String) throws {
            let (lines, exit) = try parse(line + "\n" + Self.modify + "\n")
            #expect(exit == 1 && lines.count == 2)
            let answer = try JSONValue.parse(try #require(lines.first))
            #expect(answer.object?["topic"]?.string?.hasSuffix("/errors") == true)
            let error = try #require(answer.object?["value"]?.object)
            #expect(error["error"]?.string?.hasPrefix(code) == true, "\(lines)")
            #expect(error["status"] == answer.object?["status"])
        }

        @Test("the explanation names the parts of the topic, the resource and the permission")
        func explanation() throws {
            let (lines, code) = try parse(Self.modify, ["--explain"])
            #expect(code == 0)
            let text = lines.dropFirst().joined(separator: "\n")
            let parts = ["namespace a, name b", "channel twin", "/attributes/x", "WRITE on thing:/attributes/x", "201"]
            for part in parts { #expect(text.contains(part), "\(text)") }
        }

        @Test("a line of five megabytes and thousands of lines are read whole")
        func large() throws {
            let long = String(repeating: "y", count: 5 << 20)
            let big = #"{"topic":"a/b/things/twin/commands/modify","path":"/attributes/x","value":"\#(long)"}"#
            let many = String(repeating: Self.modify + "\n", count: 3_000)
            let (lines, code) = try parse(big + "\n" + many)
            #expect(code == 0 && lines.count == 3_001)
            #expect(lines.first?.utf8.count ?? 0 > 5 << 20)
        }
    }
}
