// A source made ready for its messages: what is constant is computed once.
import TwinspanConnections
import TwinspanExpressions
import TwinspanMapping
import TwinspanProtocol

struct CompiledSource: Sendable {
    let source: Source
    /// The context when none of its templates needs the message; nearly always.
    let constantContext: AuthorizationContext?
    let mappers: [any PayloadMapper]
    /// Whether a message's address is needed as text at all.
    let readsAddress: Bool

    init(_ source: Source) {
        self.source = source
        let constants = source.authorizationContext.map(\.constant)
        constantContext = constants.contains(nil) ? nil : AuthorizationContext(constants.compactMap { $0 })
        let names = source.payloadMapping.isEmpty ? ["Ditto"] : source.payloadMapping
        mappers = names.compactMap { MapperRegistry.mapper(named: $0) }
        readsAddress =
            source.enforcement != nil || !source.headerMapping.isEmpty || source.replyTarget != nil
            || constantContext == nil
    }
}
