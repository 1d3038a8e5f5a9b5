// Executes every example of docs/mapping.md. A block that takes part says what it is behind its language: definition,
// headers, message or signal, and then what becomes of it.
import Foundation
import Testing
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// An example of the page.
struct PageExample: Sendable, CustomStringConvertible {
    var title = ""
    var blocks: [String: String] = [:]
    var description: String { title }

    /// The examples of the page: one per level-three heading that has blocks.
    static let all: [PageExample] = {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/mapping.md")
        // A page that cannot be read has no examples, and the test that counts them fails.
        let text = (try? String(contentsOf: page, encoding: .utf8)) ?? ""
        var examples: [PageExample] = []
        var kind: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("## ") || line.hasPrefix("### "), kind == nil {
                examples.append(PageExample(title: String(line.drop { $0 == "#" || $0 == " " })))
            } else if line.hasPrefix("```") {
                let words = line.dropFirst(3).split(separator: " ", maxSplits: 1)
                kind = kind != nil || words.count < 2 ? nil : String(words[1])
            } else if let kind, !examples.isEmpty {
                examples[examples.count - 1].blocks[kind, default: ""] += line + "\n"
            }
        }
        return examples.filter { !$0.blocks.isEmpty }
    }()
}

@Suite("page of mappers")
struct MappingPageTests {
    @Test("there is an example for every mapper")
    func complete() {
        let page = Set(PageExample.all.map(\.title))
        for engine in MapperRegistry.builtIn.engines { #expect(page.contains(engine.name), "\(engine.name)") }
    }

    @Test("the examples do what the page says", arguments: PageExample.all)
    func example(_ example: PageExample) throws {
        let rig = MappingRig(try Self.chain(example))
        let headers = try example.blocks["headers"].map { try object($0) } ?? [:]
        if let payload = example.blocks["message"] ?? example.blocks["message in hex"] {
            let isHex = example.blocks["message"] == nil
            let bytes = isHex ? CborDecoderTests.bytes(payload.filter { $0 != "\n" }) : Array(payload.dropLast().utf8)
            let external = headers.reduce(into: [:]) { $0[$1.key] = $1.value.string ?? $1.value.text }
            let mapped = try rig.inbound(bytes, external)
            let expected = try JSONValue.parse(try #require(example.blocks["becomes signal"]))
            #expect(mapped == [.signals(expected.array ?? [expected])])
        }
        if let signal = example.blocks["signal"] {
            let message = try rig.message(try JSONValue.parse(signal).text)
            let body = try #require(example.blocks["becomes message"])
            if let json = try? JSONValue.parse(body) {
                #expect(try message.json == json)
            } else {
                #expect(String(decoding: message.payload, as: UTF8.self) == body.dropLast())
            }
            for (name, value) in try example.blocks["becomes headers"].map({ try object($0) }) ?? JSONObject() {
                #expect(message.header(name) == value.string, "\(name)")
            }
        }
        #expect(!["message", "message in hex", "signal"].allSatisfy { example.blocks[$0] == nil })
    }

    private static func chain(_ example: PageExample) throws -> MapperChain {
        guard let text = example.blocks["definition"] else { return try MapperChain([example.title]) }
        let definition = try object(text)
        func conditions(_ name: String) throws -> [PipelineExpression] {
            try (definition[name]?.object?.members ?? []).map {
                try PipelineExpression.parse($0.value.string ?? "", scope: .mapperCondition)
            }
        }
        let made = MapperDefinition(
            name: "mine", options: definition["options"]?.object ?? [:],
            incomingConditions: try conditions("incomingConditions"),
            outgoingConditions: try conditions("outgoingConditions"))
        return try MapperChain(
            ["mine"], definitions: ["mine": (definition["mappingEngine"]?.string ?? "", made)])
    }
}
