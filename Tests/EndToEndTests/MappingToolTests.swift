// `twinspan test`, `check` and `map` as a user meets them: exit codes, and what is said where.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("tools for mappings and connections")
    struct MappingToolTests {
        private struct Answer {
            var code: Int32
            var output: String
            var errors: String
        }

        private let directory: TemporaryDirectory

        init() throws { directory = try TemporaryDirectory() }

        private func write(_ text: String, to name: String) throws {
            let path = directory.path + "/" + name
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }

        private func run(_ arguments: String..., input: String = "") throws -> Answer {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: TwinspanProcess.binary)
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
            let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
            process.standardInput = stdin
            process.standardOutput = stdout
            process.standardError = stderr
            try process.run()
            stdin.fileHandleForWriting.write(Data(input.utf8))
            try stdin.fileHandleForWriting.close()
            let output = stdout.fileHandleForReading.readDataToEndOfFile()
            let errors = stderr.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return Answer(
                code: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
                errors: String(decoding: errors, as: UTF8.self))
        }

        private static func connection(port: Int = 1883, id: String = "plant", more: String = "") -> String {
            """
            id: \(id)
            connectionType: mqtt
            uri: tcp://127.0.0.1:\(port)
            \(more)
            mappingDefinitions:
              decode: { mappingEngine: JavaScript, options: { incomingScript: "\(script)" } }
            sources:
              - { addresses: ["plant/#"], qos: 1, authorizationContext: [a], payloadMapping: [decode] }
            targets:
              - { address: "out/{{ thing:name }}", topics: [_/_/things/twin/events], qos: 1, authorizationContext: [a] }
            """
        }

        private static let script =
            "function mapToDittoProtocolMsg(h, text, bytes) { return Ditto.buildDittoProtocolMsg('org', "
            + "h['mqtt.topic'].split('/')[1], 'things', 'twin', 'commands', 'modify', '/attributes/rpm', {}, "
            + "parseInt(text, 16)); }"

        private static let good = """
            - name: a hexadecimal number becomes revolutions
              address: plant/pump
              payload: ff
              expect:
                - contains: { topic: org/pump/things/twin/commands/modify, value: 255 }
            - name: an event
              target: 1
              event: { topic: org/pump/things/twin/events/modified, path: /attributes/rpm, value: 1 }
              expect: [ { contains: { address: out/pump } } ]
            """

        private static let bad = """
            - name: wrong <number>
              address: plant/pump
              payload: ff
              expect: [ { contains: { value: 254 } } ]
            """

        @Test("test runs scripts and targets, and its exit code says whether all is well")
        func cases() throws {
            try write(Self.connection(), to: "connections/plant.yaml")
            let hint = try run("test")
            #expect(hint.code == 0 && hint.errors.contains("plant.test.yaml"))
            #expect(try run("test", "connections/plant.yaml").code == 1)
            try write(Self.good, to: "connections/plant.test.yaml")
            let good = try run("test")
            #expect(good.code == 0 && good.output == "2 cases in 1 file passed\n", "\(good)")
            try write(Self.good + "\n" + Self.bad, to: "connections/plant.test.yaml")
            let bad = try run("test", "connections/plant.yaml", "--junit", "results.xml")
            #expect(bad.code == 1 && bad.output.contains("1 of 3 cases in 1 file failed"), "\(bad)")
            #expect(bad.output.contains("connections/plant.test.yaml:10: FAILED  wrong <number>"), "\(bad)")
            #expect(bad.output.contains("message 1 /value: expected 254, found 255"), "\(bad)")
            let xml = try String(contentsOfFile: directory.path + "/results.xml", encoding: .utf8)
            #expect(xml.contains(#"<testcase name="wrong &lt;number&gt;""#) && xml.contains("<failure"))
            let json = try JSONValue.parse(run("test", "--json").output).object
            #expect(json?["failed"] == 1 && json?["total"] == 3 && json?["success"] == false)
            #expect(try run("test", "--filter", "an event").output == "1 case in 1 file passed\n")
            #expect(try run("test", "--filter", "nothing like it").code == 1)
            #expect(try run("test", "--junit", "no/such/folder/x.xml").code == 1)
            #expect(try run("test", "--colour").code == 2)
        }

        @Test("a broken case or connection is told with its place and fails; lint tells of both")
        func broken() throws {
            try write(Self.connection(), to: "connections/plant.yaml")
            try write("- name: x\n  adress: plant/a\n  dropped: true\n", to: "connections/plant.test.yaml")
            let place = "connections/plant.test.yaml:2:3: error: unknown key 'adress'"
            let test = try run("test")
            #expect(test.code == 1 && test.errors.contains(place), "\(test)")
            let lint = try run("lint")
            #expect(lint.code == 1 && lint.output.contains(place) && lint.output.contains("did you mean 'address'"))
            #expect(try run("lint", "connections/plant.test.yaml").output.contains(place))
            try write(Self.good, to: "connections/plant.test.yaml")
            let sound = try run("lint")
            #expect(sound.code == 0 && sound.output.contains("2 files"), "\(sound)")
            try write(Self.connection(more: "souces: []"), to: "connections/plant.yaml")
            let connection = try run("test")
            #expect(connection.code == 1 && connection.errors.contains("unknown key 'souces'"), "\(connection)")
            #expect(try run("test", "nowhere").code == 1)
        }

        @Test("map shows both directions, headers and scripts, and refuses options that do not fit")
        func map() throws {
            try write(Self.connection(), to: "plant.yaml")
            let inward = try run("map", "plant.yaml", "--address", "plant/pump", "--header", "a=b=c", input: "ff")
            #expect(inward.code == 0 && inward.output.contains("a: b=c"), "\(inward)")
            #expect(inward.output.contains("decode → 1 message") && inward.output.contains("/attributes/rpm = 255"))
            #expect(inward.output.contains("would be committed as: modify org:pump"), "\(inward)")
            let event = #"{"topic":"org/pump/things/twin/events/modified","path":"/attributes/a","value":1}"#
            let outward = try run("map", "plant.yaml", "--target", "1", input: event)
            #expect(outward.code == 0 && outward.output.contains("would be published to: out/pump"), "\(outward)")
            let json = try JSONValue.parse(run("map", "plant.yaml", "--target", "1", "--json", input: event).output)
            #expect(json.object?["messages"]?.array?.first?.object?["address"] == "out/pump")
            #expect(try run("map", "plant.yaml", "--target", "1", input: "{").code == 1)
            for wrong in [
                ["--target", "1", "--source", "1"], ["--target", "1", "--header", "a=b"], ["--target", "2"],
                ["--target", "0"], ["--address", "plant/a", "--header", "a"], ["--address", "plant/a", "--qos", "3"],
                ["--address", "plant/a", "--source", "2"], [],
            ] {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: TwinspanProcess.binary)
                process.arguments = ["map", directory.path + "/plant.yaml"] + wrong
                process.standardInput = FileHandle.nullDevice
                process.standardError = FileHandle.nullDevice
                try process.run()
                process.waitUntilExit()
                #expect(process.terminationStatus == 2, "\(wrong)")
            }
        }

        @Test("check names the failed step with its remedy, skips what is closed, and says so in its exit code")
        func check() throws {
            let broker = try BrokerProcess()
            try write(Self.connection(port: broker.port), to: "connections/a.yaml")
            let fine = try run("check")
            #expect(fine.code == 0 && fine.output.hasSuffix("1 connection fine\n"), "\(fine)")
            for step in ["resolve      ok     127.0.0.1", "authenticate ok", "subscribe    ok     plant/#", "hint  "] {
                #expect(fine.output.contains("  " + step), "\(fine)")
            }
            let closed = try LoopbackPort.free()
            try write(Self.connection(port: closed, id: "gone"), to: "connections/b.yaml")
            try write(
                Self.connection(port: closed, id: "off", more: "connectionStatus: closed"), to: "connections/c.yaml")
            let failed = try run("check", "--timeout", "2s")
            #expect(failed.code == 1 && failed.output.hasSuffix("1 of 2 connections failed\n"), "\(failed)")
            #expect(failed.output.contains("  connect      FAILED 127.0.0.1:\(closed) cannot be connected to"))
            #expect(failed.output.contains("               → check that the broker is running"))
            #expect(failed.output.contains("  subscribe    not tried"))
            #expect(failed.output.contains("skipped      its status is closed"))
            #expect(failed.output.split(separator: "\n").allSatisfy { $0.count <= 100 }, "\(failed)")
            #expect(try run("check", "--all").output.hasSuffix("2 of 3 connections failed\n"))
            let json = try JSONValue.parse(run("check", "--json").output).object
            let failure = json?["connections"]?.array?.compactMap { $0.object?["failure"]?.object }.first
            #expect(json?["success"] == false && failure?["step"] == "connect" && failure?["reason"] == "refused")
            #expect(try run("check", "connections/c.yaml").code == 0)
            #expect(try run("check", "--timeout", "soon").code == 2)
            #expect(try run("check", "nowhere").code == 1)
        }
    }
}
