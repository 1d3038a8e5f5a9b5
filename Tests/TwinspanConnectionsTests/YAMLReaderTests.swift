import Testing
import TwinspanJSON

@testable import TwinspanConnections

@Suite("YAML texts become trees")
struct YAMLReaderTests {
    struct Good: CustomTestStringConvertible {
        let yaml: String
        let json: String
        init(_ yaml: String, _ json: String) {
            self.yaml = yaml
            self.json = json
        }
        var testDescription: String { yaml }
    }

    @Test(
        "values mean what the core schema of YAML 1.2 says",
        arguments: [
            Good("a: 1", #"{"a":1}"#), Good("a: -1.10", #"{"a":-1.10}"#), Good("a: 1E5", #"{"a":1E5}"#),
            Good("a: 0x1F", #"{"a":31}"#), Good("a: 0o17", #"{"a":15}"#), Good("a: .5", #"{"a":0.5}"#),
            Good("a: +12", #"{"a":12}"#), Good("a: .inf", #"{"a":".inf"}"#),
            Good("a: 18446744073709551615", #"{"a":18446744073709551615}"#),
            Good("a: 1.2.3", #"{"a":"1.2.3"}"#), Good("a: 12e", #"{"a":"12e"}"#), Good("a: 1_000", #"{"a":"1_000"}"#),
            Good("a: .", #"{"a":"."}"#), Good("a: +", #"{"a":"+"}"#), Good("a: -x", #"{"a":"-x"}"#),
            Good("a: yes", #"{"a":"yes"}"#), Good("a: off", #"{"a":"off"}"#), Good("a: True", #"{"a":true}"#),
            Good("a: ~", #"{"a":null}"#), Good("a:", #"{"a":null}"#), Good("a: 'null'", #"{"a":"null"}"#),
            Good(#"a: "1""#, #"{"a":"1"}"#), Good("a: !!str 1", #"{"a":"1"}"#), Good("a: ! 1", #"{"a":"1"}"#),
            Good("a: !!float 1", #"{"a":1}"#), Good("a: 2024-01-01", #"{"a":"2024-01-01"}"#),
            Good("1: x\ntrue: y", #"{"1":"x","true":"y"}"#),
            Good("a: |\n  x\n   y\n", #"{"a":"x\n y\n"}"#), Good("a: >-\n  x\n  y\n", #"{"a":"x y"}"#),
            Good("- {a: [1, 2]}\n- b", #"[{"a":[1,2]},"b"]"#),
            Good("{\"a\":{\"b\":[true,null,\"\\/\"]}}", #"{"a":{"b":[true,null,"/"]}}"#),
            Good("{\n\t\"a\": 1\n}", #"{"a":1}"#),
            Good("a: &x {k: 1}\nb: *x", #"{"a":{"k":1},"b":{"k":1}}"#),
            Good("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3", #"{"a":{"k":1,"l":2},"b":{"l":3,"k":1}}"#),
            Good("a: {<<: [{k: 1}, {k: 2, m: 3}]}", #"{"a":{"k":1,"m":3}}"#),
            Good("a: {'<<': 1}", #"{"a":{"<<":1}}"#),
            Good(#"{"face": "\ud83d\ude00!"}"#, #"{"face":"😀!"}"#),
        ])
    func meaning(of row: Good) throws {
        let read = readYAML(row.yaml)
        #expect(read.diagnostics == [])
        let document = try #require(read.documents.first)
        #expect(document.json == (try JSONValue.parse(row.json)))
    }

    @Test("several documents are read one by one")
    func documents() {
        let read = readYAML("a: 1\n---\nb: 2\n---\n# nothing\n...\n")
        #expect(read.documents.map(\.json.text) == [#"{"a":1}"#, #"{"b":2}"#, "null"])
    }

    @Test("nodes know where they stand, counted in characters")
    func marks() throws {
        let read = readYAML("ä: {ö: über}\nb:\n  - x\n")
        let document = try #require(read.documents.first)
        let inner = try #require(document["ä"]?.value["ö"])
        #expect(inner.keyStart.line == 1 && inner.keyStart.column == 5)
        #expect(inner.value.start.column == 8 && inner.value.end.column == 12)
        let element = try #require(document["b"]?.value.sequence?.first)
        #expect(element.start.line == 3 && element.start.column == 5)
    }

    struct Bad: CustomTestStringConvertible {
        let yaml: String
        let at: String
        let says: String
        init(_ yaml: String, _ at: String, _ says: String) {
            self.yaml = yaml
            self.at = at
            self.says = says
        }
        var testDescription: String { "\(yaml.prefix(30)) → \(says)" }
    }

    @Test(
        "what is not YAML is refused with its place",
        arguments: [
            Bad("a:\n\tb: 1", "2:1", "a tab cannot indent"),
            Bad("a: x\n\tb: 1", "2:1", "a tab cannot indent"), Bad("a: |\n\tx", "2:1", "a tab cannot indent"),
            Bad("a: - b", "1:4", "a list entry is not allowed here"),
            Bad("a: \"x", "1:4", "quote is never closed"),
            Bad("a: 'x\nb: 1", "1:4", "quote is never closed"),
            Bad("a: {b: 1", "1:9", "expected ',' or '}'"),
            Bad("a: [1, 2\nb: 3", "2:2", "expected ',' or ']'"),
            Bad("a: b: c", "1:5", "a ':' is not allowed here"),
            Bad("a: 1\n b: 2", "2:3", "a ':' is not allowed here"),
            Bad("a:\n  b: 1\n c: 2", "3:2", "expected a key"),
            Bad("a:\n  - 1\n  b: 2", "3:3", "expected '-'"),
            Bad("a: 1\nb\n", "2:1", "a key without ':'"),
            Bad("a: @x", "1:4", "text cannot begin with '@'"),
            Bad("a: `x`", "1:4", "text cannot begin with '`'"),
            Bad("a: %x", "1:4", "text cannot begin with '%'"),
            Bad(#"a: "\q""#, "1:5", "unknown escape"),
            Bad(#"a: "\ud800""#, "1:5", "no character"),
            Bad("a: *x", "1:4", "unknown alias '*x'"),
            Bad("a: &x [*x]", "1:8", "inside of what it names"),
            Bad("a: 1\nb: 2\na: 3", "3:1", "the key 'a' is there twice"),
            Bad("{\"a\":1,\"a\":2}", "1:8", "the key 'a' is there twice"),
            Bad("{[1]: 2}", "1:2", "a key must be text, not a list"),
            Bad("? {a: 1}\n: 2", "1:3", "a key must be text, not an object"),
            Bad("x: &a {k: 1}\n? *a\n: 2", "1:4", "a key must be text, not an object"),
            Bad("a: {<<: 5}", "1:9", "'<<' takes an object"),
            Bad("a: !special x", "1:4", "the tag '!special'"),
            Bad("a: !!int x", "1:4", "the tag '!!int'"),
            Bad("a: !!binary AAAA", "1:4", "the tag '!!binary'"),
            Bad("a: !!map [1]", "1:4", "the tag '!!map'"),
            Bad("a: !e!x 1", "1:4", "unknown tag"),
            Bad("a: \u{7}b", "1:4", "control character"),
            Bad("%YAML 3.0\n---\na: 1", "1:1", "not valid YAML"),
            Bad("a: 1\n---\nb: [", "3:5", "expected a value"),
            Bad("a: ${MISSING}", "1:4", "environment variable 'MISSING' is not set"),
        ])
    func refused(_ row: Bad) throws {
        let read = readYAML(row.yaml)
        let diagnostic = try #require(read.diagnostics.first)
        #expect(read.diagnostics.count == 1)
        #expect(diagnostic.severity == .error)
        #expect(diagnostic.message.contains(row.says), "\(diagnostic)")
        #expect(diagnostic.at == row.at, "\(diagnostic)")
    }

    @Test("a byte that is not UTF-8 is named with its line, also in UTF-16 texts")
    func notUTF8() throws {
        let broken = readYAML(Array("a: 1\nb: ä".utf8) + [0xFF, 0x0A])
        #expect(broken.diagnostics.map(\.at) == ["2:5"])
        #expect(broken.diagnostics.map(\.message) == ["this byte is not UTF-8"])
        #expect(readYAML([0xFF, 0xFE, 0x61, 0x00]).diagnostics.map(\.at) == ["1:1"])
        #expect(readYAML([0x61, 0x3A, 0x20, 0xE2, 0x82]).diagnostics.map(\.message) == ["this byte is not UTF-8"])
    }

    @Test("a byte order mark is no column")
    func byteOrderMark() throws {
        let read = readYAML([0xEF, 0xBB, 0xBF] + Array("a: 1".utf8))
        #expect(read.documents.first?["a"]?.keyStart.column == 1)
    }

    @Test("200 levels of nesting are read, 201 are refused")
    func depth() {
        let legal = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(readYAML(legal).diagnostics == [])
        let tooDeep = readYAML("[" + legal + "]")
        #expect(tooDeep.documents.isEmpty)
        #expect(tooDeep.diagnostics.map(\.message) == ["more than 200 levels of nesting"])
        let bomb = String(repeating: "- ", count: 100_000)
        #expect(readYAML(bomb).diagnostics.first?.message == "more than 200 levels of nesting")
    }

    @Test("nesting through aliases counts like nesting")
    func depthThroughAliases() {
        let half = String(repeating: "[", count: 120) + String(repeating: "]", count: 120)
        let read = readYAML(
            "a: &x \(half)\nb: \(String(repeating: "[", count: 90))*x\(String(repeating: "]", count: 90))")
        #expect(read.diagnostics.map(\.message) == ["more than 200 levels of nesting"])
    }

    @Test("aliases that multiply are refused before they fill the memory")
    func aliasBomb() {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 {
            let references = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(references)]\n"
        }
        let read = readYAML(bomb)
        #expect(read.documents.isEmpty)
        #expect(read.diagnostics.map(\.message) == ["aliases in this text stand for more than 100000 values"])
    }

    @Test("merge keys that multiply are refused as well")
    func mergeBomb() {
        let keys = (0..<1000).map { "k\($0): 1" }.joined(separator: ", ")
        let merges = Array(repeating: "*base", count: 200).joined(separator: ", ")
        let read = readYAML("a: &base {\(keys)}\nb: {<<: [\(merges)]}")
        #expect(read.diagnostics.first?.message == "aliases in this text stand for more than 100000 values")
    }

    @Test("a text over the size limit is refused; a huge scalar under it is read")
    func size() {
        var limits = YAMLLimits()
        limits.bytes = 1000
        let tooLarge = readYAML("a: " + String(repeating: "x", count: 998), limits: limits)
        #expect(tooLarge.diagnostics.map(\.message) == ["the file has 1001 bytes, more than the 1000 allowed"])
        let text = String(repeating: "x", count: 3_000_000)
        let huge = readYAML("a: \"\(text)\"")
        #expect(huge.diagnostics == [])
        #expect(huge.documents.first?["a"]?.value.scalar?.text.utf8.count == 3_000_000)
    }

    @Test("random damage to a text never traps")
    func fuzz() {
        let original = Array(
            "a: &x {k: 'v', \"q\\u00e4\": [1, ~, *x]}\nb: |\n  t ${A:1} $${B}\n<<: {c: !!str 1}\n---\n- >\n  f\n\n  g\n"
                .utf8)
        let alphabet = Array("&*![]{}:,-?|>'\"%@`#\n\t \\x$~<".utf8) + [0xFF, 0xC3, 0x00]
        var random = SeededRandom(seed: 20_240_601)
        for _ in 0..<5000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
                default: bytes[index] = alphabet.randomElement(using: &random) ?? 0
                }
            }
            let read = readYAML(bytes)
            for diagnostic in read.diagnostics { #expect(diagnostic.line >= 0) }
            _ = DiagnosticReport(read.diagnostics, fileCount: 1).text()
        }
    }
}

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
