// Requests that are answered through a callback: live commands, messages and live events, and commands on the twin with
// their acknowledgements (spec/protocol.md §7, §8). Everything is judged from a snapshot of the thing, and nothing goes
// on, neither to subscribers nor to the requester, before what the snapshot depends on is committed.
//
// Like `execute`, these may read a thing from the store on the caller's thread. They wait for nothing else.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

/// Called once with the answer, on any thread, outside of all locks; must not block.
public typealias SignalRequester = @Sendable (SignalAnswer) -> Void

extension TwinEngine {
    /// Sends a message to or from a thing. A missing correlation id is made up. Returns the commit of what it was
    /// judged by.
    @discardableResult
    public func send(
        _ message: Message, as sender: AuthorizationContext, origin: ConnectionID? = nil,
        requester: @escaping SignalRequester
    ) -> CommitTicket {
        do throws(TwinspanError) {
            try message.checkSize(settings.limits.messageBytes)
            let terms = try LiveTerms(message.headers, for: .liveRequest)
            return try forward(
                .message(message), .message(message), message.headers, message.thingID, terms, sender, origin, nil,
                requester
            ) { judge throws(TwinspanError) in try judge.check(message) }
        } catch {
            requester(.failure(error))
            return settlement(of: error)
        }
    }

    /// Sends a live event. Nobody answers it; custom acknowledgements may be requested. Returns the commit of what it
    /// was judged by.
    @discardableResult
    public func send(
        _ event: LiveEvent, as sender: AuthorizationContext, origin: ConnectionID? = nil,
        requester: @escaping SignalRequester
    ) -> CommitTicket {
        do throws(TwinspanError) {
            let terms = try LiveTerms(event.headers, for: .liveEvent)
            return try forward(
                .event(event), .event, event.headers, event.thingID, terms, sender, origin, nil, requester
            ) { judge throws(TwinspanError) in try judge.check(event) }
        } catch {
            requester(.failure(error))
            return settlement(of: error)
        }
    }

    /// Carries out a command on the twin, or sends it to the device when its channel is live, and gathers what it has
    /// asked for: the response, acknowledgements, or both. A retrieve may choose its channel by a condition (§7.4).
    /// Returns the commit of its change, or of what it was judged by.
    @discardableResult
    public func request(
        _ command: ThingCommand, as sender: AuthorizationContext, origin: ConnectionID? = nil,
        requester: @escaping SignalRequester
    ) -> CommitTicket {
        do throws(TwinspanError) {
            let hasCondition = command.headers[.liveChannelCondition] != nil
            if hasCondition, command.isModifying { throw ThingErrorTable.liveConditionNotAllowed.error() }
            switch command.channel {
            case .twin where hasCondition: return try requestByCondition(command, sender, origin, requester)
            case .twin: return try requestTwin(command, sender, origin, requester)
            case .live where hasCondition: return try requestByCondition(command, sender, origin, requester)
            case .live: return try requestLive(command, sender, origin, requester)
            }
        } catch {
            requester(.failure(error))
            return settlement(of: error)
        }
    }

    // MARK: Twin

    private func requestTwin(
        _ given: ThingCommand, _ sender: AuthorizationContext, _ origin: ConnectionID?,
        _ requester: @escaping SignalRequester
    ) throws(TwinspanError) -> CommitTicket {
        var command = given
        let terms = try LiveTerms(command.headers, for: command.isModifying ? .twinChange : .twinQuery)
        // A retrieve whose answer nobody wants is dropped (§6.1).
        if !command.isModifying, !terms.isResponseRequired {
            requester(.accepted)
            return ticket(0)
        }
        let patience = terms.timeout == 0 ? LiveTerms.longestWait : terms.timeout
        // It waits before its event can be published: acknowledgements may come at once.
        let place = try live.register(
            PendingRequest(
                .twin, of: command.thingID, terms: terms,
                correlationID: command.headers.correlationID ?? live.makeCorrelationID(),
                deadline: clock.monotonic + patience, requester: requester))
        if !terms.customAcks.isEmpty { command.headers.correlationID = place.correlationID }
        RequestedAcks.deliver(&command.headers)
        let outcome = execute(command, as: sender, origin: origin)
        commitSoon()
        whenCommitted(outcome.ticket) { [live] isCommitted in
            switch outcome.result {
            case _ where !isCommitted: live.finish(place.number, with: .failure(ThingErrorTable.unavailable.error()))
            case .failure(let error): live.finish(place.number, with: .failure(error))
            case .success(let response): live.change(place.number) { $0.commit(response) }
            }
        }
        return outcome.settlement
    }

