// The policies in memory with what is compiled from several of them. Guarded by the lock of the shelf.
//
// A compiled form holds until one of the policies it was made from changes. There is no index from a policy to those
// that build on it: a change raises a mark in a table of fixed size, and whoever uses a form compares its few marks.
// So a change of a root policy costs the same whether five or 50,000 policies build on it, nothing has to be kept for
// entries that were let go, and the absence of a policy needs no care of its own. Two policies that share a mark make
// forms be looked at more closely, not compiled again.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// Policies by id, as `EntityCache`; every change of a state is marked.
struct PolicyCache {
    typealias Entries = EntityCache<PolicyID, PolicyState>

    /// Number of marks; a power of two. 32 KiB.
    static let bucketCount = 4_096

    private var entries: Entries
    /// When a policy of each bucket has changed last: a number of `newestMark`.
    private var marks = [Int64](repeating: 0, count: Self.bucketCount)
    private var newestMark: Int64 = 0
    private let roots: NamespaceRoots
    private let hasRoots: Bool

    init(byteCapacity: Int, roots: NamespaceRoots) {
        entries = Entries(byteCapacity: byteCapacity)
        self.roots = roots
        hasRoots = !roots.rules.isEmpty
    }

    static func bucket(of id: PolicyID) -> Int32 { Int32(truncatingIfNeeded: id.hashValue & (bucketCount - 1)) }

    // MARK: As any cache

    var count: Int { entries.count }
    var bytes: Int { entries.bytes }
    var evictions: UInt64 { entries.evictions }

    /// The slot of a policy, to be used before the next change of the cache.
    func slot(of id: PolicyID) -> Int? { entries.slot(of: id) }

    /// The entry in a slot; using it keeps it longer.
    subscript(slot: Int) -> Entries.Entry {
        mutating get { entries[slot] }
    }

    /// Reads an entry without copying it; using it keeps it longer.
    mutating func read<Result>(slot: Int, _ body: (borrowing Entries.Entry) -> Result) -> Result {
        entries.read(slot: slot, body)
    }

    /// A policy has changed: nothing that was compiled from the former state holds any longer.
    mutating func update(slot: Int, to state: PolicyState, sequence: Int64) {
        mark(entries.read(slot: slot) { $0.id })
        entries.update(slot: slot, to: state, sequence: sequence)
    }

    /// Puts in policies that were loaded and are not there, then makes room. Nothing of `wanted` has to go.
    mutating func insert(_ loaded: [(PolicyID, PolicyState)], wanted: [PolicyID], committed: Int64) {
        for (id, state) in loaded where entries.slot(of: id) == nil { _ = entries.place(id, state, sequence: 0) }
        let spared = wanted.compactMap { entries.slot(of: $0) }
        entries.makeRoom(committed: committed) { spared.contains($0) }
    }

    /// Forgets every state beyond `committed`, and everything that was compiled from one: it was never so.
    mutating func forget(after committed: Int64) {
        var lost: [PolicyID] = []
        entries.removeAll { entry in
            guard entry.sequence > committed else { return false }
            lost.append(entry.id)
            return true
        }
        for id in lost { mark(id) }
        entries.updateAll { state in
            if let form = state.form, form.sequence > committed { state.form = nil }
        }
    }

    private mutating func mark(_ id: PolicyID) {
        newestMark += 1
        marks[Int(Self.bucket(of: id))] = newestMark
    }

    // MARK: Compiled forms

    enum Finding {
        case known(PolicyEnforcer?, sequence: Int64)
        case notLoaded
        /// It was not compiled yet, or does not hold any longer.
        case notCompiled
    }

    /// What is there without compiling anything. No allocation unless a mark is shared.
    mutating func find(_ id: PolicyID) -> Finding {
        guard let slot = entries.slot(of: id) else { return .notLoaded }
        let hasRoots = hasRoots
        var form: PolicyForm?
        let finding = entries.read(slot: slot) { entry -> Finding in
            if !hasRoots, let enforcer = entry.state.ownEnforcer { return .known(enforcer, sequence: entry.sequence) }
            guard entry.state.text != nil else { return .known(nil, sequence: entry.sequence) }
            form = entry.state.form
            return .notCompiled
        }
        guard let form else { return finding }
        guard isUntouched(form) || renew(form, slot: slot) else { return .notCompiled }
        return .known(form.enforcer, sequence: form.sequence)
    }

    private func isUntouched(_ form: PolicyForm) -> Bool {
        form.dependencies.allSatisfy { marks[Int($0.bucket)] <= form.stamp }
    }

    /// A mark has been raised: whether it was for another policy, in which case the form is good for the next time.
    private mutating func renew(_ form: PolicyForm, slot: Int) -> Bool {
        for dependency in form.dependencies {
            guard let place = entries.slot(of: dependency.id),
                entries.read(slot: place, { $0.state.revision }) == dependency.revision
            else { return false }
        }
        put(form.renewed(newestMark), slot: slot)
        return true
    }

    private mutating func put(_ form: PolicyForm, slot: Int) {
        var entry = entries[slot]
        entry.state.form = form
        entries.update(slot: slot, to: entry.state, sequence: entry.sequence)
    }

    /// Keeps a form that was compiled without the lock, and makes room for it. Returns false when one of its policies
    /// has changed meanwhile.
    mutating func keep(_ form: PolicyForm, of id: PolicyID, committed: Int64) -> Bool {
        guard isUntouched(form), marks[Int(Self.bucket(of: id))] <= form.stamp else { return false }
        guard let slot = entries.slot(of: id) else { return true }
        put(form, slot: slot)
        entries.makeRoom(committed: committed) { $0 == slot }
        return true
    }

