// The way in: external message → enforcement input → mapper → authorisation → header mapping → enforcement → command →
// engine, in the order of spec/connectivity.md §3.1. Runs on the consumer session's thread, a batch at a time. Whatever
// happens to a message is counted once, with its reason.
import Logging
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// The inlet of one connection's consumer. Confined to the session's thread, except `settlement`.
final class SourcePipeline: Inlet, @unchecked Sendable {
    // Mutable state is touched by `accept` and `settled` only, which the session calls on its own thread.
    private let connection: Connection
    private let sources: [CompiledSource]
    private let engine: TwinEngine
    private let clock: any EngineClock
    private let counters: ConnectionCounters
    private let trouble: TroubleLog
    private let replies: ReplyPublisher?
    private let limits: JSONLimits
    private var scratch: [UInt8] = []
    private var correlationIDs: CorrelationIDs
    /// Changes of the batch whose commit is awaited.
    private var changesAwaited = 0

    /// Headers of one signal, all together (spec/protocol.md §13).
    static let headerBytesMax = 5120

    init(
        connection: Connection, engine: TwinEngine, clock: any EngineClock, counters: ConnectionCounters,
        trouble: TroubleLog, replies: ReplyPublisher?, payloadBytesMax: Int, mappers: MapperRegistry = .builtIn
    ) throws(TwinspanError) {
        self.connection = connection
        sources = try connection.sources.map { source throws(TwinspanError) in
            try CompiledSource(source, of: connection, registry: mappers)
        }
        self.engine = engine
        self.clock = clock
        self.counters = counters
        self.trouble = trouble
        self.replies = replies
        limits = JSONLimits(depth: JSONLimits.standard.depth, bytes: payloadBytesMax)
        correlationIDs = CorrelationIDs()
    }

    var batchLimits: (messages: Int, bytes: Int) { (400, 4 << 20) }

    func accept(_ batch: MessageBatch) -> Ticket {
        counters.add(.received, batch.count)
        counters.setInFlight(batch.count)
        var tally = BatchTally()
        batch.bytes.withUnsafeBytes { bytes in
            for message in batch.messages { process(message, batch, bytes, &tally) }
        }
        counters.add(.mapped, tally.mapped)
        counters.add(.unchanged, tally.unchanged)
        changesAwaited = tally.committed
        // While the store is closed nothing was judged: the whole batch goes back to the broker.
        return tally.isRefused
            ? Ticket(sequence: .max, epoch: -1)
            : Ticket(sequence: tally.sequence, epoch: tally.epoch ?? engine.gate.epoch)
    }

    func settlement(of ticket: Ticket, patience: Duration) -> Settlement {
        switch engine.commit(CommitTicket(sequence: ticket.sequence, epoch: ticket.epoch), patience: patience) {
        case .committed: .committed
        case .pending: .pending
        case .rejected: .rejected
        }
    }

    func settled(_ batch: MessageBatch, as settlement: Settlement) {
        counters.setInFlight(0)
        switch settlement {
        case .committed:
            counters.add(.committed, changesAwaited)
            counters.add(.acknowledged, batch.count)
        case .rejected, .pending: counters.add(.retried, .inbound, reason: "store", batch.count)
        }
    }

    /// What a batch comes to.
    private struct BatchTally {
        var mapped = 0
        var committed = 0
        var unchanged = 0
        var sequence: Int64 = 0
        /// The epoch of all tickets; nil while there is none.
        var epoch: Int64?
        var isRefused = false

        /// A commit that failed between two messages has rejected the first, though the second may be committed with
        /// the same sequence: then the batch goes back as a whole.
        mutating func note(_ ticket: CommitTicket) {
            if let epoch, epoch != ticket.epoch { isRefused = true }
            epoch = ticket.epoch
            sequence = max(sequence, ticket.sequence)
        }
    }

    // MARK: One message

    private func process(
        _ message: MessageBatch.Message, _ batch: MessageBatch, _ bytes: UnsafeRawBufferPointer,
        _ tally: inout BatchTally
    ) {
        let source = sources[message.source]
        let address = source.readsAddress ? batch.address(of: message) : ""
        let transport = TransportHeaders(message: message, address: address)
        let payload = UnsafeRawBufferPointer(rebasing: bytes[message.payload])
        guard payload.count <= limits.bytes else {
            return refuse(
                GeneralErrorTable.mappingFailed.error(
                    "The payload has \(payload.count) bytes; \(limits.bytes) are allowed."),
                stage: "too-large", source, transport, nil, DittoHeaders())
        }
        var enforced: String?
        if let enforcement = source.source.enforcement {
            guard let input = enforcement.input.resolve(resolver(transport, nil)).first else {
                return refuse(
                    GeneralErrorTable.placeholderUnresolved.error(
                        "The enforcement input '\(enforcement.input.text)' has no value for this message."),
                    stage: "enforcement", source, transport, nil, DittoHeaders())
            }
            enforced = input
        }
        let scene = MappingScene(connectionID: connection.id, now: clock.now, limits: limits)
        let inbound = InboundMessage(payload: payload, headers: transport.external)
        source.mappers.inbound(inbound, scene, scratch: &scratch) { _, result in
            switch result {
            case .dropped, .signals(.none): counters.add(.dropped, .inbound, reason: "mapper")
            case .signals(.one(let envelope)): run(envelope, source, transport, enforced, &tally)
            case .signals(.many(let envelopes)):
                for envelope in envelopes { run(envelope, source, transport, enforced, &tally) }
            case .failed(let failure):
                refuse(failure.error, stage: "mapping", source, transport, failure.topic, failure.headers)
            }
        }
    }