    // MARK: Live

    private func requestLive(
        _ command: ThingCommand, _ sender: AuthorizationContext, _ origin: ConnectionID?,
        _ requester: @escaping SignalRequester
    ) throws(TwinspanError) -> CommitTicket {
        if command.action == .create { throw TwinspanError.notCreatableOnLive }
        let terms = try LiveTerms(command.headers, for: .liveRequest)
        var smart: SmartChannel?
        var ticket: CommitTicket?
        if command.action == .retrieve, try Self.fallsBackToTwin(command.headers) {
            let outcome = execute(twin(command), as: sender, origin: origin)
            smart = SmartChannel()
            smart?.fallback = Self.answer(outcome.result, SmartChannel().headers(.twin))
            ticket = outcome.ticket
        }
        return try forward(
            .command(command), .command(command), command.headers, command.thingID, terms, sender, origin, smart,
            requester, alsoAfter: ticket
        ) { judge throws(TwinspanError) in try judge.check(command) }
    }

    /// Reads the twin first; the device is asked only when the condition holds for it.
    private func requestByCondition(
        _ command: ThingCommand, _ sender: AuthorizationContext, _ origin: ConnectionID?,
        _ requester: @escaping SignalRequester
    ) throws(TwinspanError) -> CommitTicket {
        let terms = try LiveTerms(command.headers, for: .liveRequest)
        let fallsBack = try Self.fallsBackToTwin(command.headers)
        if !terms.isResponseRequired {
            requester(.accepted)
            return ticket(0)
        }
        let facts = facts(about: command.thingID)
        let outcome = execute(twin(command), as: sender, origin: origin)
        let early: SignalAnswer
        do throws(TwinspanError) {
            let judge = LiveJudge(
                thingID: command.thingID, facts: try facts.result.get(), sender: sender, now: clock.now)
            let isMatched = try judge.holds(command.headers, .liveChannelCondition)
            var smart = SmartChannel(isConditionMatched: isMatched)
            let twinAnswer = Self.answer(outcome.result, smart.headers(.twin))
            // A device may have what the twin has not; any other refusal holds for both.
            if isMatched, twinAnswer.status < 300 || twinAnswer.status == 404 {
                if fallsBack { smart.fallback = twinAnswer }
                var live = command
                live.channel = .live
                live.headers[.liveChannelCondition] = .none
                let content = live
                return try forward(
                    .command(content), .command(content), content.headers, content.thingID, terms, sender, origin,
                    smart, requester, alsoAfter: outcome.ticket
                ) { judge throws(TwinspanError) in try judge.check(content) }
            }
            early = twinAnswer
        } catch {
            early = .failure(error)
        }
        let place = try live.register(
            PendingRequest(
                .twin, of: command.thingID, terms: try LiveTerms(command.headers, for: .twinQuery),
                correlationID: command.headers.correlationID ?? "", deadline: clock.monotonic + terms.timeout,
                requester: requester))
        whenCommitted(facts.ticket, outcome.ticket) { [live] isCommitted in
            live.finish(place.number, with: isCommitted ? early : .failure(ThingErrorTable.unavailable.error()))
        }
        return outcome.settlement
    }

