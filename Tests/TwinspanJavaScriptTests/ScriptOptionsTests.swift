import Testing
import TwinspanJSON
import TwinspanJavaScript
import TwinspanMapping
import TwinspanProtocol

@Suite("options of scripts")
struct ScriptOptionsTests {
    @Test("the kind is JavaScript and needs options")
    func kind() {
        #expect(JavaScriptMapper.engine.name == "JavaScript" && JavaScriptMapper.engine.needsOptions)
    }

    static let invalid: [(options: String, code: String, text: String)] = [
        (#"{"incomingScript":1}"#, "invalid", "'incomingScript' of the mapper 'plant' is not a text"),
        (#"{"outgoingScript":{}}"#, "invalid", "'outgoingScript' of the mapper 'plant' is not a text"),
        (#"{"outgoingScript":["a"]}"#, "invalid", "is not a text"),
        (
            #"{"incomingScript":"function ("}"#, "failed",
            "The incoming script of the mapper 'plant' is not valid: Syntax"
        ),
        (#"{"outgoingScript":"}"}"#, "failed", "The outgoing script of the mapper 'plant' is not valid: SyntaxError"),
        (#"{"incomingScript":"var a;\n\nlet b = ;"}"#, "failed", "(mappers/plant.js:14)"),
        (#"{"incomingScript":"let a = 1; let a = 2;"}"#, "failed", "(mappers/plant.js:12)"),
        (#"{"loadBytebufferJS":true}"#, "failed", "bytebuffer.js, which is not included"),
        (#"{"loadBytebufferJS":"true"}"#, "failed", "bytebuffer.js"),
        (#"{"loadLongJS":true,"incomingScript":""}"#, "failed", "long.js"),
    ]

    @Test("what cannot work is refused", arguments: invalid)
    func refused(_ row: (options: String, code: String, text: String)) throws {
        let options = try #require(try JSONValue.parse(Array(row.options.utf8)).object)
        let error = try #require(
            ScriptRig.refusal {
                _ = try JavaScriptMapper.engine.make(
                    MapperDefinition(
                        name: "plant", options: options,
                        places: ["incomingScript": .init(file: "mappers/plant.js", line: 12)]))
            })
        #expect(error.code == "connectivity:message.mapper.config.\(row.code)" && error.status == 400)
        #expect(error.message.contains(row.text), "\(error.message)")
    }

    static let valid = [
        "{}", #"{"incomingScript":null,"outgoingScript":""}"#, #"{"loadBytebufferJS":false,"loadLongJS":"false"}"#,
        #"{"unknown":[1],"incomingScript":"mapToDittoProtocolMsg = 1"}"#,
        #"{"incomingScript":"throw new Error('runs with the first message only')"}"#,
        #"{"incomingScript":"for (;;) {}"}"#,
    ]

    @Test("the rest is taken, and no script runs", arguments: valid)
    func taken(_ text: String) throws {
        let options = try #require(try JSONValue.parse(Array(text.utf8)).object)
        _ = try JavaScriptMapper.engine.make(MapperDefinition(name: "plant", options: options))
    }

    @Test("a script has at most 50000 characters")
    func size() throws {
        func script(_ length: Int) -> String { "//🙂" + String(repeating: "x", count: length - 4) }
        _ = try ScriptRig(incoming: script(50_000))
        for option in ["incomingScript", "outgoingScript"] {
            let error = ScriptRig.refusal { _ = try ScriptRig(options: [option: .string(script(50_001))]) }
            #expect(error?.code == "connectivity:message.mapper.config.failed" && error?.status == 400)
            #expect(error?.message.contains("script size of '\(option)'") == true)
        }
    }

    @Test("without the engine a script is refused with what to install, and nothing else is")
    func missing() throws {
        let engine = JavaScriptMapper.engine { () throws(TwinspanError) in
            try JavaScriptEngineLibrary(path: "libdoesnotexist.so.0")
        }
        let error = try #require(
            ScriptRig.refusal {
                _ = try engine.make(MapperDefinition(name: "plant", options: ["outgoingScript": "var a"]))
            })
        #expect(error.code == "connectivity:message.mapper.config.failed" && error.status == 400)
        #expect(error.message.contains("libdoesnotexist.so.0"))
        #expect(error.description?.contains("apt-get install libjavascriptcoregtk-4.1-0") == true)
        _ = try engine.make(MapperDefinition(name: "plant", options: JSONObject()))
    }

    @Test("a library without the functions is refused by the first one's name")
    func foreign() throws {
        let error = ScriptRig.refusal { _ = try JavaScriptEngineLibrary(path: "libc.so.6") }
        #expect(error?.message.contains("'libc.so.6' has no function JSContextGroupCreate") == true)
    }
}