    private func run(
        _ mapped: Envelope, _ source: CompiledSource, _ transport: TransportHeaders, _ enforced: String?,
        _ tally: inout BatchTally
    ) {
        var envelope = mapped
        envelope.headers = envelope.headers.acceptedFromOutside()
        tally.mapped += 1
        do throws(TwinspanError) {
            let context = try self.context(source, transport)
            let thingID = try envelope.topic.thingID
            mapHeaders(&envelope, source, transport, thingID)
            if envelope.headers.byteCount > Self.headerBytesMax { throw GeneralErrorTable.headersTooLarge.error() }
            if let enforced { try enforce(source, enforced, envelope, transport, thingID) }
            let signal = try Signal(envelope)
            guard case .thingCommand(let command) = signal, command.isPlain else {
                return serve(signal, as: context, source, transport, envelope, &tally)
            }
            let outcome = engine.execute(command, as: context, origin: connection.id)
            tally.note(outcome.ticket)
            switch outcome.result {
            case .success(let response):
                if command.isModifying { tally.committed += 1 } else { tally.unchanged += 1 }
                if command.headers.isResponseRequired {
                    reply(command.envelope(of: response), .response, outcome.ticket, transport, envelope)
                }
            case .failure(let error):
                if error.code == ThingErrorTable.unavailable.code {
                    tally.isRefused = true
                    return
                }
                refuse(error, stage: "command", source, transport, envelope.topic, envelope.headers, outcome.ticket)
            }
        } catch {
            refuse(error, stage: "signal", source, transport, envelope.topic, envelope.headers)
        }
    }

    /// Everything but plain twin commands: what it comes to is known later, on any thread, and never before the commit.
    /// The message itself waits for that commit alone.
    private func serve(
        _ signal: Signal, as context: AuthorizationContext, _ source: CompiledSource, _ transport: TransportHeaders,
        _ envelope: Envelope, _ tally: inout BatchTally
    ) {
        let responder = LiveResponder(connection.id, kind: .connection)
        let ticket = engine.serve(
            signal, as: context, from: responder,
            ended: { [self] end in
                // The message comes again, so it has not ended here.
                if end.failure?.status == 503 { return }
                if let failure = end.failure {
                    count(failure, stage: "signal", transport, envelope.headers)
                } else if let fate = end.fate, fate != .counted {
                    counters.add(.dropped, .inbound, reason: fate.reason)
                } else {
                    counters.add(.served)
                }
                guard let answer = end.envelope else { return }
                let type: ReplyTarget.ResponseType = end.failure == nil ? .response : .error
                reply(answer, type, nil, transport, envelope)
            })
        tally.note(ticket)
    }

    private func context(
        _ source: CompiledSource, _ transport: TransportHeaders
    ) throws(TwinspanError) -> AuthorizationContext {
        if let context = source.constantContext { return context }
        var subjects: [String] = []
        for template in source.source.authorizationContext {
            let values = template.resolve(resolver(transport, nil))
            guard values.isResolved else {
                throw GeneralErrorTable.placeholderUnresolved.error(
                    "The subject '\(template.text)' of the authorization context has no value for this message.")
            }
            subjects.append(contentsOf: values.values)
        }
        return AuthorizationContext(subjects)
    }

    /// Mapped headers give way to those inside the message (§3.1, step 5c). A signal without a correlation id gets one.
    private func mapHeaders(
        _ envelope: inout Envelope, _ source: CompiledSource, _ transport: TransportHeaders, _ thingID: ThingID?
    ) {
        if !source.source.headerMapping.isEmpty {
            let resolver = resolver(transport, envelope, thingID)
            for mapping in source.source.headerMapping where envelope.headers[mapping.name] == nil {
                guard let value = mapping.template.resolve(resolver).first,
                    KnownHeader.named(mapping.name)?.isReadFromOutside ?? !KnownHeader.isBlocked(mapping.name)
                else { continue }
                envelope.headers.append(mapping.name, .string(value))
            }
        }
        if envelope.headers[.correlationID] == nil {
            envelope.headers.append(KnownHeader.correlationID.rawValue, .string(correlationIDs.next()))
        }
    }

