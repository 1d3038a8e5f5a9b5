import Foundation
import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// The example of `docs/mapping-javascript.md` does what the page says.
@Suite("documentation of scripts")
struct DocumentationTests {
    private static let page: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        // Without the page the tests fail with what they miss in it.
        return (try? String(contentsOf: root.appendingPathComponent("docs/mapping-javascript.md"), encoding: .utf8))
            ?? ""
    }()

    /// The lines of an option's block in the YAML, without their indentation.
    private static func script(_ option: String) -> String {
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(of: "      \(option): |") else { return "" }
        return lines[(start + 1)...].prefix { $0.hasPrefix("        ") }.map { $0.dropFirst(8) }
            .joined(separator: "\n")
    }

    private static var blocksOfJSON: [JSONValue] {
        page.components(separatedBy: "```json\n").dropFirst().compactMap {
            // What is no JSON is missed by the tests.
            try? JSONValue.parse(Array($0.components(separatedBy: "```")[0].utf8))
        }
    }

    @Test("a reading becomes the merge of the page")
    func incoming() throws {
        let blocks = Self.blocksOfJSON
        try #require(blocks.count == 2)
        let rig = try ScriptRig(incoming: Self.script("incomingScript"))
        let envelope = try #require(try rig.inbound(blocks[0].text).first)
        #expect(try JSONValue.parse(envelope.bytes) == blocks[1])
    }

    @Test("a setting becomes the bytes of the page, and other events nothing")
    func outgoing() throws {
        let rig = try ScriptRig(outgoing: Self.script("outgoingScript"))
        func event(_ path: String) -> String {
            #"{"topic":"greenhouse/sensor-1/things/twin/events/modified","headers":{},"path":"\#(path)","value":22.5}"#
        }
        let message = try #require(try rig.outbound(event("/attributes/target/temperature")).first)
        #expect(message.payload == [0x01, 0x00, 0xE1])
        #expect(
            message.headers.map { "\($0.name): \($0.value)" } == [
                "device: sensor-1", "content-type: application/octet-stream",
            ])
        #expect(try rig.outbound(event("/attributes/colour")).isEmpty)
    }
}
