// All policies that are in use, under a lock of their own (lock order: thing shard → policies → commit queue). Gives
// the enforcer that decides under a policy, with everything that the policy builds on.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// A policy as a retrieve inlines it: its own text, and the enforcer that decides under it.
final class PolicyDocument: Sendable {
    let text: JSONText
    let enforcer: PolicyEnforcer
    let sequence: Int64

    init(text: JSONText, enforcer: PolicyEnforcer, sequence: Int64) {
        self.text = text
        self.enforcer = enforcer
        self.sequence = sequence
    }
}

/// The policies.
final class PolicyShelf: Sendable {
    struct Content {
        var cache: PolicyCache
        var isOpen = true
    }

    let content: Mutex<Content>
    private let gate: CommitGate

    init(byteCapacity: Int, roots: NamespaceRoots, gate: CommitGate) {
        content = Mutex(Content(cache: PolicyCache(byteCapacity: byteCapacity, roots: roots)))
        self.gate = gate
    }

    /// The enforcer that decides under a policy, or what has to be loaded before it can be said. Compiles it when one
    /// of the policies it builds on has changed since, without holding the lock meanwhile.
    func loaded(_ id: PolicyID) -> PolicyKnowledge {
        switch content.withLock({ $0.cache.find(id) }) {
        case .known(let enforcer, let sequence): .known(enforcer, sequence: sequence)
        case .notLoaded: .needs([id])
        case .notCompiled: compiled(id)
        }
    }

    /// The JSON of a policy that is loaded, with its enforcer; nil when there is none, or when it has to be loaded.
    func document(_ id: PolicyID) -> PolicyDocument? {
        content.withLock { content in
            guard case .known(let enforcer?, let sequence) = content.cache.knowledge(of: id),
                let slot = content.cache.slot(of: id)
            else { return nil }
            return content.cache.read(slot: slot) { entry in
                entry.state.text.map { PolicyDocument(text: $0, enforcer: enforcer, sequence: sequence) }
            }
        }
    }

    private func compiled(_ id: PolicyID) -> PolicyKnowledge {
        // What changes while it is being compiled makes it begin anew; the last time nothing can.
        for _ in 0..<3 {
            guard let beginning = content.withLock({ $0.cache.beginning(of: id) }) else { return .needs([id]) }
            let form: PolicyForm
            switch beginning.compiled(id, source: { id in content.withLock { $0.cache.source(of: id) } }) {
            case .absent: return .known(nil, sequence: beginning.sequence)
            case .needs(let ids): return .needs(ids)
            case .made(let made): form = made
            }
            if content.withLock({ $0.cache.keep(form, of: id, committed: gate.committed) }) {
                return .known(form.enforcer, sequence: form.sequence)
            }
        }
        return content.withLock { $0.cache.knowledge(of: id) }
    }
}
