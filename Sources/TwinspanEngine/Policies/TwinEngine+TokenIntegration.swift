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
            for _ in 0..<Self.loadRounds {
                switch judge(prepared, as: context, now: now) {
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
        _ command: TokenIntegration, as context: AuthorizationContext
    ) -> Outcome<PolicyResponse>? {
        let now = clock.now
        do throws(TwinspanError) {
            let prepared = try PreparedTokenIntegration(command, access: settings.access, now: now)
            guard case .done(let outcome) = judge(prepared, as: context, now: now) else { return nil }
            return outcome
        } catch {
            return failed(error, 0)
        }
    }

    private func judge(
        _ prepared: PreparedTokenIntegration, as context: AuthorizationContext, now: Timestamp
    ) -> PolicyJudgement {
        policies.content.withLock { content in
            let policyID = prepared.command.policyID
            guard content.isOpen else { return .done(refusedWhileClosed(PolicyErrorTable.unavailable)) }
            guard let slot = content.cache.slot(of: policyID) else { return .needs([policyID]) }
            let entry = content.cache[slot]
            var inquiry = PolicyInquiry(sequence: entry.sequence)
            do throws(TwinspanError) {
                let judge = TokenIntegrationJudge(
                    prepared: prepared, state: entry.state,
                    enforcer: try content.cache.enforcer(of: policyID, for: &inquiry), context: context,
                    access: settings.access, limits: settings.limits, now: now)
                guard let (event, after) = try judge.verdict() else {
                    let response = Self.response(revision: entry.state.revision)
                    return .done(Outcome(result: .success(response), ticket: ticket(inquiry.sequence)))
                }
                let refusal: Outcome<PolicyResponse>? = withoutRoom(
                    PolicyErrorTable.tooManyModifyingRequests, PolicyErrorTable.unavailable)
                if let refusal { return .done(refusal) }
                let sequence = queue.append(
                    change(
                        .policy(event, after: after), prepared.command.headers, context, nil, nil,
                        lastText: entry.state.watchedText))
                content.cache.update(slot: slot, to: after, sequence: sequence)
                let response = Self.response(revision: event.revision)
                return .done(Outcome(result: .success(response), ticket: ticket(sequence)))
            } catch {
                return inquiry.isUnanswered ? .needs(inquiry.asked) : .done(failed(error, inquiry.sequence))
            }
        }
    }

    private static func response(revision: Int64) -> PolicyResponse {
        PolicyResponse(status: 204, revision: revision, etag: nil, action: .modify)
    }
}