    // MARK: What they are made from

    /// The text of a policy that is loaded, with what its form will depend on.
    struct Beginning {
        /// Nil when there is no policy.
        let text: JSONText?
        /// The enforcer, if nothing else counts.
        let enforcer: PolicyEnforcer?
        let revision: Int64
        let sequence: Int64
        let stamp: Int64
        let roots: [PolicyID]
    }

    /// What is needed to compile a policy; nil when it is not loaded.
    mutating func beginning(of id: PolicyID) -> Beginning? {
        guard let slot = entries.slot(of: id) else { return nil }
        let roots = hasRoots ? roots.roots(of: id) : []
        let entry = entries[slot]
        return Beginning(
            text: entry.state.text, enforcer: roots.isEmpty ? entry.state.ownEnforcer : nil,
            revision: entry.state.revision, sequence: entry.sequence, stamp: newestMark, roots: roots)
    }

    /// A policy that another one builds on; nil when it is not loaded.
    mutating func source(of id: PolicyID) -> PolicySource? {
        guard let slot = entries.slot(of: id) else { return nil }
        var entry = entries[slot]
        if entry.state.parsed == nil, let text = entry.state.text {
            // Under the lock, but once per policy that others build on: later revisions bring it with them.
            entry.state.parsed = ParsedPolicy(text, id: id)
            entries.update(slot: slot, to: entry.state, sequence: entry.sequence)
        }
        return PolicySource(
            policy: entry.state.parsed?.policy, revision: entry.state.revision, sequence: entry.sequence)
    }

    // MARK: For judgements under the lock

    /// The enforcer that decides under a policy, compiled at once if that has to be; nil when there is no such policy.
    /// Lets nothing go, so slots stay what they are. Throws when something has to be loaded, which `inquiry` names.
    mutating func enforcer(
        of id: PolicyID, for inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> PolicyEnforcer? {
        inquiry.ask(for: id)
        switch knowledge(of: id) {
        case .needs(let ids): throw inquiry.lacks(ids)
        case .known(let enforcer, let sequence):
            inquiry.depend(on: sequence)
            return enforcer
        }
    }

    /// What is known of a policy, compiled under the lock if it has to be.
    mutating func knowledge(of id: PolicyID) -> PolicyKnowledge {
        switch find(id) {
        case .known(let enforcer, let sequence): return .known(enforcer, sequence: sequence)
        case .notLoaded: return .needs([id])
        case .notCompiled: break
        }
        guard let beginning = beginning(of: id), let slot = entries.slot(of: id) else { return .needs([id]) }
        switch beginning.compiled(id, source: { source(of: $0) }) {
        case .absent: return .known(nil, sequence: beginning.sequence)
        case .needs(let ids): return .needs(ids)
        case .made(let form):
            put(form, slot: slot)
            return .known(form.enforcer, sequence: form.sequence)
        }
    }

    /// Whether the policies, and what they build on, are all there; throws otherwise, and `inquiry` names what is not.
    mutating func require(_ ids: [PolicyID], for inquiry: inout PolicyInquiry) throws(TwinspanError) {
        var lacking: TwinspanError?
        for id in ids {
            inquiry.ask(for: id)
            if case .needs(let missing) = knowledge(of: id) { lacking = inquiry.lacks(missing) }
        }
        if let lacking { throw lacking }
    }

    /// A policy as it is written; nil when it does not exist.
    mutating func policy(_ id: PolicyID, for inquiry: inout PolicyInquiry) throws(TwinspanError) -> Policy? {
        inquiry.ask(for: id)
        guard let source = source(of: id) else { throw inquiry.lacks([id]) }
        inquiry.depend(on: source.sequence)
        return source.policy
    }

    /// A policy as it would be: resolved, with the enforcer that would decide under it.
    mutating func resolve(
        _ policy: Policy, revision: Int64, for inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> (resolved: ResolvedPolicy, enforcer: PolicyEnforcer) {
        let draft = PolicyDraft(
            policy: policy, revision: revision, sequence: inquiry.sequence, stamp: newestMark,
            roots: hasRoots ? roots.roots(of: policy.id) : [])
        switch draft.compiled(source: { source(of: $0) }) {
        case .needs(let ids): throw inquiry.lacks(ids)
        case .made(let form, let resolved):
            inquiry.depend(on: form.sequence)
            return (resolved, form.enforcer)
        }
    }
}

extension PolicyCache.Beginning {
    enum Result {
        case absent
        case made(PolicyForm)
        /// These have to be in memory at once.
        case needs([PolicyID])
    }

    /// Compiles the policy.
    func compiled(_ id: PolicyID, source: (PolicyID) -> PolicySource?) -> Result {
        if let enforcer {
            // There are namespace roots, but none for this policy.
            return .made(
                PolicyForm(enforcer: enforcer, dependencies: [], sequence: sequence, stamp: stamp, bytes: 64))
        }
        guard let text, let parsed = ParsedPolicy(text, id: id) else { return .absent }
        let draft = PolicyDraft(
            policy: parsed.policy, revision: revision, sequence: sequence, stamp: stamp, roots: roots)
        return switch draft.compiled(source: source) {
        case .needs(let ids): .needs(ids)
        case .made(let form, _): .made(form)
        }
    }
}
