// Policy commands: the same steps as for things, under the lock of the policies alone.
import Synchronization
public import TwinspanProtocol

extension TwinEngine {
    /// Judges a policy command and queues its change. May read from the store.
    public func execute(
        _ command: PolicyCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<PolicyResponse> {
        let now = clock.now
        do throws(TwinspanError) {
            let prepared = try PreparedPolicyCommand(
                command, caller: context, now: now, limits: settings.limits, access: settings.access)
            for _ in 0..<32 {
                if let outcome = judge(prepared, as: context, origin: origin, now: now) { return outcome }
                if let failure = load(command.policyID) { return unavailable(failure, PolicyErrorTable.unavailable) }
            }
            return unavailable(
                StoreFailure(kind: .other, description: "the cache is too small to hold a policy"),
                PolicyErrorTable.unavailable)
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
            return judge(
                try PreparedPolicyCommand(
                    command, caller: context, now: now, limits: settings.limits, access: settings.access),
                as: context, origin: origin, now: now)
        } catch {
            return failed(error, 0)
        }
    }

    /// Nil when the policy has to be loaded first.
    private func judge(
        _ prepared: PreparedPolicyCommand, as context: AuthorizationContext, origin: ConnectionID?, now: Timestamp
    ) -> Outcome<PolicyResponse>? {
        let command = prepared.command
        return policies.content.withLock { content in
            guard content.isOpen else { return refusedWhileClosed(PolicyErrorTable.unavailable) }
            guard let slot = content.cache.slot(of: command.policyID) else { return nil }
            let entry = content.cache[slot]
            let judge = PolicyJudge(
                prepared: prepared, state: entry.state, context: context, access: settings.access,
                limits: settings.limits,
                now: now)
            do throws(TwinspanError) {
                let verdict = try judge.verdict()
                guard let event = verdict.event, let after = verdict.after else {
                    return Outcome(result: .success(verdict.response), ticket: ticket(entry.sequence))
                }
                let refusal: Outcome<PolicyResponse>? = withoutRoom(
                    PolicyErrorTable.tooManyModifyingRequests, PolicyErrorTable.unavailable)
                if let refusal { return refusal }
                let sequence = queue.append(
                    change(
                        .policy(event, after: after), command.headers, context, origin, nil,
                        lastText: entry.state.isWatched ? entry.state.text : nil))
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return Outcome(result: .success(verdict.response), ticket: ticket(sequence))
            } catch {
                return failed(error, entry.sequence)
            }
        }
    }
}
