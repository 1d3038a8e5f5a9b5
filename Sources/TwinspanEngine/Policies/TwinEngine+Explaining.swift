// Explains decisions to the operator: looks up the policy of a thing, and everything that counts for it, without asking
// who wants to know. For threads that may block; nothing on the way of a message comes here.
public import TwinspanPolicies
public import TwinspanProtocol

extension TwinEngine {
    /// Why somebody may, or may not, by what is committed. May read from the store and wait for a commit.
    ///
    /// - Parameters:
    ///   - policyID: the policy; that of the question's thing unless one is named.
    ///   - nearest: the candidate that a mistyped name most likely means.
    /// - Throws: `things:thing.notfound`, `policies:policy.notfound` (also when the policy of the thing is gone),
    ///   `things:thing.unavailable` or `policies:policy.unavailable` when the store cannot be read or written.
    public func explain(
        _ question: AccessQuestion, policy policyID: PolicyID? = nil, nearest: (String, [String]) -> String?
    ) throws(TwinspanError) -> PolicyExplanation {
        var id = policyID
        if id == nil, let thing = question.thing {
            id = try committed(self.policyID(ofThing: thing))
            if id == nil {
                var error = TwinspanError.thingNotFound(thing)
                error.description = "Check its id; it is case-sensitive."
                throw error
            }
        }
        guard let id else { throw GeneralErrorTable.policyNotFound.error("No policy is named.") }
        guard let policy = try committed(resolvedPolicy(id)) else {
            var error = GeneralErrorTable.policyNotFound.error("There is no policy '\(id)'.")
            error.description =
                policyID == nil
                ? "The thing names it, so nobody may do anything with the thing until it is made."
                : "Check its id; a policy that was deleted counts for nothing."
            throw error
        }
        var missing: [PolicyID] = []
        for other in policy.dependencies where try committed(resolvedPolicy(other)) == nil { missing.append(other) }
        return PolicyExplanation(question, under: policy, missing: missing, nearest: nearest)
    }

    private func committed<Value>(_ outcome: Outcome<Value>) throws(TwinspanError) -> Value {
        let value = try outcome.result.get()
        commitSoon()
        switch gate.wait(for: outcome.ticket, patience: .seconds(3)) {
        case .committed: return value
        case .pending, .rejected: throw PolicyErrorTable.unavailable.error("The store has not taken a change in time.")
        }
    }
}
