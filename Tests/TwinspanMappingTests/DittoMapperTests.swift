import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper Ditto")
struct DittoMapperTests {
    private static func command(_ name: String) -> String {
        #"{"topic":"org.plant/\#(name)/things/twin/commands/modify","headers":{},"path":"/attributes/a","value":1}"#
    }

    @Test("it is built in under its name")
    func builtIn() {
        #expect(MapperRegistry.builtIn.engine(named: "Ditto") != nil)
        #expect(MapperRegistry.builtIn.engine(named: "ditto") == nil)
    }

    @Test("an array of envelopes gives one signal each, in their order")
    func array() throws {
        let rig = try MappingRig("Ditto")
        let payload = " \n[\(Self.command("a")), \(Self.command("b"))]"
        let expected = try ["a", "b"].map { try JSONValue.parse(Self.command($0)) }
        #expect(try rig.inbound(payload) == [.signals(expected)])
    }

    @Test("the limit of the chain is not that of arrays, which is 1,000")
    func arrayLimit() throws {
        let rig = try MappingRig("Ditto")
        let full = "[" + Array(repeating: Self.command("a"), count: 1000).joined(separator: ",") + "]"
        guard case .signals(let signals) = try rig.inbound(full)[0] else { return #expect(Bool(false)) }
        #expect(signals.count == 1000)
        let tooMany = "[" + Array(repeating: Self.command("a"), count: 1001).joined(separator: ",") + "]"
        let (mapped, error) = try rig.failures(Array(tooMany.utf8))[0]
        #expect(mapped == .failed(code: "connectivity:message.mapping.failed", status: 400))
        #expect(error?.message.contains("exceeded the limits") == true)
    }

    @Test("an empty array is dropped")
    func emptyArray() throws {
        #expect(try MappingRig("Ditto").inbound("[ ]") == [.dropped])
    }

    @Test(
        "what cannot be read fails with its code",
        arguments: [
            ("", "connectivity:message.mapping.failed"),
            ("{", "json.invalid"),
            ("7", "json.invalid"),
            (#"{"path":"/"}"#, "json.field.missing"),
            (#"{"topic":"org.plant/a/things/twin/commands/modify"}"#, "json.field.missing"),
            (#"{"topic":"a/b/c","path":"/"}"#, "protocoladapter:unknown.topicpath"),
            ("[", "json.invalid"),
            ("[1]", "json.invalid"),
            (#"[{"topic":"org.plant/a/things/twin/commands/modify"}]"#, "json.field.missing"),
            ("[[]]", "json.invalid"),
        ])
    func invalid(_ payload: String, _ code: String) throws {
        #expect(try MappingRig("Ditto").inbound(payload) == [.failed(code: code, status: 400)])
    }

    @Test("one broken element fails the message and is named")
    func brokenElement() throws {
        let payload = #"[\#(Self.command("a")),{"topic":"org.plant/b/things/twin/commands/modify"}]"#
        let (mapped, error) = try MappingRig("Ditto").failures(Array(payload.utf8))[0]
        #expect(mapped == .failed(code: "json.field.missing", status: 400))
        #expect(error?.message.hasPrefix("Element 1 of the array") == true)
    }

    @Test("outbound it is the envelope itself with its content type")
    func outbound() throws {
        let event =
            #"{"topic":"a/b/things/twin/events/modified","headers":{"correlation-id":"c-1"},"path":"/","value":{}}"#
        let message = try MappingRig("Ditto").message(event)
        #expect(message.payload == Array(event.utf8))
        #expect(message.header("content-type") == "application/vnd.eclipse.ditto+json")
        #expect(message.header("correlation-id") == "c-1")
    }
}
