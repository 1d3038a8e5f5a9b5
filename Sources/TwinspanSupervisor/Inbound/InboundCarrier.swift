// Carries messages through the stages into the engine, and says what they come to. The source pipeline has one for its
// batches, the inbox one for the messages that run again.
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// Carries the messages of one connection. Confined to one thread at a time.
final class InboundCarrier {
    let stages: InboundStages
    let engine: TwinEngine
    let clock: any EngineClock
    let accounts: InboundAccounts
    let inbox: ConnectionInbox
    private let correlationIDs = CorrelationIDs()
    private var scratch: [UInt8] = []

    init(
        _ stages: InboundStages, engine: TwinEngine, clock: any EngineClock, accounts: InboundAccounts,
        inbox: ConnectionInbox
    ) {
        self.stages = stages
        self.engine = engine
        self.clock = clock
        self.accounts = accounts
        self.inbox = inbox
    }

    /// One message on its way.
    struct Turn {
        var passage: InboundPassage
        /// Whether its successes are told, and whether with details.
        let isTold: Bool
        let isTapped: Bool
        var signals = 0
        var verdict = MessageVerdict()
        /// Made for signals that do not end at once.
        var waiting: WaitingMessage?
    }

    /// Carries one message of a batch.
    /// - Parameter rerun: the message when it runs again from the inbox.
    func carry(
        _ message: MessageBatch.Message, _ batch: MessageBatch, _ bytes: UnsafeRawBufferPointer, isTold: Bool,
        isTapped: Bool, rerun: InboxMessage? = nil, _ tally: inout BatchTally
    ) {
        var turn = turn(message, batch, bytes, isTold: isTold, isTapped: isTapped)
        if begin(&turn, &tally) {
            stages.map(turn.passage, scratch: &scratch) { mapper, result in take(mapper, result, &turn, &tally) }
        }
        finish(&turn, rerun, &tally)
    }

    /// A message that has been through the mappers, and has changed nothing yet. Valid as long as its batch is.
    struct MappedTurn {
        fileprivate var turn: Turn
        fileprivate var results: [(mapper: String, result: MapperChain.Inbound)] = []
    }

    /// Gives a message to the mappers, which may take their time; `carry` does the rest.
    func map(
        _ message: MessageBatch.Message, _ batch: MessageBatch, _ bytes: UnsafeRawBufferPointer, isTold: Bool,
        isTapped: Bool
    ) -> MappedTurn {
        var mapped = MappedTurn(turn: turn(message, batch, bytes, isTold: isTold, isTapped: isTapped))
        guard stages.refusal(of: &mapped.turn.passage) == nil else { return mapped }
        stages.map(mapped.turn.passage, scratch: &scratch) { mapped.results.append(($0, $1)) }
        return mapped
    }

    /// Carries a message of a batch whose mappers are done.
    func carry(_ mapped: MappedTurn, _ tally: inout BatchTally) {
        var turn = mapped.turn
        if begin(&turn, &tally) {
            for (mapper, result) in mapped.results { take(mapper, result, &turn, &tally) }
        }
        finish(&turn, nil, &tally)
    }

    private func turn(
        _ message: MessageBatch.Message, _ batch: MessageBatch, _ bytes: UnsafeRawBufferPointer, isTold: Bool,
        isTapped: Bool
    ) -> Turn {
        let source = stages.sources[message.source]
        let transport = TransportHeaders(
            message, in: batch, isMQTT: stages.isMQTT, readsAddress: source.readsAddress)
        let passage = InboundPassage(
            source, transport, payload: UnsafeRawBufferPointer(rebasing: bytes[message.payload]), now: clock.now)
        return Turn(passage: passage, isTold: isTold, isTapped: isTapped)
    }

