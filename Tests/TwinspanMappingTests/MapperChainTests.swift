import Testing
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// Makes as many signals and messages as its option says.
private struct ManyMapper: PayloadMapper {
    let name: String
    let count: Int

    static let engine = MapperEngine(name: "Many") { definition in
        .mapper(ManyMapper(name: definition.name, count: Int(definition.options["count"]?.int64 ?? 1)))
    }

    func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        let envelope = try Envelope.parse(Array(#"{"topic":"a/b/things/twin/commands/retrieve","path":"/"}"#.utf8))
        return .many(Array(repeating: envelope, count: count))
    }

    func outbound(_ signal: OutboundSignal, _ scene: MappingScene) -> [MappedMessage] {
        Array(repeating: MappedMessage(payload: [], headers: []), count: count)
    }
}

/// Gives the rest of the payload behind an `x`, and fails for everything else.
private struct CutDecoder: PayloadDecoder {
    let name: String

    static let engine = MapperEngine(name: "Cut") { definition in .decoder(CutDecoder(name: definition.name)) }

    func decode(_ message: InboundMessage) throws(TwinspanError) -> [UInt8] {
        guard message.payload.first == UInt8(ascii: "x") else { throw GeneralErrorTable.mappingFailed.error() }
        return Array(message.payload.dropFirst())
    }
}

@Suite("mapper chain")
struct MapperChainTests {
    private static let registry = MapperRegistry(
        engines: MapperRegistry.builtIn.engines + [ManyMapper.engine, CutDecoder.engine])
    private static let command = #"{"topic":"a/b/things/twin/commands/retrieve","path":"/"}"#
    private static let event = #"{"topic":"a/b/things/twin/events/modified","path":"/attributes/a","value":1}"#

    private static func rig(
        _ names: [String], _ definitions: [String: (String, JSONObject)] = [:],
        incoming: [String: [String]] = [:], outgoing: [String: [String]] = [:], messagesMax: Int = 10
    ) throws -> MappingRig {
        var made: [String: (engine: String, definition: MapperDefinition)] = [:]
        for (name, (engine, options)) in definitions {
            let definition = MapperDefinition(
                name: name, options: options,
                incomingConditions: try (incoming[name] ?? []).map {
                    try PipelineExpression.parse($0, scope: .mapperCondition)
                },
                outgoingConditions: try (outgoing[name] ?? []).map {
                    try PipelineExpression.parse($0, scope: .mapperCondition)
                })
            made[name] = (engine, definition)
        }
        return MappingRig(
            try MapperChain(names, definitions: made, registry: registry, messagesMax: messagesMax))
    }

    // MARK: Names

