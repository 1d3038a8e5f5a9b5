// A policy as it decides: compiled from its own entries, those it imports, and those of the namespace roots
// (spec/policies-search.md A.5–A.7), with what has to stay the same for the compiled form to hold.
import TwinspanPolicies
import TwinspanProtocol

/// What is known of the policy that decides about something.
enum PolicyKnowledge {
    /// The enforcer, nil when there is no such policy, and the newest sequence of everything it was compiled from: no
    /// answer may leave before that is committed.
    case known(PolicyEnforcer?, sequence: Int64)
    /// These have to be in memory first, all at once; some of them may be already. Never empty.
    case needs([PolicyID])
}

/// A policy as another one builds on it.
struct PolicySource {
    /// Nil when it does not exist.
    let policy: Policy?
    let revision: Int64
    let sequence: Int64
}

/// One compiled form. It holds as long as none of the policies it was made from changes.
final class PolicyForm: Sendable {
    /// A policy it was made from, or the absence of one.
    struct Dependency {
        let id: PolicyID
        let revision: Int64
        /// Where the cache notes changes of it.
        let bucket: Int32
    }

    let enforcer: PolicyEnforcer
    let dependencies: [Dependency]
    /// The newest sequence of the policy and its dependencies when it was made.
    let sequence: Int64
    /// The newest change of any policy that was seen when it was made, or found to hold still.
    let stamp: Int64
    /// An estimate of its memory.
    let bytes: Int

    init(enforcer: PolicyEnforcer, dependencies: [Dependency], sequence: Int64, stamp: Int64, bytes: Int) {
        self.enforcer = enforcer
        self.dependencies = dependencies
        self.sequence = sequence
        self.stamp = stamp
        self.bytes = bytes
    }

    /// The same form, found to hold after all changes up to `stamp`.
    func renewed(_ stamp: Int64) -> PolicyForm {
        PolicyForm(enforcer: enforcer, dependencies: dependencies, sequence: sequence, stamp: stamp, bytes: bytes)
    }
}

/// A policy that is about to be compiled.
struct PolicyDraft {
    let policy: Policy
    let revision: Int64
    let sequence: Int64
    /// The newest change of any policy before anything was read.
    let stamp: Int64
    /// The root policies of its namespace.
    let roots: [PolicyID]

    enum Result {
        case made(PolicyForm, ResolvedPolicy)
        /// These have to be in memory at once.
        case needs([PolicyID])
    }

    /// Resolves and compiles it. `source` gives what is known of another policy, nil when it has to be loaded.
    func compiled(source: (PolicyID) -> PolicySource?) -> Result {
        var dependencies: [PolicyForm.Dependency] = []
        var asked = [policy.id]
        var newest = sequence
        let resolution = policy.resolved(roots: roots) { id in
            asked.append(id)
            guard let source = source(id) else { return .notLoaded }
            dependencies.append(
                PolicyForm.Dependency(id: id, revision: source.revision, bucket: PolicyCache.bucket(of: id)))
            newest = max(newest, source.sequence)
            return source.policy.map { .found($0) } ?? .absent
        }
        switch resolution {
        case .needs(let ids): return .needs(asked + ids)
        case .resolved(let resolved):
            let form = PolicyForm(
                enforcer: PolicyEnforcer(resolved, revision: revision), dependencies: dependencies, sequence: newest,
                stamp: stamp, bytes: resolved.compiledBytes + dependencies.count * 64)
            return .made(form, resolved)
        }
    }
}

extension ResolvedPolicy {
    /// An estimate of what its enforcer takes: names and nodes.
    fileprivate var compiledBytes: Int {
        entries.reduce(0) { sum, entry in
            let subjects = entry.entry.subjects.reduce(0) { $0 + $1.id.utf8.count + 96 }
            let resources = entry.entry.resources.reduce(0) { $0 + $1.key.utf8.count * 2 + 256 }
            return sum + subjects + resources
        }
    }
}

/// What a judgement under the lock of the policies has asked about them.
struct PolicyInquiry {
    /// Every policy that was asked for, so that all of them can be in memory at once.
    private(set) var asked: [PolicyID] = []
    /// Whether some of them have to be loaded before anything can be said. The error that the judgement has thrown then
    /// says nothing.
    private(set) var isUnanswered = false
    /// The newest sequence the judgement depends on.
    private(set) var sequence: Int64

    init(sequence: Int64) {
        self.sequence = sequence
    }

    /// Something that was found out depends on the sequence.
    mutating func depend(on sequence: Int64) {
        self.sequence = max(self.sequence, sequence)
    }

    mutating func ask(for id: PolicyID) {
        asked.append(id)
    }

    /// Notes that policies have to be loaded, and returns what is to be thrown for that; it goes nowhere.
    mutating func lacks(_ ids: [PolicyID]) -> TwinspanError {
        asked += ids
        isUnanswered = true
        return PolicyErrorTable.unavailable.error()
    }
}
