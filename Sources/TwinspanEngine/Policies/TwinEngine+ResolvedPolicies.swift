// Policies with everything that counts for them, for whoever explains a decision. No permission is asked for: these
// are for the operator.
import Synchronization
public import TwinspanPolicies
public import TwinspanProtocol

extension TwinEngine {
    /// A policy with its imports, references and namespace roots resolved; nil when it does not exist. May read from
    /// the store. Fails with `policies:policy.unavailable`.
    public func resolvedPolicy(_ id: PolicyID) -> Outcome<ResolvedPolicy?> {
        for _ in 0..<Self.loadRounds {
            var inquiry = PolicyInquiry(sequence: 0)
            let outcome = policies.content.withLock { content -> Outcome<ResolvedPolicy?>? in
                guard content.isOpen else { return refusedWhileClosed(PolicyErrorTable.unavailable) }
                do throws(TwinspanError) {
                    guard let policy = try content.cache.policy(id, for: &inquiry) else {
                        return Outcome(result: .success(nil), ticket: ticket(inquiry.sequence))
                    }
                    // The revision is of no interest: nobody asks the enforcer that is made with it.
                    let resolved = try content.cache.resolve(policy, revision: 0, for: &inquiry).resolved
                    return Outcome(result: .success(resolved), ticket: ticket(inquiry.sequence))
                } catch {
                    return inquiry.isUnanswered ? nil : failed(error, inquiry.sequence)
                }
            }
            if let outcome { return outcome }
            if let failure = load(inquiry.asked) { return unavailable(failure, PolicyErrorTable.unavailable) }
        }
        return unavailable(.policiesTooLarge, PolicyErrorTable.unavailable)
    }

    /// The policy that a thing names, whether there is such a policy or not; nil when the thing does not exist. May
    /// read from the store. Fails with `things:thing.unavailable`.
    public func policyID(ofThing id: ThingID) -> Outcome<PolicyID?> {
        for _ in 0..<Self.loadRounds {
            let outcome = shards[shardIndex(of: id)].content.withLock { content -> Outcome<PolicyID?>? in
                guard content.isOpen else { return refusedWhileClosed() }
                guard let slot = content.cache.slot(of: id) else { return nil }
                let entry = content.cache[slot]
                let policyID = entry.state.text == nil ? nil : entry.state.policyID
                return Outcome(result: .success(policyID), ticket: ticket(entry.sequence))
            }
            if let outcome { return outcome }
            if let failure = load(id) { return unavailable(failure) }
        }
        return unavailable(StoreFailure(kind: .other, description: "the cache is too small to hold a thing"))
    }
}

extension StoreFailure {
    /// Policies that build on each other do not fit the cache all at once.
    static var policiesTooLarge: StoreFailure {
        StoreFailure(kind: .other, description: "the cache is too small to hold a policy and what it builds on")
    }
}