    /// Judges a live signal, and lets it go to the subscribers once what it was judged by is committed.
    private func forward(
        _ content: LiveSignal.Content, _ subject: PendingRequest.Subject, _ headers: DittoHeaders, _ thingID: ThingID,
        _ terms: LiveTerms, _ sender: AuthorizationContext, _ origin: ConnectionID?, _ smart: SmartChannel?,
        _ requester: @escaping SignalRequester, alsoAfter ticket: CommitTicket? = nil,
        check: (LiveJudge) throws(TwinspanError) -> PolicyEnforcer
    ) throws(TwinspanError) -> CommitTicket {
        let facts = facts(about: thingID)
        let decision: Result<PolicyEnforcer, TwinspanError>
        do throws(TwinspanError) {
            let judge = LiveJudge(thingID: thingID, facts: try facts.result.get(), sender: sender, now: clock.now)
            decision = .success(try check(judge))
        } catch {
            decision = .failure(error)
        }
        // What nobody waits for still waits for its authorization, and for that alone.
        let patience = terms.isFireAndForget ? LiveTerms.authorizationWait : terms.timeout
        var reader: PendingRequest.Reader?
        if case .success(let enforcer) = decision {
            reader = .init(enforcer: enforcer, subjects: sender) { [weak self] in
                // Where the thing is gone, or cannot be read, there is no other policy than that of the request.
                guard case .success(let facts)? = self?.facts(about: thingID).result else { return nil }
                return .some(facts.enforcer)
            }
        }
        let place = try live.register(
            PendingRequest(
                subject, of: thingID, terms: terms,
                correlationID: headers.correlationID ?? live.makeCorrelationID(),
                deadline: clock.monotonic + patience, reader: reader, smart: smart, requester: requester))
        whenCommitted(facts.ticket, ticket) { [live] isCommitted in
            switch decision {
            case _ where !isCommitted: live.finish(place.number, with: .failure(ThingErrorTable.unavailable.error()))
            case .failure(let error): live.finish(place.number, with: .failure(error))
            case .success(let enforcer):
                guard live.isPending(place) else { return }
                live.publish(
                    LiveSignal(
                        content, correlationID: place.correlationID, terms: terms, sender: sender, origin: origin,
                        enforcer: enforcer))
                live.change(place.number) { $0.awaitsCommit = false }
            }
        }
        return facts.settlement
    }

    // MARK: Pieces

    /// What is known of a thing. Fails with 404 when it does not exist.
    func facts(about id: ThingID) -> Outcome<ThingFacts> {
        for _ in 0..<Self.loadRounds {
            let (outcome, policyIDs) = look(at: id)
            if let outcome { return outcome }
            let failure = policyIDs.map { load($0) } ?? load(id)
            if let failure { return unavailable(failure) }
        }
        return unavailable(
            StoreFailure(kind: .other, description: "the cache is too small to hold a thing and its policy"))
    }

    /// The facts, or the policies that have to be loaded, or neither when it is the thing.
    private func look(at id: ThingID) -> (Outcome<ThingFacts>?, [PolicyID]?) {
        shards[shardIndex(of: id)].content.withLock { content in
            guard content.isOpen else { return (refusedWhileClosed(), nil) }
            guard let slot = content.cache.slot(of: id) else { return (nil, nil) }
            let entry = content.cache[slot]
            guard let text = entry.state.text, let policyID = entry.state.policyID else {
                return (failed(.thingNotFound(id), entry.sequence), nil)
            }
            switch policies.loaded(policyID) {
            case .needs(let ids): return (nil, ids)
            case .known(let enforcer, let sequence):
                let facts = ThingFacts(state: entry.state, text: text, enforcer: enforcer)
                return (Outcome(result: .success(facts), ticket: ticket(max(entry.sequence, sequence))), nil)
            }
        }
    }

    /// Calls `body` once, when both tickets are known: with true when they are committed.
    private func whenCommitted(
        _ first: CommitTicket, _ second: CommitTicket? = nil, _ body: @escaping @Sendable (Bool) -> Void
    ) {
        gate.whenKnown(first) { [gate] outcome in
            guard outcome == .committed, let second else { return body(outcome == .committed) }
            gate.whenKnown(second) { body($0 == .committed) }
        }
    }

    /// The same command on the twin, without what concerns the device alone.
    private func twin(_ command: ThingCommand) -> ThingCommand {
        var twin = command
        twin.channel = .twin
        twin.headers[.liveChannelCondition] = .none
        return twin
    }

    private static func answer(_ result: Result<ThingResponse, TwinspanError>, _ added: DittoHeaders) -> SignalAnswer {
        switch result {
        case .success(let response): .twin(response, added: added)
        case .failure(let error): .failure(error)
        }
    }

    /// Whether the strategy for an unanswered retrieve is `use-twin`. Throws `header.invalid`.
    private static func fallsBackToTwin(_ headers: DittoHeaders) throws(TwinspanError) -> Bool {
        switch headers.text(.liveChannelTimeoutStrategy)?.lowercased() {
        case nil, "fail": false
        case "use-twin": true
        default: throw .headerInvalid("live-channel-timeout-strategy", "Use 'fail' or 'use-twin'.")
        }
    }
}
