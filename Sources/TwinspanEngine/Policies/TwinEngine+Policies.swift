// Policy commands: the same steps as for things, under the lock of the policies alone.
import Synchronization
public import TwinspanProtocol

/// What a change of a policy comes to.
enum PolicyJudgement {
    case done(Outcome<PolicyResponse>)
    /// These have to be loaded first, all at once.
    case needs([PolicyID])
}

extension TwinEngine {
    /// Judges a policy command and queues its change. May read from the store.
    public func execute(
        _ command: PolicyCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<PolicyResponse> {
        let now = clock.now
        do throws(TwinspanError) {
            let prepared = try PreparedPolicyCommand(
                command, caller: context, now: now, limits: settings.limits, access: settings.access)
            for _ in 0..<Self.loadRounds {
                switch judge(prepared, as: context, origin: origin, now: now) {
                case .done(let outcome): return outcome
                case .needs(let ids):
                    if let failure = load(ids) { return unavailable(failure, PolicyErrorTable.unavailable) }
                }
            }
            return unavailable(.policiesTooLarge, PolicyErrorTable.unavailable)
        } catch {
            // Refused for its form, which depends on no state.
            return failed(error, 0)
        }
    }

    /// As `execute`, but returns nil instead of reading from the store.
    public func executeIfLoaded(
        _ command: PolicyCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<PolicyResponse>? {
        let now = clock.now
        do throws(TwinspanError) {
            let prepared = try PreparedPolicyCommand(
                command, caller: context, now: now, limits: settings.limits, access: settings.access)
            guard case .done(let outcome) = judge(prepared, as: context, origin: origin, now: now) else { return nil }
            return outcome
        } catch {
            return failed(error, 0)
        }
    }

    private func judge(
        _ prepared: PreparedPolicyCommand, as context: AuthorizationContext, origin: ConnectionID?, now: Timestamp
    ) -> PolicyJudgement {
        let command = prepared.command
        return policies.content.withLock { content in
            guard content.isOpen else { return .done(refusedWhileClosed(PolicyErrorTable.unavailable)) }
            guard let slot = content.cache.slot(of: command.policyID) else { return .needs([command.policyID]) }
            let entry = content.cache[slot]
            var inquiry = PolicyInquiry(sequence: entry.sequence)
            do throws(TwinspanError) {
                let judge = PolicyJudge(
                    prepared: prepared, state: entry.state,
                    enforcer: try content.cache.enforcer(of: command.policyID, for: &inquiry), context: context,
                    access: settings.access, limits: settings.limits, now: now)
                let verdict = try judge.verdict(&content.cache, &inquiry)
                guard let event = verdict.event, let after = verdict.after else {
                    return .done(Outcome(result: .success(verdict.response), ticket: ticket(inquiry.sequence)))
                }
                let refusal: Outcome<PolicyResponse>? = withoutRoom(
                    PolicyErrorTable.tooManyModifyingRequests, PolicyErrorTable.unavailable)
                if let refusal { return .done(refusal) }
                let sequence = queue.append(
                    change(
                        .policy(event, after: after), command.headers, context, origin, nil,
                        lastText: entry.state.watchedText))
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return .done(Outcome(result: .success(verdict.response), ticket: ticket(sequence)))
            } catch {
                return inquiry.isUnanswered ? .needs(inquiry.asked) : .done(failed(error, inquiry.sequence))
            }
        }
    }
}
