// The judge of one revision of a policy. Compiled when the policy changes, asked several times per message, from any
// thread. The rules are those of spec/policies-search.md A.3; the trie answers them without allocation.
public import TwinspanJSON
public import TwinspanProtocol

/// Decides what callers may do, by the entries of one policy. Imports and references must have been resolved before.
///
/// The subjects of a caller are pooled: the deepest statement of any of its entries wins, and on equal depth a revoke
/// beats a grant, whichever subject it was made for. `namespace` is that of the thing; it is asked for only if an entry
/// is bound to namespaces, and never for the policy's own resources. A decision costs time in the number of subjects
/// and path segments.
public final class PolicyEnforcer: Sendable {
    /// The policy.
    public let policyID: PolicyID
    /// The revision of the policy that was compiled.
    public let revision: Int64

    let trie: ResourceTrie
    private let classes: SubjectClasses

    /// Compiles a policy whose entries count as they are. Takes a few microseconds per entry.
    public convenience init(_ policy: Policy, revision: Int64) {
        self.init(policy.id, policy.entries, revision: revision)
    }

    /// Compiles a resolved policy.
    public convenience init(_ policy: ResolvedPolicy, revision: Int64) {
        self.init(policy.id, policy.entries.map(\.entry), revision: revision)
    }

    private init(_ id: PolicyID, _ entries: [PolicyEntry], revision: Int64) {
        let (classes, entries) = SubjectClasses.classify(entries)
        var builder = ResourceTrieBuilder(wordCount: classes.wordCount)
        for (entry, number) in entries {
            for resource in entry.resources { builder.add(resource, classNumber: number) }
        }
        policyID = id
        self.revision = revision
        self.classes = classes
        trie = builder.build()
    }

    /// Whether the permission is granted at `path`, whatever holds below it (A.3 step 4).
    public func isAllowed(
        _ permission: Permission, _ type: PolicyResourceType, _ path: JSONPointer, subjects: AuthorizationContext,
        namespace: @autoclosure () -> String
    ) -> Bool {
        ask(permission, type, subjects, namespace, otherwise: false) { asker in
            trie.cursor(type, path.segments, asker).isAllowed
        }
    }

    /// Whether the permission is granted at `path` and revoked nowhere below it, be there data or not (A.3 step 5).
    public func isUnrestricted(
        _ permission: Permission, _ type: PolicyResourceType, _ path: JSONPointer, subjects: AuthorizationContext,
        namespace: @autoclosure () -> String
    ) -> Bool {
        ask(permission, type, subjects, namespace, otherwise: false) { asker in
            trie.cursor(type, path.segments, asker).isUnrestricted
        }
    }

    /// Whether the permission is granted at `path` or at some resource of the policy below it (A.3 step 6).
    ///
    /// Below a revoke, in the worst case linear in the number of resources below `path`.
    public func isPartial(
        _ permission: Permission, _ type: PolicyResourceType, _ path: JSONPointer, subjects: AuthorizationContext,
        namespace: @autoclosure () -> String
    ) -> Bool {
        ask(permission, type, subjects, namespace, otherwise: false) { asker in
            trie.isPartial(trie.cursor(type, path.segments, asker), asker)
        }
    }

    /// Whether an event at `path` of a thing may go to a subscriber as it is: unrestricted READ there.
    public func canReadEverything(
        at path: JSONPointer, subjects: AuthorizationContext, namespace: @autoclosure () -> String
    ) -> Bool {
        isUnrestricted(.read, .thing, path, subjects: subjects, namespace: namespace())
    }

    /// Resolves a caller to its classes and calls `body` with them. Returns `otherwise` for a caller without any.
    @inline(__always)
    func ask<Answer>(
        _ permission: Permission, _ type: PolicyResourceType, _ subjects: AuthorizationContext,
        _ namespace: () -> String, otherwise: Answer, _ body: (Asker) -> Answer
    ) -> Answer {
        // On the stack up to 1 KiB, that is for 8,192 classes: more than fit a policy of the permitted size.
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: classes.wordCount) { buffer in
            buffer.initialize(repeating: 0)
            guard let caller = buffer.baseAddress, classes.collect(subjects, into: caller) else { return otherwise }
            if classes.hasNamespaces, type != .policy { classes.narrow(caller, to: namespace()) }
            return body(Asker(classes: caller, permission: permission))
        }
    }
}
