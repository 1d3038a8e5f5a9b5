// Thing commands: read once, then judged under the lock of their shard. What is missing in memory is loaded outside of
// it, and the command is judged again.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

extension TwinEngine {
    /// Judges a command and queues its change. Loads the thing or policy from the store when it is not in memory, so it
    /// may block for a read; use `executeIfLoaded` where blocking is forbidden.
    public func execute(
        _ command: ThingCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<ThingResponse> {
        var request: ThingRequest
        do throws(TwinspanError) {
            request = try ThingRequest(command)
        } catch {
            return failed(error, 0)
        }
        for _ in 0..<Self.loadRounds {
            switch attempt(command, request, as: context, origin: origin) {
            case .done(let outcome): return outcome
            case .needsThing:
                if let failure = load(command.thingID) { return unavailable(failure) }
            case .needsPolicies(let ids):
                if let failure = load(ids) { return unavailable(failure) }
            case .policyChanged: continue
            case .needsReference(let reference):
                let known = execute(reference.command, as: context)
                if let failure = refer(to: reference, known, &request) { return failure }
            }
        }
        return unavailable(
            StoreFailure(kind: .other, description: "the cache is too small to hold a thing and its policy"))
    }

    /// As `execute`, but returns nil instead of reading from the store.
    public func executeIfLoaded(
        _ command: ThingCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<ThingResponse>? {
        var request: ThingRequest
        do throws(TwinspanError) {
            request = try ThingRequest(command)
        } catch {
            return failed(error, 0)
        }
        // A second round when the command refers to another thing.
        for _ in 0..<2 {
            switch attempt(command, request, as: context, origin: origin) {
            case .done(let outcome): return outcome
            case .needsThing, .needsPolicies, .policyChanged: return nil
            case .needsReference(let reference):
                guard let known = executeIfLoaded(reference.command, as: context) else { return nil }
                if let failure = refer(to: reference, known, &request) { return failure }
            }
        }
        return nil
    }

    /// Notes what a reference names; returns the outcome of the command when it names nothing.
    private func refer(
        to reference: PolicyReference, _ known: Outcome<ThingResponse>, _ request: inout ThingRequest
    ) -> Outcome<ThingResponse>? {
        do throws(TwinspanError) {
            let policyID = try reference.policyID(in: try known.result.get().value)
            request.referred = ReferredPolicy(policyID: policyID, ticket: known.ticket)
            return nil
        } catch {
            return Outcome(result: .failure(error), ticket: known.ticket)
        }
    }

    private enum Attempt {
        case done(Outcome<ThingResponse>)
        case needsThing
        case needsPolicies([PolicyID])
        indirect case needsReference(PolicyReference)
        /// Some policy was changed while the command was judged.
        case policyChanged
    }

    private func attempt(
        _ command: ThingCommand, _ request: ThingRequest, as context: AuthorizationContext, origin: ConnectionID?
    ) -> Attempt {
        let now = clock.now
        let policyChanges = queue.policyChanges
        let shard = shards[shardIndex(of: command.thingID)]
        return shard.content.withLock { content in
            guard content.isOpen else { return .done(refusedWhileClosed()) }
            guard let slot = content.cache.slot(of: command.thingID) else {
                return .needsThing
            }
            let entry = content.cache[slot]
            guard let text = entry.state.text else {
                return create(
                    command, request, slot: slot, entry: entry, as: context, origin: origin, now: now, &content)
            }
            guard let policyID = entry.state.policyID else {
                return .done(failed(.thingNotFound(command.thingID), entry.sequence))
            }
            let known: PolicyEnforcer?
            var dependsOn = entry.sequence
            switch policies.loaded(policyID) {
            case .needs(let ids): return .needsPolicies(ids)
            case .known(let enforcer, let sequence):
                known = enforcer
                dependsOn = max(dependsOn, sequence)
            }
            guard let enforcer = known else {
                return .done(failed(ThingAccess.policyLost(command, policyID), dependsOn))
            }
            var judge = ThingJudge(
                command: command, request: request,
                access: ThingAccess(
                    thingID: command.thingID, state: entry.state, text: text, enforcer: enforcer, context: context,
                    now: now),
                limits: settings.limits)
            if command.fields?.selects("_policy") == true {
                // Asked for again, because the policy may have changed since: view and text must be of one revision.
                guard let document = policies.document(policyID) else { return .needsPolicies([policyID]) }
                dependsOn = max(dependsOn, document.sequence)
                judge.policy = document
            }
            do throws(TwinspanError) {
                let verdict = try judge.verdict()
                guard let event = verdict.event, let after = verdict.after else {
                    return .done(Outcome(result: .success(verdict.response), ticket: ticket(dependsOn)))
                }
                if let refusal: Outcome<ThingResponse> = withoutRoom() { return .done(refusal) }
                let change = change(
                    .thing(event, after: after), command.headers, context, origin, enforcer,
                    lastText: after.text == nil ? text : nil)
                guard let sequence = queue.append(change, judgedAfter: policyChanges) else { return .policyChanged }
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return .done(Outcome(result: .success(verdict.response), ticket: ticket(max(sequence, dependsOn))))
            } catch {
                return .done(failed(error, dependsOn))
            }
        }
    }

    private func create(
        _ command: ThingCommand, _ request: ThingRequest, slot: Int, entry: EntityCache<ThingID, ThingState>.Entry,
        as context: AuthorizationContext, origin: ConnectionID?, now: Timestamp, _ content: inout ThingShard.Content
    ) -> Attempt {
        guard request.whole != nil else { return .done(failed(.thingNotFound(command.thingID), entry.sequence)) }
        // A refusal depends on the policies it was judged by as much as a success does.
        var dependsOn = entry.sequence
        do throws(TwinspanError) {
            var creation = try ThingCreation(command, request)
            try settings.access.creation.check(creation, creator: context)
            if let reference = creation.resolve(request.referred, epoch: gate.epoch) {
                return .needsReference(reference)
            }
            if let referred = request.referred { dependsOn = max(dependsOn, referred.ticket.sequence) }
            return try policies.content.withLock { shelf throws(TwinspanError) -> Attempt in
                let needed = creation.choice.needed
                if needed.contains(where: { shelf.cache.slot(of: $0) == nil }) { return .needsPolicies(needed) }
                var inquiry = PolicyInquiry(sequence: dependsOn)
                defer { dependsOn = inquiry.sequence }
                let verdict: ThingCreation.Verdict
                do throws(TwinspanError) {
                    verdict = try creation.verdict(
                        after: entry.state, &shelf.cache, &inquiry, context: context, settings: settings, now: now)
                } catch {
                    if inquiry.isUnanswered { return .needsPolicies(needed + inquiry.asked) }
                    throw error
                }
                guard let event = verdict.thing.event, let after = verdict.thing.after else {
                    return .done(failed(GeneralErrorTable.internalError.error(), inquiry.sequence))
                }
                if let refusal: Outcome<ThingResponse> = withoutRoom() { return .done(refusal) }
                let thing = change(.thing(event, after: after), command.headers, context, origin, verdict.enforcer)
                let sequence: Int64
                if let policy = verdict.policy {
                    let made = change(
                        .policy(policy.event, after: policy.after), DittoHeaders(), context, origin, nil)
                    sequence = queue.append(made, thing)
                    if let slot = shelf.cache.slot(of: policy.event.policyID) {
                        shelf.cache.update(slot: slot, to: policy.after, sequence: sequence)
                    }
                } else {
                    sequence = queue.append(thing)
                }
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return .done(
                    Outcome(result: .success(verdict.thing.response), ticket: ticket(max(sequence, inquiry.sequence))))
            }
        } catch {
            return .done(failed(error, dependsOn))
        }
    }
}
