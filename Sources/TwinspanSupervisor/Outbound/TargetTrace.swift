// What a target would make of one signal, step by step, without a broker, an engine or a store: `twinspan map --target`
// and test cases. It asks the same topics, mappers and addresses as the pipeline (`CompiledTarget`, `TargetDelivery`,
// `Addressing`) and puts them into words.
public import TwinspanConnections
public import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
public import TwinspanMapping
public import TwinspanProtocol

/// The steps of one outbound signal with their results.
public struct TargetTrace: Sendable {
    public typealias Step = MessageTrace.Step

    public private(set) var steps: [Step] = []
    /// The messages that would be sent, in order.
    public private(set) var messages: [OutboundMessage] = []

    /// Whether no step failed. That nothing is sent is no failure.
    public var isSuccess: Bool { steps.allSatisfy { $0.failure == nil } }

    /// Gives a signal to a target. The signal may be read as a whole, and extra fields come from its `extra`.
    ///
    /// - Parameters:
    ///   - signal: a Ditto Protocol message as JSON.
    ///   - targetIndex: counted from 0; must be one of the connection's targets.
    /// - Throws: what a mapper says to its options.
    public init(
        signal bytes: [UInt8], connection: Connection, targetIndex: Int, clock: any EngineClock,
        mappers: MapperRegistry = .builtIn
    ) throws(TwinspanError) {
        let target = try CompiledTarget(
            connection.targets[targetIndex], index: targetIndex, of: connection, registry: mappers)
        let delivery = TargetDelivery(target, of: connection)
        let signal: OutgoingSignal
        do throws(TwinspanError) {
            signal = .given(try GivenSignal(try Self.parse(bytes)))
        } catch {
            fail(.signal, "\(bytes.count) bytes", error)
            return
        }
        note(.signal, "\(signal.topic.text), \(bytes.count) bytes")
        switch chooseTopic(signal, delivery, now: clock.now) {
        case .none: return
        case .failed(let error): fail(.enriched, "extra fields", error)
        case .won(let extra):
            if let extra { note(.enriched, MessageTrace.shortened(JSONValue.object(extra).text)) }
            send(signal, extra: extra, delivery, clock)
        }
    }

    private static func parse(_ bytes: [UInt8]) throws(TwinspanError) -> Envelope {
        do throws(MappingFailure) {
            return try Envelope.parse(bytes)
        } catch {
            throw error.error
        }
    }

    /// Asks one topic after the other, so that each can be told about.
    private mutating func chooseTopic(
        _ signal: OutgoingSignal, _ delivery: TargetDelivery, now: Timestamp
    ) -> TopicChoice {
        let topics = delivery.compiled.topics(signal.kind)
        guard !topics.isEmpty else {
            note(.topic, "dropped: the target has no topic \(signal.kind.rawValue)")
            return .none
        }
        var source = EnrichmentSource { id throws(TwinspanError) in throw .thingNotFound(id) }
        var refusals: [String] = []
        for topic in topics {
            let text = topic.topic.canonicalText
            guard topic.admits(namespace: signal.thingID.namespace) else {
                refusals.append("\(text): not its namespace")
                continue
            }
            let resolver = { signal.resolver(delivery.connectionID, now, value: signal.value) }
            let choice = delivery.compiled.choose(
                signal, among: [topic], &source, resolver: resolver, readable: resolver)
            if case .none = choice {
                refusals.append("\(text): the filter does not match")
                continue
            }
            note(.topic, text, details: refusals)
            return choice
        }
        note(.topic, "dropped: no topic admits it", details: refusals)
        return .none
    }

    private mutating func send(
        _ signal: OutgoingSignal, extra: JSONObject?, _ delivery: TargetDelivery, _ clock: any EngineClock
    ) {
        let payload = delivery.payload(signal, part: nil, extra: extra)
        let thing = extra.map { JSONValue.object($0).overlaid(with: signal.changedPart(signal.value?.value)) }
        let (id, now) = (delivery.connectionID, clock.now)
        let resolver = { signal.resolver(id, now, value: signal.value, thing: thing) }
        let target = delivery.compiled.target
        var start = clock.monotonic
        delivery.compiled.mappers.outbound(
            OutboundSignal(bytes: payload, correlationID: signal.correlationID),
            MappingScene(connectionID: id, now: now), resolver: resolver
        ) { mapper, result in
            let duration = Duration.nanoseconds(Int64(clamping: clock.monotonic &- start))
            switch result {
            case .failure(let error): fail(.mapped, mapper, error)
            case .success(let mapped):
                let noun = mapped.count == 1 ? "message" : "messages"
                let outcome = mapped.isEmpty ? "dropped" : "\(mapped.count) \(noun)"
                note(.mapped, "\(mapper) → \(outcome)", duration: duration)
                let addressing = Addressing(
                    target.address, target.headerMapping, qos: delivery.compiled.qos, type: delivery.type,
                    resolver: resolver)
                for message in mapped { place(message, addressing, target) }
            }
            start = clock.monotonic
        }
    }

    private mutating func place(_ mapped: MappedMessage, _ addressing: Addressing, _ target: Target) {
        switch addressing.place(mapped, target: nil, queuedAt: 0) {
        case .unresolved: note(.addressed, "dropped: the address \(target.address.text) has no value for this signal")
        case .failed(let error): fail(.addressed, target.address.text, error)
        case .message(let message):
            let retained = message.isRetained ? ", retained" : ""
            note(
                .addressed, "\(message.address), \(message.payload.count) bytes, qos \(message.qos)\(retained)",
                details: message.headers.map { "\($0.name): \(MessageTrace.shortened($0.value))" })
            messages.append(message)
        }
    }

    private mutating func note(
        _ kind: MessageTrace.StepKind, _ text: String, details: [String] = [], duration: Duration? = nil
    ) {
        steps.append(
            Step(
                kind: kind, text: text, details: details, duration: duration, failure: nil, answer: nil,
                isAnswered: false))
    }

    private mutating func fail(_ kind: MessageTrace.StepKind, _ place: String, _ error: TwinspanError) {
        steps.append(
            Step(
                kind: kind, text: place, details: [], duration: nil, failure: error, answer: nil, isAnswered: false))
    }
}
