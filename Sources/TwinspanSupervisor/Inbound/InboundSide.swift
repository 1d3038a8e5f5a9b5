// The inbound side of one connection, put together: the pipeline of its consumer and its inbox.
import TwinspanConnections
import TwinspanEngine
import TwinspanMapping
import TwinspanProtocol

/// Pipeline and inbox of one connection.
struct InboundSide {
    let pipeline: SourcePipeline
    let inbox: ConnectionInbox

    /// Makes both and starts nothing. Throws when a mapper cannot be made.
    init(
        _ connection: Connection, engine: TwinEngine, clock: any EngineClock, accounts: InboundAccounts,
        payloadBytesMax: Int, mappers: MapperRegistry, settings: InboxSettings
    ) throws(TwinspanError) {
        inbox = ConnectionInbox(
            of: connection.id, engine: engine, clock: clock, settings: settings, accounts: accounts
        ) { inbox throws(TwinspanError) in
            // Mappers are for one thread at a time, so the inbox has its own.
            let stages = try InboundStages(connection, payloadBytesMax: payloadBytesMax, mappers: mappers)
            return InboundCarrier(stages, engine: engine, clock: clock, accounts: accounts, inbox: inbox)
        }
        let stages = try InboundStages(connection, payloadBytesMax: payloadBytesMax, mappers: mappers)
        pipeline = SourcePipeline(
            InboundCarrier(stages, engine: engine, clock: clock, accounts: accounts, inbox: inbox))
    }
}
