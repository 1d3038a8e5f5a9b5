// A source made ready for its messages: what is constant is computed once.
import TwinspanConnections
import TwinspanExpressions
import TwinspanMapping
import TwinspanProtocol

/// A source with its mappers. A class, so that handing it to the stages costs one reference. Its mappers are for one
/// thread at a time.
final class CompiledSource: Sendable {
    let source: Source
    /// Counted from 0.
    let index: Int
    /// The context when none of its templates needs the message; nearly always.
    let constantContext: AuthorizationContext?
    let mappers: MapperChain
    /// Whether a message's address is needed as text at all.
    let readsAddress: Bool

    /// Throws for a mapper that cannot be made.
    init(_ index: Int, of connection: Connection, registry: MapperRegistry) throws(TwinspanError) {
        let source = connection.sources[index]
        self.source = source
        self.index = index
        let constants = source.authorizationContext.map(\.constant)
        constantContext = constants.contains(nil) ? nil : AuthorizationContext(constants.compactMap { $0 })
        mappers = try connection.mapperChain(source.payloadMapping, registry: registry)
        readsAddress =
            mappers.needsHeaders || source.enforcement != nil || !source.headerMapping.isEmpty
            || source.replyTarget != nil
            || source.acknowledgementRequests?.filter != nil || constantContext == nil
    }
}

extension Connection {
    /// The mappers of a `payloadMapping`.
    func mapperChain(_ names: [String], registry: MapperRegistry) throws(TwinspanError) -> MapperChain {
        let definitions = Dictionary(
            uniqueKeysWithValues: mappingDefinitions.map { name, definition in
                let made = MapperDefinition(
                    name: name, options: definition.options,
                    incomingConditions: definition.incomingConditions.map(\.expression),
                    outgoingConditions: definition.outgoingConditions.map(\.expression),
                    places: definition.places.mapValues { MapperDefinition.TextPlace(file: $0.file, line: $0.line) })
                return (name, (engine: definition.engine, definition: made))
            })
        return try MapperChain(names, definitions: definitions, registry: registry)
    }
}
