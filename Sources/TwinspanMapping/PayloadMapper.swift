// Between the bytes of a broker and Ditto Protocol messages (spec/mapping.md §4). One mapper per file; the registry
// is an explicit list, so that a newcomer sees at once what there is.
public import TwinspanJSON
public import TwinspanProtocol

/// A message from a broker on its way through the mappers. Valid only while its payload is.
public struct InboundMessage {
    public var payload: UnsafeRawBufferPointer
    public var headers: ExternalHeaders
    /// Whether the transport says that the payload is bytes and no text.
    public var isBinary: Bool

    public init(payload: UnsafeRawBufferPointer, headers: ExternalHeaders, isBinary: Bool = false) {
        self.payload = payload
        self.headers = headers
        self.isBinary = isBinary
    }
}

/// What a mapper may know beside the message.
public struct MappingScene: Sendable {
    public var connectionID: ConnectionID
    public var now: Timestamp
    /// The subjects of the source where they need no message; for `request:subjectId`.
    public var subjects: [String]
    public var limits: JSONLimits

    public init(
        connectionID: ConnectionID, now: Timestamp, subjects: [String] = [], limits: JSONLimits = .standard
    ) {
        self.connectionID = connectionID
        self.now = now
        self.subjects = subjects
        self.limits = limits
    }

    /// Resolves placeholders of inbound templates and conditions: external headers only (spec/mapping.md §2).
    public func resolver(_ headers: ExternalHeaders) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connectionID, now: now)
        resolver.header = { headers.value($0) }
        resolver.subjects = subjects
        return resolver
    }
}

/// What a mapper makes of one inbound message.
public enum MappedSignals: Sendable {
    /// The message is not for this mapper, or not for anyone.
    case none
    case one(Envelope)
    case many([Envelope])
}

/// A signal on its way to a broker.
public struct OutboundSignal: Sendable {
    /// The whole envelope, as subscribers get it, `extra` included.
    public let bytes: [UInt8]
    public let correlationID: String?

    public init(bytes: [UInt8], correlationID: String?) {
        self.bytes = bytes
        self.correlationID = correlationID
    }

    /// The envelope, read from its bytes: only mappers that change it pay for that.
    public func envelope() throws(TwinspanError) -> Envelope {
        var scratch: [UInt8] = []
        // What was written by us may be larger than what is taken from outside.
        let limits = JSONLimits(depth: JSONLimits.standard.depth, bytes: .max)
        let parsed = bytes.withUnsafeBytes { bytes -> Result<Envelope, MappingFailure> in
            do throws(MappingFailure) {
                return .success(try Envelope.parse(bytes, scratch: &scratch, limits: limits))
            } catch {
                return .failure(error)
            }
        }
        switch parsed {
        case .success(let envelope): return envelope
        case .failure(let failure): throw failure.error
        }
    }
}

/// What a mapper makes of one outbound signal: the body and headers for the transport.
public struct MappedMessage: Sendable {
    public var payload: [UInt8]
    /// Names in lower case.
    public var headers: [(name: String, value: String)]
    /// Whether the payload is bytes and no text, for transports that tell one from the other.
    public var isBinary: Bool
    public init(payload: [UInt8], headers: [(name: String, value: String)], isBinary: Bool = false) {
        self.payload = payload
        self.headers = headers
        self.isBinary = isBinary
    }
}

/// A message that could not be mapped, with what could be read of it.
public typealias MappingFailure = EnvelopeFailure

/// Maps payloads. One instance serves one direction of one connection; it is called by one thread at a time, not
/// always the same.
public protocol PayloadMapper: Sendable {
    /// The name under which `payloadMapping` finds it.
    var name: String { get }

    /// Whether a message takes microseconds. A slow mapper runs only on the pipeline's own thread.
    var isQuick: Bool { get }

    /// Whether inbound messages are mapped by their external headers, apart from `content-type`. Where nobody reads
    /// them, the pipeline need not make the address of an MQTT message into text.
    var readsHeaders: Bool { get }

    /// Whether it bounds the signals of one inbound message itself, so that the limit of the chain does not apply.
    var limitsSignals: Bool { get }

    /// Maps an inbound message. `scratch` is memory to be used again for the next message.
    func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals

    /// Maps an outbound signal; nothing when the signal is not for this mapper.
    func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage]
}

extension PayloadMapper {
    public var isQuick: Bool { true }
    public var readsHeaders: Bool { true }
    public var limitsSignals: Bool { false }
}

/// Makes JSON of another form for the mappers behind it in the same `payloadMapping`.
public protocol PayloadDecoder: Sendable {
    /// The name under which `payloadMapping` finds it.
    var name: String { get }

    /// The payload as JSON text. Throws `connectivity:message.mapping.failed` that says where the payload is broken.
    func decode(_ message: InboundMessage) throws(TwinspanError) -> [UInt8]
}
