// Answers to commands that came over a connection (spec/connectivity.md §3.4, §7): mapped, addressed, and put into the
// publisher's queue once what they tell is committed.
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// An answer to a command that came over the connection.
struct Answer: Sendable {
    var envelope: Envelope
    var type: ReplyTarget.ResponseType
    /// Index of the source the command came from.
    var source: Int
    /// The mapper that made the command; the answer goes through the same one.
    var mapper: String?
    /// Headers of the command: an answer that does not echo one is given it.
    var commandHeaders: DittoHeaders
}

/// The mappers of answers: by source, those of its payload mapping. Answers come on any thread, so their mappers are
/// called under a lock when they are quick, else on the thread of the connection's way out.
final class ReplyMappers: Sendable {
    private let chains: Mutex<[MapperChain?]>
    let isQuick: Bool

    /// Throws for a mapper that cannot be made.
    init(_ connection: Connection, registry: MapperRegistry) throws(TwinspanError) {
        var chains: [MapperChain?] = []
        for source in connection.sources {
            let isNeeded = source.replyTarget?.isEnabled == true
            chains.append(isNeeded ? try connection.mapperChain(source.payloadMapping, registry: registry) : nil)
        }
        isQuick = chains.allSatisfy { $0?.isQuick ?? true }
        self.chains = Mutex(chains)
    }

    func map(
        _ signal: OutboundSignal, _ answer: Answer, _ scene: MappingScene, resolver: () -> SignalResolver
    ) -> Result<[MappedMessage], TwinspanError> {
        chains.withLock { chains in
            guard let chain = chains[answer.source] else { return .success([]) }
            do throws(TwinspanError) {
                return .success(try chain.outbound(signal, through: answer.mapper, scene, resolver: resolver))
            } catch {
                return .failure(error)
            }
        }
    }
}

final class ReplyPublisher: Sendable {
    private let connection: Connection
    private let queue: OutboundQueue
    private let engine: TwinEngine
    private let counters: ConnectionCounters
    private let recorder: ConnectionRecorder
    private let clock: any EngineClock
    private let mappers: ReplyMappers
    private let budget: NoteBudget
    private let diversions: DiversionBoard
    /// Does work on the thread of the way out; false when too much waits there already.
    private let later: @Sendable (@escaping @Sendable () -> Void) -> Bool

    init(
        connection: Connection, queue: OutboundQueue, engine: TwinEngine, clock: any EngineClock,
        counters: ConnectionCounters, recorder: ConnectionRecorder, mappers: ReplyMappers,
        diversions: DiversionBoard = DiversionBoard(),
        later: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool = { work in
            work()
            return true
        }
    ) {
        self.connection = connection
        self.queue = queue
        self.engine = engine
        self.clock = clock
        self.counters = counters
        self.recorder = recorder
        self.mappers = mappers
        budget = NoteBudget(recorder, clock: clock)
        self.diversions = diversions
        self.later = later
    }

    /// Whether answers of this type to commands of this source are sent.
    func takes(_ type: ReplyTarget.ResponseType, source: Int) -> Bool {
        guard let target = connection.sources[source].replyTarget, target.isEnabled else { return false }
        return target.expectedResponseTypes.contains(type)
    }

    /// Queues an answer, after the commit it depends on; a rejected commit swallows it, because the message comes
    /// again.
    func publish(_ answer: Answer, after ticket: CommitTicket?) {
        guard let target = connection.sources[answer.source].replyTarget, target.isEnabled else { return }
        guard target.expectedResponseTypes.contains(answer.type) else {
            recorder.count(.responses, .dropped)
            return note(answer, .dropped, "Signal dropped, a \(answer.type.rawValue) is not expected here")
        }
        if let diversion = Diversion(answer, from: connection) {
            whenCommitted(ticket) { [self] in divert(answer, to: diversion.target) }
            guard connection.preservesNormalResponse else { return }
        }
        // An error is told of as a failure where it was raised (§3.1.1, row H), also when nobody wants to know it.
        if answer.type != .error {
            recorder.count(.responses, .dispatched)
            note(answer, .dispatched, "Message was dispatched")
        }
        guard mappers.isQuick else {
            return whenCommitted(ticket) { [self] in
                let isTaken = later { [self] in map(answer, target).forEach(offer) }
                if !isTaken { drop(answer, "reply-pipeline-behind", CountedOutcomes.noPlace) }
            }
        }
        let messages = map(answer, target)
        guard !messages.isEmpty else { return }
        whenCommitted(ticket) { [self] in messages.forEach(offer) }
    }

