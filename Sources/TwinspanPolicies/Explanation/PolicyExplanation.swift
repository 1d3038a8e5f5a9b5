// Why somebody may, or may not: the rules of spec/policies-search.md A.3 followed step by step, with everything that
// mattered on the way. For people; it is as slow as it is simple, and `PolicyEnforcer` is what decides.
import TwinspanJSON
public import TwinspanProtocol

/// The answer to a question about access, with its reasons.
public struct PolicyExplanation: Sendable, Equatable {
    /// What the policy comes to.
    public enum Verdict: String, Sendable, CaseIterable {
        /// Granted at the resource and revoked nowhere below it.
        case unrestricted
        /// Granted at the resource, but revoked somewhere below it.
        case restricted
        /// Not granted at the resource, but somewhere below it.
        case partial
        /// Neither there nor below.
        case denied
    }

    /// What a statement does.
    public enum Effect: String, Sendable, CaseIterable { case grant, revoke }

    /// An entry of the resolved policy, as one finds it in the documents.
    public struct Place: Sendable, Equatable {
        /// The label in the resolved policy, with the prefixes of imports.
        public let label: String
        /// The label in the policy that holds the entry.
        public let sourceLabel: String
        public let origin: ResolvedPolicy.Origin
    }

    /// One permission granted or revoked at one path, for subjects of the caller.
    public struct Statement: Sendable, Equatable {
        public let place: Place
        /// The references of the entry by which it has this resource or one of these subjects.
        public let references: [PolicyEntry.Reference]
        /// The subjects of the caller that the entry names.
        public let subjects: [String]
        /// The resource key as written.
        public let resource: String
        /// 1 for the root of a type, one more for each level.
        public let depth: Int
        public let effect: Effect
        /// Whether a revoke on the same path makes this grant void.
        public var isVoid: Bool
    }

    /// Why the decisive statement wins.
    public enum Reason: String, Sendable, CaseIterable {
        /// No other statement reaches the resource.
        case onlyStatement
        /// Nothing at the same depth or deeper says otherwise.
        case deepest
        /// A grant is as deep, and a revoke wins over it.
        case revokeWinsTie
    }

    /// An entry that does not count.
    public struct Omission: Sendable, Equatable {
        /// Why it does not.
        public enum Reason: Sendable, Equatable {
            case noSubjects
            case noResources
            /// It counts for these namespaces only.
            case otherNamespace([String])
        }

        public let place: Place
        public let reason: Reason
        /// Whether it names a subject of the caller, so that it would count otherwise.
        public let namesCaller: Bool
    }

    /// A subject of the caller that no entry names.
    public struct UnknownSubject: Sendable, Equatable {
        public let id: String
        /// The subject of the policy that was most likely meant.
        public let nearest: String?
    }

    public let policy: PolicyID
    public let question: AccessQuestion
    public let verdict: Verdict
    /// What is said at the resource and above it, the deepest first, on equal depth revokes first.
    public let statements: [Statement]
    /// Why the first of the statements decides; nil when there are none.
    public let reason: Reason?
    /// What is said below the resource, the shallowest first: revokes restrict, grants open parts.
    public let below: [Statement]
    public let omissions: [Omission]
    public let unknownSubjects: [UnknownSubject]
    /// Policies that are imported, or roots of the namespace, but do not exist; they give nothing.
    public let missingPolicies: [PolicyID]
    /// Imports that were not followed because they are nested too deep or too many, each with the way to it.
    public let passedOver: [[PolicyID]]

    /// Whether the permission is granted at the resource.
    public var isAllowed: Bool { verdict == .unrestricted || verdict == .restricted }
    /// The statement that decides about the resource; nil when nothing is said about it.
    public var decisive: Statement? { statements.first }

    /// Explains what a policy answers to a question.
    ///
    /// - Parameters:
    ///   - missing: policies that were looked for when it was resolved, and do not exist.
    ///   - nearest: the candidate that a mistyped name most likely means.
    public init(
        _ question: AccessQuestion, under policy: ResolvedPolicy, missing: [PolicyID] = [],
        nearest: (String, [String]) -> String? = { _, _ in nil }
    ) {
        var collector = StatementCollector(question: question, policy: policy)
        collector.collect()
        let statements = collector.above
        let below = collector.below
        let isGranted = statements.first?.effect == .grant
        let verdict: Verdict =
            if isGranted {
                below.contains { $0.effect == .revoke } ? .restricted : .unrestricted
            } else {
                below.contains { $0.effect == .grant && !$0.isVoid } ? .partial : .denied
            }
        self.init(
            policy: policy.id, question: question, verdict: verdict, statements: statements,
            reason: Self.reason(of: statements), below: below, omissions: collector.omissions,
            unknownSubjects: Self.unknown(question.subjects, in: policy, nearest), missingPolicies: missing,
            passedOver: policy.passedOver)
    }

    init(
        policy: PolicyID, question: AccessQuestion, verdict: Verdict, statements: [Statement], reason: Reason?,
        below: [Statement], omissions: [Omission], unknownSubjects: [UnknownSubject], missingPolicies: [PolicyID],
        passedOver: [[PolicyID]]
    ) {
        self.policy = policy
        self.question = question
        self.verdict = verdict
        self.statements = statements
        self.reason = reason
        self.below = below
        self.omissions = omissions
        self.unknownSubjects = unknownSubjects
        self.missingPolicies = missingPolicies
        self.passedOver = passedOver
    }

    private static func reason(of statements: [Statement]) -> Reason? {
        guard let first = statements.first else { return nil }
        let rivals = statements.dropFirst().filter { $0.effect != first.effect }
        if first.effect == .revoke, rivals.contains(where: { $0.depth == first.depth }) { return .revokeWinsTie }
        return statements.count == 1 ? .onlyStatement : .deepest
    }

    /// A subject without its issuer is told with it.
    private static func unknown(
        _ subjects: [String], in policy: ResolvedPolicy, _ nearest: (String, [String]) -> String?
    ) -> [UnknownSubject] {
        var known: [String] = []
        var seen: Set<ByteName> = []
        for subject in policy.entries.flatMap(\.entry.subjects) where seen.insert(ByteName(text: subject.id)).inserted {
            known.append(subject.id)
        }
        return subjects.filter { !seen.contains(ByteName(text: $0)) }.map { subject in
            let withIssuer = known.first { $0.hasSuffix(":\(subject)") }
            return UnknownSubject(id: subject, nearest: withIssuer ?? nearest(subject, known))
        }
    }
}