    @Test("no names mean Ditto, a definition comes before the built-in kind of its name")
    func resolution() throws {
        #expect(try Self.rig([]).chain.names == ["Ditto"])
        let rig = try Self.rig(["Ditto"], ["Ditto": ("Many", ["count": 2])])
        guard case .signals(let signals) = try rig.inbound("")[0] else { return #expect(Bool(false)) }
        #expect(signals.count == 2)
    }

    @Test(
        "a name that leads nowhere is a configuration error with the literal text",
        arguments: [
            ["nothing"], ["Ditto", "ditto"], ["ConnectionStatus"], ["ImplicitThingCreation"], ["Protobuf"], ["bad"],
        ])
    func unknownName(_ names: [String]) throws {
        do throws(TwinspanError) {
            let bad = (engine: "NoSuchKind", definition: MapperDefinition(name: "bad"))
            _ = try MapperChain(names, definitions: ["bad": bad])
            Issue.record("the chain was made")
        } catch {
            #expect(error.code == "connectivity:connection.configuration.invalid")
            #expect(error.status == 400)
            #expect(error.message == "The mapper <\(names[names.count - 1])> could not be loaded.")
            #expect(error.description?.contains("Defined: bad.") == true)
            #expect(error.description?.contains("Built in: Ditto, ") == true)
        }
    }

    @Test(
        "every kind checks the block list option",
        arguments: ["Ditto", "Normalized", "CloudEvents", "Cbor"])
    func blockListOption(_ engine: String) {
        let error = definitionError(engine, ["content-type-blocklist": ["a"]])
        #expect(error?.code == "connectivity:message.mapper.config.invalid")
        #expect(error?.status == 400)
        #expect(error?.message.contains("content-type-blocklist") == true)
    }

    // MARK: Conditions and block lists

    @Test(
        "an incoming condition must resolve; without a placeholder it begins with true",
        arguments: [
            ("fn:filter(header:kind,'eq','a')", true), ("fn:filter(header:kind,'eq','b')", false),
            ("header:kind", true), ("header:other", false), ("fn:delete()", false),
            ("fn:filter('eq','true')", true), ("fn:filter('eq','false')", false),
            ("thing:id", false), ("topic:full", false), ("header:kind | fn:filter('ne','a')", false),
        ])
    func incomingCondition(_ condition: String, _ holds: Bool) throws {
        let rig = try Self.rig(["d"], ["d": ("Ditto", [:])], incoming: ["d": [condition]])
        let mapped = try rig.inbound(Self.command, ["kind": "a"])
        #expect((mapped == [.dropped]) == !holds)
        #expect(try rig.outbound(Self.event).count == 1)
    }

    @Test("all conditions must hold")
    func allConditions() throws {
        let rig = try Self.rig(["d"], ["d": ("Ditto", [:])], incoming: ["d": ["header:a", "header:b"]])
        #expect(try rig.inbound(Self.command, ["a": "1"]) == [.dropped])
        #expect(try rig.inbound(Self.command, ["a": "1", "b": "2"]) != [.dropped])
    }

    @Test(
        "an outgoing condition sees the signal",
        arguments: [
            ("fn:filter(topic:action,'eq','modified')", 1), ("fn:filter(topic:action,'eq','created')", 0),
            ("header:absent", 0),
        ])
    func outgoingCondition(_ condition: String, _ count: Int) throws {
        let rig = try Self.rig(["d"], ["d": ("Ditto", [:])], outgoing: ["d": [condition]])
        #expect(try rig.outbound(Self.event).first?.get().count == count)
        let signal = OutboundSignal(bytes: Array(Self.event.utf8), correlationID: nil)
        var resolver = SignalResolver(connectionID: try ConnectionID("plant"), now: Timestamp(milliseconds: 0))
        resolver.topic = try TopicPath("a/b/things/twin/events/modified")
        #expect(try rig.chain.outbound(signal, through: "d", try rig.scene, resolver: { resolver }).count == count)
    }

    @Test(
        "content types are blocked by exact comparison, by the kind's list unless the option gives another",
        arguments: [
            (nil, "application/vnd.eclipse-hono-empty-notification", true),
            (nil, "application/vnd.eclipse-hono-delivery-failure-notification+json", true),
            (nil, "application/vnd.eclipse-hono-empty-notification;charset=utf-8", false),
            (nil, "application/json", false),
            ("a/b, c/d", "c/d", true), ("a/b, c/d", "C/D", false),
            ("a/b", "application/vnd.eclipse-hono-empty-notification", false),
            ("", "application/vnd.eclipse-hono-empty-notification", false),
        ] as [(String?, String, Bool)])
    func blockList(_ option: String?, _ contentType: String, _ isBlocked: Bool) throws {
        let options: JSONObject = option.map { ["content-type-blocklist": .string($0)] } ?? [:]
        let rig = try MappingRig("Ditto", options: options)
        #expect((try rig.inbound(Self.command, ["Content-Type": contentType]) == [.dropped]) == isBlocked)
    }

    // MARK: Several mappers and limits

    @Test("each mapper gets the original message, and one that fails does not stop the others")
    func independence() throws {
        let rig = try Self.rig(["Ditto", "many", "Normalized", "Ditto"], ["many": ("Many", ["count": 2])])
        let good = try rig.inbound(Self.command)
        #expect(good.count == 4)
        #expect(good[0] == good[3])
        #expect(good[2] == .dropped)
        let bad = try rig.inbound("{")
        #expect(bad[0] == .failed(code: "json.invalid", status: 400))
        #expect(bad[1] == good[1])
        #expect(bad[3] == bad[0])
    }

    @Test("a mapper that makes too much fails in both directions", arguments: [(10, 10), (11, 10), (3, 2), (0, 10)])
    func limit(_ count: Int, _ limit: Int) throws {
        let rig = try Self.rig(["m"], ["m": ("Many", ["count": .number(JSONNumber(count))])], messagesMax: limit)
        let (mapped, error) = try rig.failures([])[0]
        if count > limit {
            #expect(mapped == .failed(code: "connectivity:message.mapping.failed", status: 400))
            #expect(error?.message.contains("exceeded the limits") == true)
            let outbound = try rig.outboundError(Self.event)
            #expect(outbound?.message.contains("The number of messages produced by mapper") == true)
            #expect(outbound?.code == "connectivity:message.mapping.failed")
        } else {
            #expect(error == nil)
            #expect((mapped == .dropped) == (count == 0))
            #expect(try rig.outbound(Self.event)[0].get().count == count)
        }
    }

    @Test("answers go through the mapper of their command, else through the first")
    func through() throws {
        let rig = try Self.rig(["cut", "many", "Ditto"], ["many": ("Many", ["count": 3]), "cut": ("Cut", [:])])
        let signal = OutboundSignal(bytes: Array(Self.event.utf8), correlationID: nil)
        for (name, count) in [("Ditto", 1), ("many", 3), ("unknown", 3), (nil, 3)] as [(String?, Int)] {
            let resolver = SignalResolver(connectionID: try ConnectionID("plant"), now: Timestamp(milliseconds: 0))
            let messages = try rig.chain.outbound(signal, through: name, try rig.scene, resolver: { resolver })
            #expect(messages.count == count)
        }
    }

    // MARK: Decoders

    @Test("a decoder changes the message for those behind it only")
    func decoder() throws {
        let rig = try Self.rig(["Ditto", "cut", "Ditto", "CloudEvents"], ["cut": ("Cut", [:])])
        let mapped = try rig.inbound("x" + Self.command, ["content-type": "application/cloudevents+json"])
        #expect(mapped.count == 3)
        #expect(mapped[0] == .failed(code: "json.invalid", status: 400))
        #expect(mapped[1] == .signals([try JSONValue.parse(Self.command)]))
        // The content type is application/json now, so this is no CloudEvent any more.
        #expect(mapped[2] == .dropped)
    }

    @Test("behind the last decoder stands Ditto")
    func lastDecoder() throws {
        let rig = try Self.rig(["cut"], ["cut": ("Cut", [:])])
        #expect(rig.chain.names == ["Ditto"])
        #expect(try rig.inbound("x" + Self.command) == [.signals([try JSONValue.parse(Self.command)])])
        #expect(try rig.message(Self.event).payload == Array(Self.event.utf8))
    }

    @Test("a decoder that fails ends the chain")
    func failingDecoder() throws {
        let rig = try Self.rig(["cut", "Ditto", "many"], ["cut": ("Cut", [:]), "many": ("Many", [:])])
        #expect(try rig.inbound(Self.command) == [.failed(code: "connectivity:message.mapping.failed", status: 400)])
    }

    @Test("a decoder whose condition does not hold lets the message pass")
    func conditionalDecoder() throws {
        let rig = try Self.rig(
            ["cut"], ["cut": ("Cut", [:])], incoming: ["cut": ["fn:filter(header:content-type,'eq','text/cut')"]])
        #expect(try rig.inbound(Self.command) == [.signals([try JSONValue.parse(Self.command)])])
        #expect(
            try rig.inbound("x" + Self.command, ["content-type": "text/cut"])
                == [.signals([try JSONValue.parse(Self.command)])])
    }

    // MARK: What the pipeline may leave out

    @Test("external headers are needed when a mapper or a condition reads them")
    func needsHeaders() throws {
        #expect(try !Self.rig(["Ditto", "Normalized", "Cbor"]).chain.needsHeaders)
        #expect(try Self.rig(["RawMessage"]).chain.needsHeaders)
        #expect(try Self.rig(["d"], ["d": ("Ditto", [:])], incoming: ["d": ["header:a"]]).chain.needsHeaders)
        #expect(try !Self.rig(["d"], ["d": ("Ditto", [:])], outgoing: ["d": ["header:a"]]).chain.needsHeaders)
    }
}

@Suite("external headers")
struct ExternalHeadersTests {
    @Test("names are compared without regard to the case of ASCII letters")
    func names() {
        let headers = ExternalHeaders([(name: "Content-TYPE", value: "a"), (name: "X@", value: "b")])
        #expect(headers.value("content-type") == "a")
        #expect(headers.contentType == "a")
        #expect(headers.value("x@") == "b")
        // Upper case differs from lower case by one bit, and so does this character from '@'.
        #expect(headers.value("x`") == nil)
        #expect(headers.value("content-typ") == nil)
    }
}
