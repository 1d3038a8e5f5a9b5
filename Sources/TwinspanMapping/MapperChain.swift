// The `payloadMapping` of a source, a target or a reply target made ready: decoders, conditions, block lists, limits
// and mappers in their order (spec/mapping.md §4).
public import TwinspanProtocol

/// The mappers of one place, in their order.
public struct MapperChain: Sendable {
    /// What came of one mapper for one message.
    public enum Inbound {
        case signals(MappedSignals)
        /// A condition, the block list or the mapper itself left the message out; why, for people.
        case dropped(String)
        case failed(MappingFailure)
    }

    private let mappers: [any PayloadMapper]

    /// Throws `connectivity:connection.configuration.invalid` for a name that leads to no mapper, and what a mapper
    /// says to its options.
    /// - Parameters:
    ///   - names: entries of `payloadMapping`; empty means `Ditto`.
    ///   - definitions: kind and definition by name.
    public init(
        _ names: [String], definitions: [String: (engine: String, definition: MapperDefinition)] = [:],
        registry: MapperRegistry = .builtIn
    ) throws(TwinspanError) {
        var mappers: [any PayloadMapper] = []
        for name in names.isEmpty ? ["Ditto"] : names {
            let (engineName, definition) = definitions[name] ?? (name, MapperDefinition(name: name))
            guard let engine = registry.engine(named: engineName) else {
                throw ConnectivityErrorTable.configurationInvalid.error("The mapper <\(name)> could not be loaded.")
            }
            if case .mapper(let mapper) = try engine.make(definition) { mappers.append(mapper) }
        }
        self.mappers = mappers
    }

    /// Whether every mapper takes microseconds only.
    public var isQuick: Bool { mappers.allSatisfy(\.isQuick) }

    /// Names of the mappers, for logs.
    public var names: [String] { mappers.map(\.name) }

    /// Gives a message to each mapper in turn.
    /// - Parameter body: called once per mapper with its name and what came of it.
    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8],
        _ body: (_ mapper: String, Inbound) -> Void
    ) {
        for mapper in mappers {
            do throws(MappingFailure) {
                switch try mapper.inbound(message, scene, scratch: &scratch) {
                case .none: body(mapper.name, .dropped("the mapper has made nothing of it"))
                case let signals: body(mapper.name, .signals(signals))
                }
            } catch {
                body(mapper.name, .failed(error))
            }
        }
    }

    /// Gives a signal to each mapper in turn.
    /// - Parameters:
    ///   - resolver: called when a condition needs it.
    ///   - body: called once per mapper with its name and the messages, none when the signal was left out.
    public func outbound(
        _ signal: OutboundSignal, _ scene: MappingScene, resolver: () -> SignalResolver,
        _ body: (_ mapper: String, Result<[MappedMessage], TwinspanError>) -> Void
    ) {
        for mapper in mappers {
            do throws(TwinspanError) {
                body(mapper.name, .success(try mapper.outbound(signal, scene)))
            } catch {
                body(mapper.name, .failure(error))
            }
        }
    }

    /// Gives a signal to one mapper only: answers go through the mapper that made the command (spec §4.4). Through the
    /// first when the name is nil or unknown.
    public func outbound(
        _ signal: OutboundSignal, through name: String?, _ scene: MappingScene, resolver: () -> SignalResolver
    ) throws(TwinspanError) -> [MappedMessage] {
        let mapper = mappers.first { $0.name == name } ?? mappers.first
        return try mapper?.outbound(signal, scene) ?? []
    }
}
