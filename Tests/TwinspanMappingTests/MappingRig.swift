// What the tests of mappers share: a scene with a fixed time, definitions from JSON, and results that can be compared.
import Testing
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// What came of one mapper for one message.
enum Mapped: Equatable {
    case signals([JSONValue])
    case dropped
    case failed(code: String, status: Int)
}

struct MappingRig {
    let chain: MapperChain
    var subjects: [String] = ["integration:test"]

    /// A chain of one mapper with options.
    init(_ engine: String, options: JSONObject = [:]) throws {
        let definition = MapperDefinition(name: "test", options: options)
        chain = try MapperChain(["test"], definitions: ["test": (engine, definition)])
    }

    init(_ chain: MapperChain) {
        self.chain = chain
    }

    var scene: MappingScene {
        get throws {
            // 2030-01-01T12:00:00Z
            MappingScene(
                connectionID: try ConnectionID("plant"), now: Timestamp(milliseconds: 1_893_499_200_000),
                subjects: subjects)
        }
    }

    /// All that comes of a message, mapper by mapper.
    func inbound(_ payload: [UInt8], _ headers: [String: String] = [:]) throws -> [Mapped] {
        try failures(payload, headers).map(\.0)
    }

    func inbound(_ payload: String, _ headers: [String: String] = [:]) throws -> [Mapped] {
        try inbound(Array(payload.utf8), headers)
    }

    /// The same with the error where there is one.
    func failures(_ payload: [UInt8], _ headers: [String: String] = [:]) throws -> [(Mapped, TwinspanError?)] {
        let external = ExternalHeaders(headers.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) })
        let scene = try scene
        var results: [(Mapped, TwinspanError?)] = []
        var scratch: [UInt8] = []
        payload.withUnsafeBytes { bytes in
            let message = InboundMessage(payload: bytes, headers: external)
            chain.inbound(message, scene, scratch: &scratch) { _, result in
                switch result {
                case .dropped, .signals(.none): results.append((.dropped, nil))
                case .signals(.one(let envelope)): results.append((.signals([Self.json(envelope)]), nil))
                case .signals(.many(let envelopes)): results.append((.signals(envelopes.map(Self.json)), nil))
                case .failed(let failure):
                    let mapped = Mapped.failed(code: failure.error.code, status: failure.error.status)
                    results.append((mapped, failure.error))
                }
            }
        }
        return results
    }

    /// What comes of a signal, mapper by mapper.
    func outbound(_ envelope: String) throws -> [Result<[MappedMessage], TwinspanError>] {
        let parsed = try Envelope.parse(Array(envelope.utf8))
        let signal = OutboundSignal(bytes: Array(envelope.utf8), correlationID: parsed.headers.correlationID)
        let scene = try scene
        var results: [Result<[MappedMessage], TwinspanError>] = []
        var resolver = SignalResolver(connectionID: scene.connectionID, now: scene.now)
        resolver.topic = parsed.topic
        resolver.header = { name in parsed.headers[name]?.string }
        chain.outbound(signal, scene, resolver: { resolver }) { results.append($1) }
        return results
    }

    /// The one message that comes of a signal.
    func message(_ envelope: String) throws -> MappedMessage {
        let messages = try #require(try outbound(envelope).first).get()
        #expect(messages.count == 1)
        return try #require(messages.first)
    }

    /// The error that comes of a signal.
    func outboundError(_ envelope: String) throws -> TwinspanError? {
        if case .failure(let error) = try outbound(envelope).first { return error }
        return nil
    }

    static func json(_ envelope: Envelope) -> JSONValue {
        JSONText(uncheckedBytes: envelope.bytes).value
    }
}

extension MappedMessage {
    var json: JSONValue? {
        get throws { try JSONValue.parse(payload) }
    }

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// The error of a definition that cannot be made; nil when it can.
func definitionError(_ engine: String, _ options: JSONObject) -> TwinspanError? {
    do throws(TwinspanError) {
        _ = try MapperRegistry.builtIn.engine(named: engine)?.make(MapperDefinition(name: "test", options: options))
        return nil
    } catch {
        return error
    }
}

/// Parses a literal of a test.
func object(_ text: String) throws -> JSONObject {
    try #require(try JSONValue.parse(text).object)
}
