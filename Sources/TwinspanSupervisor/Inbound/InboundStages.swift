// The stages between a broker's message and a signal, each a value in and a value or one typed error out, in the order
// of spec/connectivity.md §3.1. The source pipeline, the inbox and `twinspan map` all go through these and differ in
// what they do with the results.
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// Where a message is on its way. The raw value names the stage in logs and dead letters.
enum InboundStage: String, Sendable {
    case message, input, mapping, authorization, headers, acknowledgements, enforcement, signal, command, redelivery
}

/// One message in front of the stages.
struct InboundPassage {
    let source: CompiledSource
    let transport: TransportHeaders
    let payload: UnsafeRawBufferPointer
    let now: Timestamp
    /// What the enforcement compares; nil when the source enforces nothing.
    var enforced: String?

    init(
        _ source: CompiledSource, _ transport: TransportHeaders, payload: UnsafeRawBufferPointer, now: Timestamp
    ) {
        self.source = source
        self.transport = transport
        self.payload = payload
        self.now = now
    }
}

/// A signal in the making, with what the stages have found out so far.
struct SignalDraft {
    var envelope: Envelope
    /// The stage that has begun; after an error the one that has failed.
    var stage = InboundStage.authorization
    var context: AuthorizationContext?
    var thingID: ThingID?
    var policyID: PolicyID?
    /// The filter that has admitted the signal.
    var filter: PlaceholderTemplate?

    /// What a mapper has made, without what may not come in from outside.
    init(_ mapped: Envelope) {
        envelope = mapped
        envelope.headers = envelope.headers.acceptedFromOutside()
    }
}

/// The stages of one connection. For one thread at a time, because of the mappers.
struct InboundStages: Sendable {
    let connectionID: ConnectionID
    let sources: [CompiledSource]
    let limits: JSONLimits
    let isMQTT: Bool

    /// Headers of one signal, all together (spec/protocol.md §13).
    static let headerBytesMax = 5120

    /// Throws for a mapper that cannot be made.
    init(_ connection: Connection, payloadBytesMax: Int, mappers: MapperRegistry) throws(TwinspanError) {
        connectionID = connection.id
        var sources: [CompiledSource] = []
        for index in connection.sources.indices {
            sources.append(try CompiledSource(index, of: connection, registry: mappers))
        }
        self.sources = sources
        limits = JSONLimits(depth: JSONLimits.standard.depth, bytes: payloadBytesMax)
        isMQTT = connection.type == .mqtt || connection.type == .mqtt5
    }

    // MARK: The message

    /// Why a message does not even go to the mappers; nil when it does.
    func refusal(of passage: inout InboundPassage) -> (stage: InboundStage, error: TwinspanError)? {
        do throws(TwinspanError) {
            try checkSize(passage)
        } catch {
            return (.message, error)
        }
        do throws(TwinspanError) {
            try readInput(&passage)
        } catch {
            return (.input, error)
        }
        return nil
    }

    /// Throws `connectivity:message.mapping.failed` for a payload that is too large.
    func checkSize(_ passage: InboundPassage) throws(TwinspanError) {
        guard passage.payload.count <= limits.bytes else {
            throw GeneralErrorTable.mappingFailed.error(
                "The payload has \(passage.payload.count) bytes; \(limits.bytes) are allowed.")
        }
    }

    /// Resolves what the enforcement compares. Throws `placeholder:unresolved`.
    func readInput(_ passage: inout InboundPassage) throws(TwinspanError) {
        guard let enforcement = passage.source.source.enforcement else { return }
        guard let input = enforcement.input.resolve(resolver(passage)).first else {
            throw GeneralErrorTable.placeholderUnresolved.error(
                "The enforcement input '\(enforcement.input.text)' has no value for this message.")
        }
        passage.enforced = input
    }

    /// Gives the message to each mapper of its source.
    func map(
        _ passage: InboundPassage, scratch: inout [UInt8], _ body: (_ mapper: String, MapperChain.Inbound) -> Void
    ) {
        let scene = MappingScene(
            connectionID: connectionID, now: passage.now, subjects: passage.source.constantContext?.subjects ?? [],
            limits: limits)
        let message = InboundMessage(
            payload: passage.payload, headers: passage.transport.external,
            isBinary: passage.transport.message.isBinary)
        passage.source.mappers.inbound(message, scene, scratch: &scratch, body)
    }

    // MARK: The signal

    /// Takes a draft through the remaining stages. When one fails, the draft's `stage` says which.
    func signal(
        of draft: inout SignalDraft, _ passage: InboundPassage, ids: borrowing CorrelationIDs
    ) throws(TwinspanError) -> Signal {
        draft.context = try context(passage)
        draft.stage = .headers
        draft.thingID = try draft.envelope.topic.thingID
        mapHeaders(&draft, passage)
        // A signal without a correlation id gets one.
        if draft.envelope.headers[.correlationID] == nil {
            draft.envelope.headers.append(KnownHeader.correlationID.rawValue, .string(ids.next()))
        }
        if draft.envelope.headers.byteCount > Self.headerBytesMax { throw GeneralErrorTable.headersTooLarge.error() }
        if let requests = passage.source.source.acknowledgementRequests,
            AcknowledgementRequests.concern(draft.envelope)
        {
            draft.stage = .acknowledgements
            var headers = draft.envelope.headers
            try requests.ask(&headers, resolver(passage, draft))
            draft.envelope.headers = headers
        }
        if let input = passage.enforced {
            draft.stage = .enforcement
            try enforce(input, &draft, passage)
        }
        draft.stage = .signal
        return try Signal(draft.envelope)
    }

