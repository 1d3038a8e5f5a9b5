// What the source pipeline would make of one message, step by step, without a broker, an engine or a store: the ground
// of `twinspan map`. It goes through the steps of `SourcePipeline` in their order and shares what they are made of
// (`CompiledSource`, `SignalResolver`); a step changed there has to change here.
import Glibc
public import TwinspanConnections
public import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
public import TwinspanMapping
public import TwinspanProtocol

/// The steps of one inbound message with their results.
public struct MessageTrace: Sendable {
    /// The steps, in the order in which they are taken.
    public enum StepKind: String, Sendable {
        case message, mapped, authorised, headers, enforced, command
    }

    /// One step. A message that becomes several signals repeats the steps after `mapped` for each of them.
    public struct Step: Sendable {
        public let kind: StepKind
        /// The result in one line, or of a failed step where it failed.
        public let text: String
        /// More lines about the result.
        public let details: [String]
        /// How long the step took; nil where that means nothing.
        public let duration: Duration?
        /// Why the step failed; no step of the same signal follows.
        public let failure: TwinspanError?
        /// The Ditto Protocol message that reports the failure, whether or not somebody asked for it.
        public let answer: Envelope?
        /// Whether the source would send the answer: the message asks for one and the source has a reply target.
        public let isAnswered: Bool
    }

    public private(set) var steps: [Step] = []
    /// The commands that would go to the engine, e.g. `modify org.plant:pump-7`.
    public private(set) var commands: [String] = []

    /// Whether no step failed. A mapper that drops the message is no failure.
    public var isSuccess: Bool { steps.allSatisfy { $0.failure == nil } }

    /// Takes a message through the pipeline of a source.
    ///
    /// - Parameters:
    ///   - payload: the message's bytes.
    ///   - address: where it was published; for MQTT the topic.
    ///   - qos: the quality of service it would arrive with, 0…2.
    ///   - sourceIndex: counted from 0; must be one of the connection's sources.
    ///   - payloadBytesMax: the greatest payload the pipeline takes.
    public init(
        payload: [UInt8], address: String, qos: UInt8, connection: Connection, sourceIndex: Int,
        clock: any EngineClock, payloadBytesMax: Int = 1 << 20, mappers: MapperRegistry = .builtIn
    ) throws(TwinspanError) {
        let batch = MessageBatch()
        var addressText = address
        addressText.withUTF8 { addressBytes in
            payload.withUnsafeBytes { payloadBytes in
                batch.append(
                    address: UnsafeRawBufferPointer(addressBytes), payload: payloadBytes, source: sourceIndex, qos: qos,
                    isRetained: false)
            }
        }
        let tracer = Tracer(
            source: try CompiledSource(connection.sources[sourceIndex], of: connection, registry: mappers),
            connectionID: connection.id, clock: clock,
            transport: TransportHeaders(message: batch.messages[0], address: address))
        note(.message, "\(address), \(payload.count) bytes, qos \(qos)")
        do throws(TwinspanError) {
            guard payload.count <= payloadBytesMax else {
                throw GeneralErrorTable.mappingFailed.error(
                    "The payload has \(payload.count) bytes; \(payloadBytesMax) are allowed.")
            }
            let input = try tracer.enforcementInput()
            let limits = JSONLimits(depth: JSONLimits.standard.depth, bytes: payloadBytesMax)
            map(payload, limits, input, tracer)
        } catch {
            fail(.message, "not taken", error, nil, DittoHeaders(), tracer)
        }
    }

    private mutating func map(_ payload: [UInt8], _ limits: JSONLimits, _ input: String?, _ tracer: Tracer) {
        var scratch: [UInt8] = []
        var start = tracer.clock.monotonic
        let scene = MappingScene(connectionID: tracer.connectionID, now: tracer.clock.now, limits: limits)
        payload.withUnsafeBytes { bytes in
            let message = InboundMessage(payload: bytes, headers: tracer.transport.external)
            tracer.source.mappers.inbound(message, scene, scratch: &scratch) { mapper, result in
                let duration = Duration.nanoseconds(Int64(clamping: tracer.clock.monotonic &- start))
                follow(mapper, result, duration, input, tracer)
                start = tracer.clock.monotonic
            }
        }
    }

    /// What one mapper has made.
    private mutating func follow(
        _ mapper: String, _ result: MapperChain.Inbound, _ duration: Duration, _ input: String?, _ tracer: Tracer
    ) {
        let envelopes: [Envelope]
        switch result {
        case .failed(let failure):
            return fail(.mapped, mapper, failure.error, failure.topic, failure.headers, tracer)
        case .dropped(let reason):
            return note(.mapped, "\(mapper) → dropped: \(reason)", duration: duration)
        case .signals(.none): envelopes = []
        case .signals(.one(let envelope)): envelopes = [envelope]
        case .signals(.many(let several)): envelopes = several
        }
        let noun = envelopes.count == 1 ? "message" : "messages"
        note(
            .mapped, "\(mapper) → \(envelopes.count) \(noun)", details: envelopes.map(Self.summary),
            duration: duration)
        for envelope in envelopes { follow(envelope, input, tracer) }
    }

