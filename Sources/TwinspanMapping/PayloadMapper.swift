// Between the bytes of a broker and Ditto Protocol messages (spec/mapping.md §4). One mapper per file; the registry
// is an explicit list, so that a newcomer sees at once what there is.
public import TwinspanJSON
public import TwinspanProtocol

/// What a mapper makes of one inbound message.
public enum MappedSignals: Sendable {
    /// The message is not for this mapper, or not for anyone.
    case none
    case one(Envelope)
    case many([Envelope])
}

/// What a mapper makes of one outbound signal: the body and headers for the transport.
public struct MappedMessage: Sendable {
    public var payload: [UInt8]
    public var headers: [(name: String, value: String)]
    public init(payload: [UInt8], headers: [(name: String, value: String)]) {
        self.payload = payload
        self.headers = headers
    }
}

/// A message that could not be mapped, with what could be read of it.
public typealias MappingFailure = EnvelopeFailure

/// Maps payloads. Immutable, so one instance serves every thread.
public protocol PayloadMapper: Sendable {
    /// The name under which `payloadMapping` finds it.
    var name: String { get }

    /// Maps an inbound payload. `scratch` is memory to be used again for the next message.
    func inbound(
        _ payload: UnsafeRawBufferPointer, contentType: String?, scratch: inout [UInt8], limits: JSONLimits
    ) throws(MappingFailure) -> MappedSignals

    /// Maps an outbound signal, whose full envelope is given as bytes.
    func outbound(_ envelope: [UInt8], correlationID: String?) -> [MappedMessage]
}

/// The mappers of this version.
public enum MapperRegistry {
    /// Mappers that need no options, by their name.
    public static let builtIn: [any PayloadMapper] = [DittoMapper()]

    /// The mapper of a name, or nil.
    public static func mapper(named name: String) -> (any PayloadMapper)? {
        builtIn.first { $0.name == name }
    }
}