    /// Whether the message may go to the mappers; otherwise it is refused.
    private func begin(_ turn: inout Turn, _ tally: inout BatchTally) -> Bool {
        if let (stage, error) = stages.refusal(of: &turn.passage) {
            tally.counts.unmapped += 1
            refuse(error, stage, nil, nil, DittoHeaders(), &turn, &tally)
            return false
        }
        if turn.isTold { tellConsumed(turn) }
        tally.note(.consumed, turn.passage.source.index)
        return true
    }

    /// What one mapper has made of the message.
    private func take(
        _ mapper: String, _ result: MapperChain.Inbound, _ turn: inout Turn, _ tally: inout BatchTally
    ) {
        switch result {
        case .dropped(let reason): drop(mapper, reason, turn, &tally)
        case .signals(.none): drop(mapper, "the mapper has made nothing of it", turn, &tally)
        case .signals(.one(let envelope)): run(envelope, mapper, &turn, &tally)
        case .signals(.many(let envelopes)):
            for envelope in envelopes { run(envelope, mapper, &turn, &tally) }
        case .failed(let failure):
            tally.counts.unmapped += 1
            refuse(failure.error, .mapping, mapper, failure.topic, failure.headers, &turn, &tally)
        }
    }

    private func finish(_ turn: inout Turn, _ rerun: InboxMessage?, _ tally: inout BatchTally) {
        // What was not judged as a whole goes back as a whole.
        if tally.isRefused {
            _ = turn.waiting?.endTurn(id: nil, MessageVerdict())
            return
        }
        end(&turn, rerun, &tally)
    }

    /// Ends the turn of a message: what it leaves behind is queued for the commit of its batch.
    private func end(_ turn: inout Turn, _ rerun: InboxMessage?, _ tally: inout BatchTally) {
        if let waiting = turn.waiting {
            let present = waiting.present
            if present.held > 0 {
                let (id, ticket) = inbox.hold(kept(turn), rerun: rerun)
                tally.note(ticket)
                if rerun == nil { tally.held.append(id) }
                tally.effective += 1
                // Its record stands in the queue: now what has ended meanwhile may take it out.
                return tally.counts.add(waiting.endTurn(id: id, turn.verdict))
            }
            turn.verdict.take(present.verdict)
            tally.counts.add(waiting.endTurn(id: nil, MessageVerdict()))
        }
        let end = turn.verdict.end
        if case .interrupted = end {
            tally.isRefused = true
            return
        }
        if let rerun { return inbox.conclude(rerun.id, turn.verdict) }
        switch end {
        case .done, .interrupted:
            if turn.signals > 0 { tally.effective += 1 } else { tally.empty += 1 }
        case .again(let failure):
            let (id, ticket) = inbox.schedule(kept(turn), failure)
            tally.note(ticket)
            tally.held.append(id)
            tally.effective += 1
        case .dead(let failure):
            tally.note(
                engine.keep([
                    .deadLetterPut(
                        DeadLetter(
                            id: engine.makeRecordID(), message: kept(turn), attempts: 1, diedAt: clock.now,
                            stage: failure.stage.rawValue, error: failure.error,
                            correlationID: failure.correlationID))
                ]))
            tally.dead += 1
        }
    }

    // MARK: One signal