    /// The steps of one signal.
    private mutating func follow(_ mapped: Envelope, _ input: String?, _ tracer: Tracer) {
        var envelope = mapped
        envelope.headers = envelope.headers.acceptedFromOutside()
        var kind = StepKind.authorised
        do throws(TwinspanError) {
            let subjects = try tracer.subjects()
            note(.authorised, "as \(subjects.joined(separator: ", "))")
            kind = .headers
            let thingID = try envelope.topic.thingID
            tracer.mapHeaders(&envelope, thingID)
            guard envelope.headers.byteCount <= SourcePipeline.headerBytesMax else {
                throw GeneralErrorTable.headersTooLarge.error()
            }
            note(.headers, Self.summary(envelope.headers))
            kind = .enforced
            if let input {
                note(.enforced, "'\(input)' matches \(try tracer.matchingFilter(input, envelope, thingID))")
            } else {
                note(.enforced, "not asked for by this source")
            }
            kind = .command
            let signal = try Signal(envelope)
            try signal.checkIsAcceptedFromOutside()
            try SignalCheck.check(signal)
            commands.append(Self.summary(signal))
        } catch {
            fail(kind, envelope.topic.text, error, envelope.topic, envelope.headers, tracer)
        }
    }

    private mutating func note(_ kind: StepKind, _ text: String, details: [String] = [], duration: Duration? = nil) {
        steps.append(
            Step(
                kind: kind, text: text, details: details, duration: duration, failure: nil, answer: nil,
                isAnswered: false))
    }

    private mutating func fail(
        _ kind: StepKind, _ place: String, _ error: TwinspanError, _ topic: TopicPath?, _ headers: DittoHeaders,
        _ tracer: Tracer
    ) {
        let expectsErrors = tracer.source.source.replyTarget?.expectedResponseTypes.contains(.error) ?? false
        steps.append(
            Step(
                kind: kind, text: place, details: [], duration: nil, failure: error,
                answer: error.envelope(topic: topic, headers: headers),
                isAnswered: expectsErrors && headers.isResponseRequired))
    }

    private static func summary(_ envelope: Envelope) -> String {
        let value = envelope.value.map { " = \(shortened(String(decoding: $0.bytes, as: UTF8.self)))" } ?? ""
        return "\(envelope.topic.text)  \(envelope.path)\(value)"
    }

    /// The signal in two or three words, e.g. `modify org.plant:pump-7`.
    private static func summary(_ signal: Signal) -> String {
        if case .thingCommand(let command) = signal, command.channel == .twin {
            return "\(command.action) \(command.thingID)"
        }
        let topic = signal.envelope.topic
        let channel = topic.channel.map { "\($0.rawValue) " } ?? ""
        return "\(topic.group.rawValue) \(channel)\(topic.criterion.text) of \(topic.entityID)"
    }

    private static func summary(_ headers: DittoHeaders) -> String {
        headers.entries.map { "\($0.name) \(shortened($0.value.string ?? $0.value.text))" }.joined(separator: "  ")
    }

    private static func shortened(_ text: String) -> String {
        text.count <= 60 ? text : text.prefix(57) + "…"
    }
}

/// One message on its way, with what its steps need.
private struct Tracer {
    let source: CompiledSource
    let connectionID: ConnectionID
    let clock: any EngineClock
    let transport: TransportHeaders

    /// What the enforcement compares; nil when the source enforces nothing.
    func enforcementInput() throws(TwinspanError) -> String? {
        guard let enforcement = source.source.enforcement else { return nil }
        guard let input = enforcement.input.resolve(resolver(nil, nil)).first else {
            throw GeneralErrorTable.placeholderUnresolved.error(
                "The enforcement input '\(enforcement.input.text)' has no value for this message.")
        }
        return input
    }

    func subjects() throws(TwinspanError) -> [String] {
        if let context = source.constantContext { return context.subjects }
        var subjects: [String] = []
        for template in source.source.authorizationContext {
            let values = template.resolve(resolver(nil, nil))
            guard values.isResolved else {
                throw GeneralErrorTable.placeholderUnresolved.error(
                    "The subject '\(template.text)' of the authorization context has no value for this message.")
            }
            subjects.append(contentsOf: values.values)
        }
        return subjects
    }

    func mapHeaders(_ envelope: inout Envelope, _ thingID: ThingID?) {
        let resolver = resolver(envelope, thingID)
        for mapping in source.source.headerMapping where envelope.headers[mapping.name] == nil {
            guard let value = mapping.template.resolve(resolver).first,
                KnownHeader.named(mapping.name)?.isReadFromOutside ?? !KnownHeader.isBlocked(mapping.name)
            else { continue }
            envelope.headers.append(mapping.name, .string(value))
        }
        guard envelope.headers[.correlationID] == nil else { return }
        var ids = CorrelationIDs()
        envelope.headers.append(KnownHeader.correlationID.rawValue, .string(ids.next()))
    }

    /// The text of the filter that admits the message.
    func matchingFilter(_ input: String, _ envelope: Envelope, _ thingID: ThingID?) throws(TwinspanError) -> String {
        let filters = source.source.enforcement?.filters ?? []
        let resolver = resolver(envelope, thingID)
        var isAnyResolved = false
        for filter in filters {
            let values = filter.resolve(resolver)
            guard values.isResolved else { continue }
            isAnyResolved = true
            if values.values.contains(where: { $0.hasSameBytes(as: input) }) { return filter.text }
        }
        guard isAnyResolved || filters.isEmpty else {
            throw GeneralErrorTable.placeholderUnresolved.error("No enforcement filter has a value for this message.")
        }
        throw GeneralErrorTable.enforcementFailed.error(
            "The message from '\(input.prefix(80))' may not act for '\(envelope.topic.entityID.prefix(80))'.")
    }

    private func resolver(_ envelope: Envelope?, _ thingID: ThingID?) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connectionID, now: clock.now)
        resolver.header = { transport.value($0) }
        resolver.sourceAddress = transport.address
        resolver.topic = envelope?.topic
        resolver.path = envelope?.path
        resolver.thingID = thingID
        return resolver
    }
}
