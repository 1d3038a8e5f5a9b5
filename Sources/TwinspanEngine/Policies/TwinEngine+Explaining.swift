// Explains decisions to the operator: looks up the policy of a thing, and everything that counts for it, without asking
// who wants to know. For threads that may block; nothing on the way of a message comes here.
import Synchronization
import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

extension TwinEngine {
    /// Why somebody may, or may not. May read from the store.
    ///
    /// - Parameters:
    ///   - policyID: the policy; that of the question's thing unless one is named.
    ///   - nearest: the candidate that a mistyped name most likely means.
    /// - Throws: `things:thing.notfound`, `policies:policy.notfound` (also when the policy of the thing is gone),
    ///   `things:thing.unavailable` or `policies:policy.unavailable` when the store cannot be read.
    public func explain(
        _ question: AccessQuestion, policy policyID: PolicyID? = nil, nearest: (String, [String]) -> String?
    ) throws(TwinspanError) -> PolicyExplanation {
        var id = policyID
        if id == nil, let thing = question.thing { id = try self.policyID(of: thing) }
        guard let id else { throw GeneralErrorTable.policyNotFound.error("No policy is named.") }
        guard let policy = try document(of: id) else {
            var error = GeneralErrorTable.policyNotFound.error("There is no policy '\(id)'.")
            error.description =
                policyID == nil
                ? "The thing names it, so nobody may do anything with the thing until it is made."
                : "Check its id; a policy that was deleted counts for nothing."
            throw error
        }
        var known: [PolicyID: PolicyLookup] = [id: .found(policy)]
        let roots = settings.access.namespaceRoots.roots(of: id)
        while true {
            switch policy.resolved(roots: roots, lookup: { known[$0] ?? .notLoaded }) {
            case .resolved(let resolved):
                let missing = resolved.dependencies.filter { if case .absent? = known[$0] { true } else { false } }
                return PolicyExplanation(question, under: resolved, missing: missing, nearest: nearest)
            case .needs(let others):
                let asked = others.filter { known[$0] == nil }
                // What is asked for once more was there; the resolver would ask for ever.
                guard !asked.isEmpty else { throw PolicyErrorTable.unavailable.error() }
                for other in asked { known[other] = try document(of: other).map { .found($0) } ?? .absent }
            }
        }
    }

    /// The policy that a thing names.
    private func policyID(of id: ThingID) throws(TwinspanError) -> PolicyID {
        for _ in 0..<32 {
            let look: (isOpen: Bool, state: ThingState?) = shards[shardIndex(of: id)].content.withLock { content in
                (content.isOpen, content.cache.slot(of: id).map { content.cache[$0].state })
            }
            guard look.isOpen else { throw ThingErrorTable.unavailable.error() }
            if let state = look.state {
                guard state.text != nil, let policyID = state.policyID else {
                    var error = TwinspanError.thingNotFound(id)
                    error.description = "Check its id; it is case-sensitive."
                    throw error
                }
                return policyID
            }
            if let failure = load(id) {
                throw ThingErrorTable.unavailable.error("The store cannot be read: \(failure.description).")
            }
        }
        throw ThingErrorTable.unavailable.error()
    }

    /// A policy as it is stored, nil when there is none.
    private func document(of id: PolicyID) throws(TwinspanError) -> Policy? {
        for _ in 0..<32 {
            let look: (isOpen: Bool, state: PolicyState?) = policies.content.withLock { content in
                (content.isOpen, content.cache.slot(of: id).map { content.cache[$0].state })
            }
            guard look.isOpen else { throw PolicyErrorTable.unavailable.error() }
            if let state = look.state {
                guard let text = state.text else { return nil }
                return try Policy.parse(text.value, id: id, limits: .structure)
            }
            if let failure = load(id) {
                throw PolicyErrorTable.unavailable.error("The store cannot be read: \(failure.description).")
            }
        }
        throw PolicyErrorTable.unavailable.error()
    }
}