    private func whenCommitted(_ ticket: CommitTicket?, _ body: @escaping @Sendable () -> Void) {
        guard let ticket else { return body() }
        engine.gate.whenKnown(ticket) { if $0 == .committed { body() } }
    }

    private func map(_ answer: Answer, _ target: ReplyTarget) -> [OutboundMessage] {
        let resolver = resolver(answer)
        let signal = OutboundSignal(
            bytes: answer.envelope.bytes, correlationID: answer.envelope.headers.correlationID)
        let scene = MappingScene(connectionID: connection.id, now: resolver.now)
        let mapped: [MappedMessage]
        switch mappers.map(signal, answer, scene, resolver: { resolver }) {
        case .success(let messages): mapped = messages
        case .failure(let error):
            drop(answer, "reply-mapping", error, stage: .other)
            return []
        }
        guard !mapped.isEmpty else {
            drop(answer, "reply-mapper", nil)
            return []
        }
        recorder.count(.responses, .mapped)
        note(answer, .mapped, "Mapped outgoing signal with mapper <\(answer.mapper ?? "default")>")
        let addressing = Addressing(target.address, target.headerMapping, qos: 0, type: connection.type) { resolver }
        return mapped.compactMap { message in
            switch addressing.place(message, target: nil, queuedAt: 0) {
            case .message(let message): return message
            case .unresolved:
                drop(answer, "reply-address-unresolved", nil)
            case .failed(let error):
                drop(answer, "reply-illegal-header", error, stage: .published)
            }
            return nil
        }
    }

    private func resolver(_ answer: Answer) -> SignalResolver {
        SignalResolver(answer.envelope, command: answer.commandHeaders, connection.id, clock.now)
    }

    private func divert(_ answer: Answer, to id: ConnectionID) {
        var envelope = answer.envelope
        envelope.headers[.divertedResponseFromConnection] = .string(connection.id.text)
        let diverted = DivertedAnswer(
            envelope: envelope, commandHeaders: answer.commandHeaders, origin: connection.id, source: answer.source)
        if diversions.divert(diverted, to: id) {
            counters.add(.diverted)
            note(answer, .dispatched, "The response is diverted to the connection <\(id)>")
        } else {
            let error = ConnectivityErrorTable.notFound.error(
                "The response was to be diverted to the connection <\(id)>, which does not run.")
            drop(answer, "reply-diversion-target-away", error)
        }
    }

    private func offer(_ message: OutboundMessage) {
        if queue.offer(message) {
            counters.add(.replied)
            return
        }
        counters.add(.dropped, .outbound, reason: "reply-queue-full")
        recorder.count(.responses, .published, isFailure: true)
        recorder.note(
            StageNote(
                .responses, .published, isFailure: true, CountedOutcomes.noPlace.message,
                correlationID: message.headers.first { $0.name == "correlation-id" }?.value,
                address: message.address, reason: "queue-full"))
    }

    /// Counts an answer that goes nowhere; without an error because the configuration wants it so.
    private func drop(_ answer: Answer, _ reason: String, _ error: TwinspanError?, stage: RecordedStage = .dropped) {
        counters.add(.dropped, .outbound, reason: reason)
        recorder.count(.responses, stage, isFailure: error != nil)
        let message =
            error?.message
            ?? (reason == "reply-address-unresolved"
                ? "Signal dropped, target address unresolved" : "The payload mapping has made nothing of the response")
        note(answer, stage, message, reason: reason, isFailure: error != nil)
    }

    private func note(
        _ answer: Answer, _ stage: RecordedStage, _ message: @autoclosure () -> String, reason: String? = nil,
        isFailure: Bool = false
    ) {
        guard isFailure || budget.wants(before: 0) else { return }
        let topic = answer.envelope.topic
        recorder.note(
            StageNote(
                .responses, stage, isFailure: isFailure, message(),
                correlationID: answer.envelope.headers.correlationID ?? answer.commandHeaders.correlationID,
                entityType: topic.group == .policies ? "policy" : "thing", entityID: topic.entityID, reason: reason))
    }
}

extension SignalResolver {
    /// Resolves placeholders of an answer; headers that it does not have are those of the command.
    init(_ answer: Envelope, command: DittoHeaders, _ connectionID: ConnectionID, _ now: Timestamp) {
        self.init(connectionID: connectionID, now: now)
        let headers = answer.headers
        header = { name in headers[name].map { $0.string ?? $0.text } ?? command[name]?.string }
        topic = answer.topic
        path = answer.path
        value = answer.value
        // An answer may concern no thing; then the placeholders of things stay without value.
        thingID = try? ThingID(answer.topic.entityID)
    }
}
