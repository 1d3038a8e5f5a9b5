// What the source pipeline would make of one message, step by step, without a broker, an engine or a store: the ground
// of `twinspan map`. It goes through the stages of the pipeline itself (`InboundStages`) and puts them into words.
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
        case message, mapped, authorised, headers, acks, enforced, command
        /// Of a target only.
        case signal, topic, enriched, addressed
    }

    /// A signal that would go to the engine.
    public struct TracedSignal: Sendable {
        public let envelope: Envelope
        /// Whether the pipeline has made its correlation id, because nobody gave one.
        public let isCorrelationIDMade: Bool
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
    /// The same, as envelopes.
    public private(set) var signals: [TracedSignal] = []

    /// Whether no step failed. A mapper that drops the message is no failure.
    public var isSuccess: Bool { steps.allSatisfy { $0.failure == nil } }

    /// Takes a message through the pipeline of a source.
    ///
    /// - Parameters:
    ///   - payload: the message's bytes.
    ///   - address: where it was published; for MQTT the topic.
    ///   - qos: the quality of service it would arrive with, 0…2.
    ///   - headers: those of the message's transport.
    ///   - sourceIndex: counted from 0; must be one of the connection's sources.
    ///   - payloadBytesMax: the greatest payload the pipeline takes.
    public init(
        payload: [UInt8], address: String, qos: UInt8, headers: [(name: String, value: String)] = [],
        connection: Connection, sourceIndex: Int, clock: any EngineClock, payloadBytesMax: Int = 1 << 20,
        mappers: MapperRegistry = .builtIn
    ) throws(TwinspanError) {
        let batch = MessageBatch()
        var addressText = address
        addressText.withUTF8 { addressBytes in
            payload.withUnsafeBytes { payloadBytes in
                batch.append(
                    address: UnsafeRawBufferPointer(addressBytes), payload: payloadBytes, source: sourceIndex, qos: qos,
                    isRetained: false, headers: headers)
            }
        }
        let stages = try InboundStages(connection, payloadBytesMax: payloadBytesMax, mappers: mappers)
        let source = stages.sources[sourceIndex]
        let transport = TransportHeaders(batch.messages[0], in: batch, isMQTT: stages.isMQTT, readsAddress: true)
        note(
            .message, "\(address), \(payload.count) bytes, qos \(qos)",
            details: headers.map { "\($0.name): \(Self.shortened($0.value))" })
        payload.withUnsafeBytes { bytes in
            var passage = InboundPassage(source, transport, payload: bytes, now: clock.now)
            do throws(TwinspanError) {
                try stages.checkSize(passage)
                try stages.readInput(&passage)
            } catch {
                return fail(.message, "not taken", error, nil, DittoHeaders(), stages, passage)
            }
            map(stages, passage, clock)
        }
    }

    private mutating func map(_ stages: InboundStages, _ passage: InboundPassage, _ clock: any EngineClock) {
        var scratch: [UInt8] = []
        let ids = CorrelationIDs()
        var start = clock.monotonic
        stages.map(passage, scratch: &scratch) { mapper, result in
            let duration = Duration.nanoseconds(Int64(clamping: clock.monotonic &- start))
            for envelope in follow(mapper, result, duration, stages, passage) {
                follow(envelope, stages, passage, ids)
            }
            start = clock.monotonic
        }
    }

    /// What one mapper has made.
    private mutating func follow(
        _ mapper: String, _ result: MapperChain.Inbound, _ duration: Duration, _ stages: InboundStages,
        _ passage: InboundPassage
    ) -> [Envelope] {
        let envelopes: [Envelope]
        switch result {
        case .failed(let failure):
            fail(.mapped, mapper, failure.error, failure.topic, failure.headers, stages, passage)
            return []
        case .dropped(let reason):
            note(.mapped, "\(mapper) → dropped: \(reason)", duration: duration)
            return []
        case .signals(.none): envelopes = []
        case .signals(.one(let envelope)): envelopes = [envelope]
        case .signals(.many(let several)): envelopes = several
        }
        let noun = envelopes.count == 1 ? "message" : "messages"
        note(
            .mapped, "\(mapper) → \(envelopes.count) \(noun)", details: envelopes.map(Self.summary),
            duration: duration)
        return envelopes
    }

    /// The steps of one signal: those it has gone through are told from the draft.
    private mutating func follow(
        _ mapped: Envelope, _ stages: InboundStages, _ passage: InboundPassage, _ ids: borrowing CorrelationIDs
    ) {
        var draft = SignalDraft(mapped)
        do throws(TwinspanError) {
            let signal = try stages.signal(of: &draft, passage, ids: ids)
            tell(draft, passage)
            // In the engine these come first, before anything stored is looked at.
            draft.stage = .command
            try signal.checkIsAcceptedFromOutside()
            try SignalCheck.check(signal)
            commands.append(Self.summary(signal))
            let isGiven =
                mapped.headers.acceptedFromOutside()[.correlationID] != nil
                || passage.source.source.headerMapping.contains { $0.name == KnownHeader.correlationID.rawValue }
            signals.append(TracedSignal(envelope: draft.envelope, isCorrelationIDMade: !isGiven))
        } catch {
            if draft.stage != .command { tell(draft, passage) }
            fail(
                Self.kind(draft.stage), draft.envelope.topic.text, error, draft.envelope.topic, draft.envelope.headers,
                stages, passage)
        }
    }

    /// Notes the steps behind a draft.
    private mutating func tell(_ draft: SignalDraft, _ passage: InboundPassage) {
        guard let context = draft.context else { return }
        note(.authorised, "as \(context.subjects.joined(separator: ", "))")
        guard draft.stage != .headers else { return }
        let isAsked = passage.source.source.acknowledgementRequests != nil
        if draft.stage == .acknowledgements { return note(.headers, Self.summary(draft.envelope.headers)) }
        note(.headers, Self.summary(draft.envelope.headers))
        if isAsked, AcknowledgementRequests.concern(draft.envelope) {
            note(.acks, "asks for \(draft.envelope.headers.text(.requestedAcks) ?? "what is asked for by default")")
        }
        guard draft.stage != .enforcement else { return }
        if let input = passage.enforced, let filter = draft.filter {
            note(.enforced, "'\(input)' matches \(filter.text)")
        } else {
            note(.enforced, "not asked for by this source")
        }
    }

    private static func kind(_ stage: InboundStage) -> StepKind {
        switch stage {
        case .message, .input: .message
        case .mapping: .mapped
        case .authorization: .authorised
        case .headers: .headers
        case .acknowledgements: .acks
        case .enforcement: .enforced
        case .signal, .command, .redelivery: .command
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
        _ stages: InboundStages, _ passage: InboundPassage
    ) {
        let target = passage.source.source.replyTarget
        let expectsErrors = target?.isEnabled == true && target?.expectedResponseTypes.contains(.error) == true
        let (named, readable) = stages.answerable(topic, headers, passage)
        steps.append(
            Step(
                kind: kind, text: place, details: [], duration: nil, failure: error,
                answer: error.envelope(topic: named, headers: readable),
                isAnswered: expectsErrors && readable.isResponseRequired))
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

    /// A text for a line.
    static func shortened(_ text: String) -> String {
        text.count <= 60 ? text : text.prefix(57) + "…"
    }
}
