import Testing

@testable import TwinspanConnections

@Suite("Places inside of scalars")
struct ScalarPositionsTests {
    struct Row: CustomTestStringConvertible {
        let yaml: String
        /// A text that occurs once in the value.
        let word: String
        let at: String
        init(_ yaml: String, _ word: String, _ at: String) {
            self.yaml = yaml
            self.word = word
            self.at = at
        }
        var testDescription: String { "\(word) in \(yaml)" }
    }

    @Test(
        "are found through quotes, escapes, folds, indentation and variables",
        arguments: [
            Row("a: one two", "two", "1:8"), Row("a: 'one two'", "two", "1:9"), Row("a: 'o''ne two'", "two", "1:11"),
            Row(#"a: "on\te two""#, "two", "1:11"), Row(#"a: "\x41\u00e4\U0001F600\_two""#, "two", "1:27"),
            Row("a: one\n  two", "two", "2:3"), Row("a: 'one\n\n   two'", "two", "3:4"),
            Row("a: \"one \\\n   two\"", "two", "2:4"), Row("a: &x !!str one two", "two", "1:17"),
            Row("a: |\n  one\n    two\n", "two", "3:5"), Row("a: |2\n   one\n   two\n", "two", "3:4"),
            Row("a: >\n  one\n  two\n\n  three\n", "three", "5:3"), Row("a: >\n  one\n  two\n", "two", "3:3"),
            Row("a: äöü two", "two", "1:8"), Row("a: ${V}/two", "two", "1:9"), Row("a: ${V}/two", "lue", "1:4"),
            Row("a: $${V}/two", "two", "1:10"), Row("a: 'x${V}''two'", "two", "1:12"),
            Row(#"{"a": "\ud83d\ude00 two"}"#, "two", "1:21"),
            Row(#"{"b": "\ud83d\ude00\ud83d\ude00", "a": "one two"}"#, "two", "1:45"),
        ])
    func found(_ row: Row) throws {
        let sink = DiagnosticSink()
        let reader = YAMLReader(environment: .memory(variables: ["V": "value"]), sink: sink)
        let documents = reader.documents(of: SourceText(name: "t", text: row.yaml), directory: ".")
        #expect(sink.diagnostics == [])
        let node = try #require(documents.first?["a"]?.value)
        let text = try #require(node.scalar?.text)
        let index = try #require(text.range(of: row.word))
        let offset = text.utf8.distance(from: text.startIndex, to: index)
        let spot = sink.spot(in: node, offset..<(offset + row.word.utf8.count))
        #expect("\(spot.mark.line):\(spot.mark.column)" == row.at)
    }

    @Test("offsets beyond the end stay in the text")
    func beyond() throws {
        for yaml in ["a: x", "a: 'x'", "a: |\n  x\n", "a: >\n  x", "a: \"\\x4"] {
            let sink = DiagnosticSink()
            let reader = YAMLReader(environment: .memory(), sink: sink)
            for node in reader.documents(of: SourceText(name: "t", text: yaml), directory: ".") {
                let value = try #require(node["a"]?.value)
                #expect(sink.spot(in: value, 50..<60).mark.line <= 3)
            }
        }
    }
}