    private func run(_ mapped: Envelope, _ mapper: String, _ turn: inout Turn, _ tally: inout BatchTally) {
        if tally.isRefused { return }
        turn.signals += 1
        tally.counts.mapped += 1
        var draft = SignalDraft(mapped)
        do throws(TwinspanError) {
            let signal = try stages.signal(of: &draft, turn.passage, ids: correlationIDs)
            tally.note(.mapped, turn.passage.source.index)
            if turn.passage.enforced != nil { tally.note(.enforced, turn.passage.source.index) }
            if turn.isTold {
                tellMapped(draft, mapper, turn)
                tally.told.append((turn.passage.source.index, draft.envelope.headers.correlationID))
            }
            let context = draft.context ?? AuthorizationContext([])
            switch signal {
            case .thingCommand(let command) where command.isPlain:
                execute(command, context, draft, mapper, &turn, &tally)
            case .policyCommand(let command):
                let outcome = engine.execute(command, as: context, origin: stages.connectionID)
                let response = outcome.result.map { command.envelope(of: $0) }
                conclude(response, outcome.ticket, command.isModifying, draft, mapper, &turn, &tally)
            case .retrieveThings(let command) where command.channel == .twin:
                let outcome = engine.execute(command, as: context)
                let response = outcome.result.map { command.envelope(of: $0) }
                conclude(response, outcome.ticket, false, draft, mapper, &turn, &tally)
            default: serve(signal, context, draft, mapper, &turn, &tally)
            }
        } catch {
            refuse(error, draft.stage, mapper, draft.envelope.topic, draft.envelope.headers, &turn, &tally)
        }
    }

    /// A command on the twin that waits for nothing but its commit: nearly every message.
    private func execute(
        _ given: ThingCommand, _ context: AuthorizationContext, _ draft: SignalDraft, _ mapper: String,
        _ turn: inout Turn, _ tally: inout BatchTally
    ) {
        var command = given
        // The commit fulfils what is requested here; subscribers have nothing to acknowledge.
        if draft.envelope.headers[.requestedAcks] != nil { command.headers[.requestedAcks] = .none }
        let outcome = engine.execute(command, as: context, origin: stages.connectionID)
        switch outcome.result {
        case .success(let response):
            tally.note(outcome.ticket)
            if command.isModifying { tally.counts.committed += 1 } else { tally.counts.unchanged += 1 }
            if turn.passage.source.source.replyTarget != nil, given.headers.isResponseRequired {
                accounts.answer(
                    given.envelope(of: response), .response, to: origin(draft, mapper, turn), after: outcome.ticket)
            }
        case .failure(let error):
            fail(error, outcome.ticket, isModifying: command.isModifying, draft, mapper, &turn, &tally)
        }
    }

    /// A command on policies or several things.
    private func conclude(
        _ result: Result<Envelope, TwinspanError>, _ ticket: CommitTicket, _ isModifying: Bool, _ draft: SignalDraft,
        _ mapper: String, _ turn: inout Turn, _ tally: inout BatchTally
    ) {
        switch result {
        case .success(let response):
            tally.note(ticket)
            tally.counts.served += 1
            guard draft.envelope.headers.isResponseRequired else { return }
            accounts.answer(response, .response, to: origin(draft, mapper, turn), after: ticket)
        case .failure(let error): fail(error, ticket, isModifying: isModifying, draft, mapper, &turn, &tally)
        }
    }

    /// Everything else: what it comes to is known later, on any thread, and never before the commit.
    private func serve(
        _ signal: Signal, _ context: AuthorizationContext, _ draft: SignalDraft, _ mapper: String,
        _ turn: inout Turn, _ tally: inout BatchTally
    ) {
        let isHeld = signal.isHeld
        var origin = origin(draft, mapper, turn)
        origin.isKept = isKept(signal, origin)
        let waiting = turn.waiting ?? WaitingMessage(accounts: accounts, inbox: inbox)
        turn.waiting = waiting
        // It ends later, and is counted when it does.
        tally.counts.mapped -= 1
        waiting.begin(isHeld: isHeld)
        let ticket = engine.serve(
            signal, as: context, from: LiveResponder(stages.connectionID, kind: .connection),
            ended: { [origin] end in waiting.ended(end, origin, isHeld: isHeld) })
        tally.note(ticket)
    }

    /// Whether the failure of a signal makes its message a dead letter.
    private func isKept(_ signal: Signal, _ origin: SignalOrigin) -> Bool {
        switch signal {
        case .acknowledgement, .thingResponse, .error: false
        case .message(let message): message.status == nil
        case .thingCommand(let command):
            command.isModifying || !accounts.answers(.error, source: origin.source, headers: origin.headers)
        default: true
        }
    }