    private func enforce(
        _ source: CompiledSource, _ input: String, _ envelope: Envelope, _ transport: TransportHeaders,
        _ thingID: ThingID?
    ) throws(TwinspanError) {
        guard let enforcement = source.source.enforcement else { return }
        let resolver = resolver(transport, envelope, thingID)
        var isAnyResolved = false
        for filter in enforcement.filters {
            let values = filter.resolve(resolver)
            guard values.isResolved else { continue }
            isAnyResolved = true
            if values.values.contains(where: { $0.hasSameBytes(as: input) }) { return }
        }
        guard isAnyResolved || enforcement.filters.isEmpty else {
            throw GeneralErrorTable.placeholderUnresolved.error("No enforcement filter has a value for this message.")
        }
        throw GeneralErrorTable.enforcementFailed.error(
            "The message from '\(input.prefix(80))' may not act for '\(envelope.topic.entityID.prefix(80))'.")
    }

    // MARK: Ends

    /// Ends a message that can never succeed: counted, logged, answered where the source asks for it. It is settled
    /// like a success. Its place among the dead letters is here; they come with the connectivity issue.
    private func refuse(
        _ error: TwinspanError, stage: String, _ source: CompiledSource, _ transport: TransportHeaders,
        _ topic: TopicPath?, _ headers: DittoHeaders, _ ticket: CommitTicket? = nil
    ) {
        count(error, stage: stage, transport, headers)
        guard headers.isResponseRequired else { return }
        let envelope = error.envelope(topic: topic, headers: headers)
        reply(envelope, .error, ticket, transport, nil)
    }

    private func count(_ error: TwinspanError, stage: String, _ transport: TransportHeaders, _ headers: DittoHeaders) {
        let isDenial =
            error.status == 403 || error.code == GeneralErrorTable.enforcementFailed.code
            || error.code == GeneralErrorTable.placeholderUnresolved.code
        counters.add(isDenial ? .denied : .dropped, .inbound, reason: error.code)
        trouble.warn(
            "message refused", reason: error.code,
            [
                "stage": "\(stage)", "address": "\(transport.address.prefix(120))", "error": "\(error.message)",
                "correlation.id": "\(headers.correlationID ?? "none")",
            ])
    }

    private func reply(
        _ answer: Envelope, _ type: ReplyTarget.ResponseType, _ ticket: CommitTicket?, _ transport: TransportHeaders,
        _ command: Envelope?
    ) {
        replies?.publish(
            Answer(
                envelope: answer, type: type, source: transport.message.source, mapper: nil,
                commandHeaders: command?.headers ?? DittoHeaders()), after: ticket)
    }

    private func resolver(
        _ transport: TransportHeaders, _ envelope: Envelope?, _ thingID: ThingID? = nil
    ) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connection.id, now: clock.now)
        resolver.header = { transport.value($0) }
        resolver.sourceAddress = transport.address
        resolver.topic = envelope?.topic
        resolver.path = envelope?.path
        resolver.thingID = thingID
        return resolver
    }
}

extension TopicPath {
    /// The thing it names; nil for other entities and for several things at once. Throws `things:id.invalid`.
    var thingID: ThingID? {
        get throws(TwinspanError) { group == .things && name != "_" ? try ThingID(entityID) : nil }
    }
}

extension ThingCommand {
    /// Whether it is for the twin and asks for nothing but its answer.
    fileprivate var isPlain: Bool {
        channel == .twin && headers[.requestedAcks] == nil && headers[.liveChannelCondition] == nil
    }
}

extension AnswerFate {
    /// The word in counters.
    fileprivate var reason: String {
        switch self {
        case .counted: "counted"
        case .unknown: "nobody-waits"
        case .duplicate: "answered-before"
        case .notRequested: "not-requested"
        case .invalid: "unfit-answer"
        }
    }
}

/// The headers of the transport; those of MQTT are made from the message when they are asked for.
struct TransportHeaders {
    let message: MessageBatch.Message
    let address: String

    var external: ExternalHeaders {
        ExternalHeaders(
            message.headers,
            mqtt: ExternalHeaders.MQTT(topic: address, qos: message.qos, isRetained: message.isRetained))
    }

    func value(_ name: String) -> String? {
        switch name {
        case "mqtt.topic": address
        case "mqtt.qos": String(message.qos)
        case "mqtt.retain": message.isRetained ? "true" : "false"
        default:
            message.headers.isEmpty ? nil : message.headers.first { $0.name.lowercased() == name }?.value
        }
    }
}
