// A source made ready for its messages: what is constant is computed once.
import TwinspanConnections
import TwinspanExpressions
import TwinspanMapping
import TwinspanProtocol

struct CompiledSource: Sendable {
    let source: Source
    /// The context when none of its templates needs the message; nearly always.
    let constantContext: AuthorizationContext?
    let mappers: MapperChain
    /// Whether a message's address is needed as text at all.
    let readsAddress: Bool

    /// Throws for a mapper that cannot be made.
    init(_ source: Source, of connection: Connection, registry: MapperRegistry) throws(TwinspanError) {
        self.source = source
        let constants = source.authorizationContext.map(\.constant)
        constantContext = constants.contains(nil) ? nil : AuthorizationContext(constants.compactMap { $0 })
        mappers = try connection.mapperChain(source.payloadMapping, registry: registry)
        readsAddress =
            source.enforcement != nil || !source.headerMapping.isEmpty || source.replyTarget != nil
            || constantContext == nil
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