    private func context(_ passage: InboundPassage) throws(TwinspanError) -> AuthorizationContext {
        if let context = passage.source.constantContext { return context }
        var subjects: [String] = []
        for template in passage.source.source.authorizationContext {
            let values = template.resolve(resolver(passage))
            guard values.isResolved else {
                throw GeneralErrorTable.placeholderUnresolved.error(
                    "The subject '\(template.text)' of the authorization context has no value for this message.")
            }
            subjects.append(contentsOf: values.values)
        }
        return AuthorizationContext(subjects)
    }

    /// Mapped headers give way to those inside the message (§3.1, step 5c).
    func mapHeaders(_ draft: inout SignalDraft, _ passage: InboundPassage) {
        let mappings = passage.source.source.headerMapping
        guard !mappings.isEmpty else { return }
        let resolver = resolver(passage, draft)
        for mapping in mappings where draft.envelope.headers[mapping.name] == nil {
            guard let value = mapping.template.resolve(resolver).first,
                KnownHeader.named(mapping.name)?.isReadFromOutside ?? !KnownHeader.isBlocked(mapping.name)
            else { continue }
            draft.envelope.headers.append(mapping.name, .string(value))
        }
    }

    /// Throws `connectivity:connection.id.enforcement.failed`, or `placeholder:unresolved` when no filter has a value.
    private func enforce(
        _ input: String, _ draft: inout SignalDraft, _ passage: InboundPassage
    ) throws(TwinspanError) {
        let filters = passage.source.source.enforcement?.filters ?? []
        let topic = draft.envelope.topic
        if topic.group == .policies {
            // What is no id of a policy resolves to nothing, and fails below.
            draft.policyID = try? PolicyID(topic.entityID)
        }
        let hasEntity = draft.thingID != nil || draft.policyID != nil
        let resolver = resolver(passage, draft)
        var isAnyResolved = false
        // Whoever acts for no entity cannot be told from anybody else.
        for filter in filters where hasEntity {
            let values = filter.resolve(resolver)
            guard values.isResolved else { continue }
            isAnyResolved = true
            if values.values.contains(where: { $0.hasSameBytes(as: input) }) {
                draft.filter = filter
                return
            }
        }
        guard isAnyResolved || filters.isEmpty || !hasEntity else {
            throw GeneralErrorTable.placeholderUnresolved.error("No enforcement filter has a value for this message.")
        }
        throw GeneralErrorTable.enforcementFailed.error(
            "The message from '\(input.prefix(80))' may not act for '\(topic.entityID.prefix(80))'.")
    }

    // MARK: Errors

    /// What an error is answered with where the message could not be read: the headers that its transport and the
    /// header mapping give, and the thing that a header `device_id` names (§3.1.1).
    func answerable(
        _ topic: TopicPath?, _ headers: DittoHeaders, _ passage: InboundPassage
    ) -> (topic: TopicPath?, headers: DittoHeaders) {
        let unknown = TopicPath(
            namespace: "unknown", name: "unknown", group: .things, channel: .twin, criterion: .errors)
        var draft = SignalDraft(Envelope(topic: topic ?? unknown, headers: headers, path: .root))
        // A topic with no legal id is answered as it is.
        draft.thingID = try? topic?.thingID
        if topic == nil, let device = passage.transport.value("device_id"), let id = try? ThingID(device) {
            // An id that is none names nobody; then the answer is for `unknown`.
            draft.thingID = id
            draft.envelope.topic.namespace = id.namespace
            draft.envelope.topic.name = id.name
        }
        for header in [KnownHeader.correlationID, .replyTo, .responseRequired]
        where draft.envelope.headers[header] == nil {
            guard let value = passage.transport.value(header.rawValue) else { continue }
            draft.envelope.headers.append(header.rawValue, .string(value))
        }
        mapHeaders(&draft, passage)
        return (topic == nil && draft.thingID == nil ? nil : draft.envelope.topic, draft.envelope.headers)
    }

    private func resolver(_ passage: InboundPassage, _ draft: SignalDraft? = nil) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connectionID, now: passage.now)
        let transport = passage.transport
        resolver.header = { transport.value($0) }
        resolver.sourceAddress = transport.address
        resolver.topic = draft?.envelope.topic
        resolver.path = draft?.envelope.path
        resolver.thingID = draft?.thingID
        resolver.policyID = draft?.policyID
        resolver.subjects = draft?.context?.subjects ?? []
        return resolver
    }
}

extension TopicPath {
    /// The thing it names; nil for other entities and for several things at once. Throws `things:id.invalid`.
    var thingID: ThingID? {
        get throws(TwinspanError) {
            group == .things && name != "_" ? try ThingID(entityID) : nil
        }
    }
}
