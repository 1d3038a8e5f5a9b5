// Token integration under the lock of the policies: the same steps as for policy commands.
import Synchronization
public import TwinspanProtocol

extension TwinEngine {
    /// Judges a token integration and queues its change, all entries in one commit. May read from the store. The
    /// response is 204 without a value and a tag.
    public func execute(
        _ command: TokenIntegration, as context: AuthorizationContext
    ) -> Outcome<PolicyResponse> {
        let now = clock.now
        do throws(TwinspanError) {
            let prepared = try PreparedTokenIntegration(command, access: settings.access, now: now)
            for _ in 0..<32 {
                if let outcome = judge(prepared, as: context, now: now) { return outcome }
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
        _ command: TokenIntegration, as context: AuthorizationContext
    ) -> Outcome<PolicyResponse>? {
        let now = clock.now
        do throws(TwinspanError) {
            return judge(
                try PreparedTokenIntegration(command, access: settings.access, now: now), as: context, now: now)
        } catch {
            return failed(error, 0)
        }
    }

    /// Nil when the policy has to be loaded first.
    private func judge(
        _ prepared: PreparedTokenIntegration, as context: AuthorizationContext, now: Timestamp
    ) -> Outcome<PolicyResponse>? {
        policies.content.withLock { content in
            guard content.isOpen else { return refusedWhileClosed(PolicyErrorTable.unavailable) }
            guard let slot = content.cache.slot(of: prepared.command.policyID) else { return nil }
            let entry = content.cache[slot]
            let judge = TokenIntegrationJudge(
                prepared: prepared, state: entry.state, enforcer: entry.state.enforcer, context: context,
                access: settings.access, limits: settings.limits, now: now)
            do throws(TwinspanError) {
                guard let (event, after) = try judge.verdict() else {
                    return Outcome(
                        result: .success(Self.response(revision: entry.state.revision)), ticket: ticket(entry.sequence))
                }
                let refusal: Outcome<PolicyResponse>? = withoutRoom(
                    PolicyErrorTable.tooManyModifyingRequests, PolicyErrorTable.unavailable)
                if let refusal { return refusal }
                let sequence = queue.append(
                    change(
                        .policy(event, after: after), prepared.command.headers, context, nil, nil,
                        lastText: entry.state.isWatched ? entry.state.text : nil))
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return Outcome(
                    result: .success(Self.response(revision: event.revision)), ticket: ticket(sequence))
            } catch {
                return failed(error, entry.sequence)
            }
        }
    }

    private static func response(revision: Int64) -> PolicyResponse {
        PolicyResponse(status: 204, revision: revision, etag: nil, action: .modify)
    }
}
