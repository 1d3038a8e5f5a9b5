import Glibc
import Testing
import TwinspanJSON
import TwinspanJavaScript
import TwinspanMapping
import TwinspanProtocol

/// Serialised, because what a script takes is measured on the whole process.
@Suite("failing scripts", .serialized)
struct ScriptFailureTests {
    static let failures: [(body: String, text: String)] = [
        ("throw new Error('no such valve')", "Error: no such valve (plant/incomingScript:3)"),
        ("throw 'just so'", "just so"),
        ("throw null", "null"),
        ("throw { toString() { throw 1 } }", "has no text"),
        ("throw Symbol('s')", "Symbol(s)"),
        ("throw new Error('a\\n\\u0007b')", "Error: a  b"),
        ("throw new Error('x'.repeat(100000))", "xxx…"),
        ("missing()", "ReferenceError: Can't find variable: missing (plant/incomingScript:3)"),
        ("JSON.parse('{')", "SyntaxError: JSON Parse error"),
        ("[1].forEach(() => { null.x })", "TypeError"),
        ("Ditto.stringToArrayBuffer(undefined)", "(plant/incomingScript:3)"),
        ("Ditto.asByteBuffer(new ArrayBuffer(1))", "bytebuffer.js, which is not included"),
        ("const f = () => f(); f()", "RangeError: Maximum call stack size exceeded."),
        ("return 'text'", #"mapToDittoProtocolMsg has returned the text "text", not an object"#),
        ("return 1", "has returned a number, not an object"),
        ("return true", "has returned a boolean, not an object"),
        ("return () => 1", "has returned a function, not an object"),
        ("return [[{}]]", "has returned an array, not an object"),
        ("return ['x']", "has returned the text \"x\", not an object"),
        ("return { then() {} }", "has returned a promise"),
        ("return Promise.resolve({})", "ReferenceError: Can't find variable: Promise"),
        ("queueMicrotask(() => 1)", "ReferenceError: Can't find variable: queueMicrotask"),
        ("return eval('1')", "ReferenceError: Can't find variable: eval"),
        ("return Function('return 1')()", "ReferenceError: Can't find variable: Function"),
        ("return (() => 1).constructor('return 1')", "is not a function"),
        ("return (function* () {}).constructor('return 1')", "is not a function"),
        ("return Array.fromAsync([])", "is not a function"),
        ("const a = {}; a.a = a; return a", "JSON.stringify cannot serialize cyclic structures"),
        ("return { toJSON() {} }", "an object without JSON"),
        ("return { value: 1n }", "TypeError"),
    ]

    @Test("a failure says what came, and the next message is mapped", arguments: failures)
    func failure(_ row: (body: String, text: String)) throws {
        let rig = try ScriptRig(
            incoming: """
                function mapToDittoProtocolMsg(headers, text) {
                  if (text === 'bad') {
                    \(row.body)
                  }
                  return { topic: 'n/t/things/twin/commands/retrieve', path: '/' };
                }
                """)
        for _ in 0..<2 {
            let error = try #require(ScriptRig.refusal { _ = try rig.inbound("bad") })
            #expect(error.code == "connectivity:message.mapping.failed" && error.status == 400)
            #expect(error.message.hasPrefix("The incoming script of the mapper 'plant' has failed: "))
            #expect(error.message.contains(row.text), "\(error.message)")
            #expect(error.message.utf8.count < 600 && !error.message.utf8.contains { $0 < 0x20 })
            #expect(try rig.inbound("good").count == 1)
        }
    }

    @Test(
        "a result that is no protocol message is refused as such",
        arguments: [
            ("{}", "json.field.missing"), ("{ topic: 'x', path: '/' }", "protocoladapter:unknown.topicpath"),
            ("{ toJSON() { return 1 } }", "json.invalid"),
        ])
    func nonsense(_ row: (result: String, code: String)) throws {
        let rig = try ScriptRig(incoming: "function mapToDittoProtocolMsg() { return \(row.result) }")
        #expect(ScriptRig.refusal { _ = try rig.inbound("") }?.code == row.code)
    }

    static let outgoing: [(result: String, text: String)] = [
        ("{}", "Neither <bytePayload> nor <textPayload> were defined in the outgoing script"),
        ("{ textPayload: null, bytePayload: undefined }", "Neither <bytePayload> nor <textPayload>"),
        ("[{ textPayload: 'a' }, {}]", "Neither <bytePayload> nor <textPayload>"),
        ("'text'", "mapFromDittoProtocolMsg has returned the text \"text\""),
        ("{ textPayload: {} }", "textPayload is an object, not a text"),
        ("{ bytePayload: 'abc' }", "bytePayload is the text \"abc\""),
        ("{ bytePayload: {} }", "bytePayload is an object"),
        ("{ bytePayload: [1, 'x'] }", "among its bytes"),
        ("unknown", "ReferenceError: Can't find variable: unknown (mappers/plant.js:41)"),
    ]

    @Test("an outgoing script fails with what is wrong", arguments: outgoing)
    func outgoingFailure(_ row: (result: String, text: String)) throws {
        let rig = try ScriptRig(
            outgoing: "function mapFromDittoProtocolMsg() {\n  return \(row.result);\n}",
            places: ["outgoingScript": .init(file: "mappers/plant.js", line: 40)])
        let error = try #require(ScriptRig.refusal { _ = try rig.outbound(IncomingScriptTests.event) })
        #expect(error.code == "connectivity:message.mapping.failed" && error.status == 400)
        #expect(error.message.contains(row.text), "\(error.message)")
    }

    @Test("what a script throws at its start is said with every message")
    func start() throws {
        let rig = try ScriptRig(incoming: "\nthrow new Error('no start')")
        for _ in 0..<2 {
            let error = ScriptRig.refusal { _ = try rig.inbound("") }
            #expect(error?.message.contains("no start (plant/incomingScript:2)") == true)
        }
    }

    static let bombs: [(body: String, text: String)] = [
        ("for (;;) {}", "Maximum execution time of <60>ms was exceeded."),
        ("for (;;) { try { for (;;) {} } finally { continue } }", "Maximum execution time of <60>ms"),
        ("for (;;) { try { for (;;) {} } catch (e) {} }", "Maximum execution time of <60>ms"),
        ("throw { toString() { for (;;) {} } }", "Maximum execution time of <60>ms"),
        ("return { toJSON() { for (;;) {} } }", "Maximum execution time of <60>ms"),
    ]

    @Test("a script without end is ended, and the next message is mapped", arguments: bombs)
    func endless(_ row: (body: String, text: String)) throws {
        let rig = try Self.bomb(row.body, limits: ScriptLimits(milliseconds: 60))
        for round in 1...2 {
            let error = try #require(ScriptRig.refusal { _ = try rig.inbound("bad") })
            #expect(error.code == "connectivity:message.mapping.failed" && error.status == 400)
            #expect(error.message.contains(row.text), "\(error.message)")
            // The same context goes on.
            #expect(try rig.value(of: "good")?.text == "\(round)")
        }
    }

    @Test(
        "a script that would do something later is refused with its line",
        arguments: [
            "(async () => { for (;;) await 0 })()", "async function f() {}", "class A { async f() {} }",
            "const f = [...async () => 1]", "import('x')", "const o = { async* g() {} }", "/* async */",
        ])
    func later(_ statement: String) throws {
        let error = try #require(ScriptRig.refusal { _ = try ScriptRig(incoming: "var a = 1;\n\(statement)") })
        #expect(error.code == "connectivity:message.mapper.config.failed" && error.status == 400)
        #expect(error.message.contains("(plant/incomingScript:2)"), "\(error.message)")
    }

    @Test(
        "words that only look like it are taken",
        arguments: ["o.async", "o['im' + 'port']", "o.$async", "o.important", "o.asyncs", "o.ünasync", "o.import"])
    func alike(_ expression: String) throws {
        let rig = try ScriptRig(incoming: "var o = {};\n" + ScriptRig.sending("String(\(expression))"))
        #expect(try rig.value(of: "x")?.text == #""undefined""#)
    }

    @Test("the standard limit is half a second")
    func standardLimit() throws {
        let rig = try Self.bomb("for (;;) {}", limits: .standard)
        let start = ContinuousClock.now
        let error = ScriptRig.refusal { _ = try rig.inbound("bad") }
        #expect(error?.message.contains("Maximum execution time of <500>ms was exceeded.") == true)
        #expect(ContinuousClock.now - start > .milliseconds(400))
    }

    @Test(
        "a script that fills the memory is ended, and the next message has a new context",
        arguments: [
            "const a = []; for (;;) a.push({ x: [1, 2, 3], y: 'z' + a.length })",
            "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
            "let s = 'x'; const a = []; for (let i = 0;; i++) a.push((s + i).repeat(100000))",
        ])
    func memory(_ body: String) throws {
        let rig = try Self.bomb(body, limits: ScriptLimits(milliseconds: 20_000, memoryBytes: 64 << 20))
        for _ in 1...2 {
            let error = try #require(ScriptRig.refusal { _ = try rig.inbound("bad") })
            #expect(error.code == "connectivity:message.mapping.failed" && error.status == 400)
            #expect(error.message.contains("more than 64 MB of memory"), "\(error.message)")
            #expect(try rig.value(of: "good")?.text == "1")
        }
    }

    @Test("a script that keeps more and more loses what it kept")
    func hoard() throws {
        let rig = try ScriptRig(
            incoming: "var kept = [], count = 0;\n"
                + ScriptRig.sending("(kept.push(new Uint8Array(200000).fill(1)), ++count)"),
            limits: ScriptLimits(memoryBytes: 32 << 20))
        var refusals: [String] = []
        for _ in 0..<800 {
            if let error = ScriptRig.refusal({ _ = try rig.inbound("") }) { refusals.append(error.message) }
        }
        #expect((1...5).contains(refusals.count), "\(refusals.count)")
        #expect(refusals.allSatisfy { $0.contains("keeps more than 32 MB in its globals") })
        #expect(try rig.inbound("").count == 1)
    }

    @Test("one operation of the engine is not ended, but its script is")
    func expression() throws {
        let rig = try Self.bomb(
            "/^(a+)+$/.test('a'.repeat(22) + 'b'); for (;;) {}", limits: ScriptLimits(milliseconds: 40))
        #expect(ScriptRig.refusal { _ = try rig.inbound("bad") }?.message.contains("<40>ms") == true)
        #expect(try rig.inbound("good").count == 1)
    }

    @Test("contexts give back what they took")
    func cycles() throws {
        func cycle() throws {
            let rig = try ScriptRig(incoming: ScriptRig.sending("t"))
            _ = try rig.inbound("x")
        }
        for _ in 0..<60 { try cycle() }
        let before = Self.residentBytes
        for _ in 0..<200 { try cycle() }
        #expect(Self.residentBytes - before < 24 << 20, "\((Self.residentBytes - before) >> 20) MB")
    }

    private static func bomb(_ body: String, limits: ScriptLimits) throws -> ScriptRig {
        try ScriptRig(
            incoming: """
                var count = 0;
                function mapToDittoProtocolMsg(headers, text) {
                  if (text === 'bad') { \(body) }
                  return { topic: 'n/t/things/twin/commands/modify', path: '/', value: ++count };
                }
                """, limits: limits)
    }

    private static var residentBytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 128)
        guard fgets(&text, 128, file) != nil else { return 0 }
        let line = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