    // MARK: Failures

    /// Ends a command that was judged and failed.
    private func fail(
        _ error: TwinspanError, _ ticket: CommitTicket, isModifying: Bool, _ draft: SignalDraft, _ mapper: String,
        _ turn: inout Turn, _ tally: inout BatchTally
    ) {
        var verdict = SignalVerdict(error)
        if verdict == .interrupted {
            tally.isRefused = true
            return
        }
        tally.note(ticket)
        let origin = origin(draft, mapper, turn)
        if case .dead = verdict, !isModifying,
            accounts.answers(.error, source: origin.source, headers: origin.headers)
        {
            verdict = .done
        }
        turn.verdict.take(verdict, .command, correlationID: origin.correlationID)
        let outcome = InboundAccounts.outcome(of: error)
        if case .again = verdict {
            tally.counts.add(.redelivered, reason: error.code)
        } else {
            tally.counts.add(outcome, reason: error.code)
        }
        accounts.failed(.command, error, origin)
        guard origin.headers.isResponseRequired else { return }
        let envelope = error.envelope(topic: draft.envelope.topic, headers: draft.envelope.headers)
        accounts.answer(envelope, .error, to: origin, after: ticket)
    }

    /// Ends a message or a signal that did not get as far as the engine, and can never: counted, logged, answered
    /// where the source asks for it.
    private func refuse(
        _ error: TwinspanError, _ stage: InboundStage, _ mapper: String?, _ topic: TopicPath?, _ headers: DittoHeaders,
        _ turn: inout Turn, _ tally: inout BatchTally
    ) {
        let readable = stages.answerable(topic, headers, turn.passage)
        let origin = SignalOrigin(
            source: turn.passage.source.index, address: turn.passage.transport.address, mapper: mapper,
            topic: readable.topic, headers: readable.headers)
        turn.verdict.take(.dead(error), stage, correlationID: origin.correlationID)
        tally.counts.add(InboundAccounts.outcome(of: error), reason: error.code)
        accounts.failed(stage, error, origin)
        guard readable.headers.isResponseRequired else { return }
        accounts.answer(
            error.envelope(topic: origin.topic, headers: readable.headers), .error, to: origin, after: nil)
    }

    private func drop(_ mapper: String, _ reason: String, _ turn: Turn, _ tally: inout BatchTally) {
        tally.counts.unmapped += 1
        tally.counts.add(.dropped, reason: "mapper")
        tally.note(.dropped, turn.passage.source.index)
        if turn.isTold { tellDropped(mapper, reason, turn) }
    }

    func origin(_ draft: SignalDraft, _ mapper: String, _ turn: Turn) -> SignalOrigin {
        // The address is for failures and for what ends later.
        SignalOrigin(
            source: turn.passage.source.index, address: turn.passage.transport.address, mapper: mapper,
            topic: draft.envelope.topic, headers: draft.envelope.headers)
    }
}

extension ThingCommand {
    /// Whether it is for the twin and waits for nothing but its commit.
    fileprivate var isPlain: Bool {
        guard channel == .twin, headers[.liveChannelCondition] == nil else { return false }
        guard headers[.requestedAcks] != nil, isModifying else { return true }
        // What is wrong with them was refused before.
        guard let labels = try? headers.requestedAcks else { return false }
        return labels.allSatisfy { $0 == .twinPersisted || $0 == .liveResponse }
    }
}

extension Signal {
    /// Whether its message waits for its end: it asks for acknowledgements, or for nothing but to be judged. A list
    /// of acknowledgements that is explicitly empty lets the message go at once (spec/connectivity.md §6.8).
    fileprivate var isHeld: Bool {
        let headers = envelope.headers
        guard headers.isResponseRequired, headers[.requestedAcks] != nil else { return true }
        // What is wrong with them was refused before.
        return (try? headers.requestedAcks)?.isEmpty != true
    }
}
