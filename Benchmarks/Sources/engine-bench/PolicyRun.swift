import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// Decisions and views under policies of some size: the questions that every message asks.
struct PolicyRun {
    /// What is asked.
    enum Question: String, CaseIterable {
        /// May this caller READ and WRITE a property: two questions.
        case decision
        /// What a caller sees of a thing who may read some of its features.
        case view
    }

    private let policy: Policy
    private let enforcer: PolicyEnforcer
    private let thing: JSONValue
    private let bytes: [UInt8]
    private let caller: AuthorizationContext
    private let paths: [JSONPointer]
    private static let batch = 500
    private static let features = 20

    init(entries: Int) throws {
        // The largest is beyond the usual limit of size.
        policy = try Policy.parse(
            try Self.document(entries), id: PolicyID("bench:policy"), limits: PolicyLimits(sizeBytes: 0, imports: 0))
        enforcer = PolicyEnforcer(policy, revision: 1)
        thing = Self.thing
        bytes = JSONText(thing).bytes
        caller = AuthorizationContext(["bench:team-1", "bench:team-2"])
        paths = (0..<Self.features).map { JSONPointer(segments: ["features", "feature-\($0)", "properties", "rpm"]) }
    }

    /// The cost of one question.
    func measure(_ question: Question, milliseconds: Int) throws -> Figure {
        try repeated(milliseconds) {
            switch question {
            case .decision: decide()
            case .view: try view()
            }
        }
    }

    /// The cost of what the question is compared with: a walk over all entries for decisions, and for views the
    /// parsing of the thing that is cut.
    func baseline(_ question: Question, milliseconds: Int) throws -> Figure {
        try repeated(milliseconds) {
            switch question {
            case .decision: walk()
            case .view: try parse()
            }
        }
    }

    private func repeated(_ milliseconds: Int, _ work: () throws -> Int) throws -> Figure {
        var cost = Cost()
        var operations = 0
        let end = Cost.now + UInt64(milliseconds) * 1_000_000
        repeat {
            let answers = try cost.add {
                var answers = 0
                for _ in 0..<Self.batch { answers &+= try work() }
                return answers
            }
            guard answers > 0 else { throw BenchFailure(description: "a policy answered nothing") }
            operations += Self.batch
        } while Cost.now < end
        return cost.perOperation(operations)
    }

    // MARK: Ours

    private func decide() -> Int {
        // A path that may be read, one that may be written, and one that may not, in turns over the batch.
        let path = paths[1]
        let mayRead = enforcer.isUnrestricted(.read, .thing, path, subjects: caller, namespace: "bench")
        let mayWrite = enforcer.isUnrestricted(.write, .thing, path, subjects: caller, namespace: "bench")
        return (mayRead ? 1 : 0) + (mayWrite ? 1 : 0)
    }

    private func view() throws -> Int {
        let part = enforcer.view(of: thing, type: .thing, base: .root, subjects: caller, namespace: "bench")
        return part?.object?.count ?? 0
    }

    // MARK: Baselines

    private func walk() -> Int {
        (mayPlainly(.read) ? 1 : 0) + (mayPlainly(.write) ? 1 : 0)
    }

    /// The deepest grant against the deepest revoke, looked for in every entry.
    private func mayPlainly(_ permission: Permission) -> Bool {
        let path = paths[1].segments
        var grant = -1
        var revoke = -1
        for entry in policy.entries
        where entry.subjects.contains(where: { subject in caller.subjects.contains { $0 == subject.id } }) {
            for resource in entry.resources where resource.type == .thing {
                let segments = resource.path.segments
                guard path.starts(with: segments) else { continue }
                if resource.grants.contains(permission) { grant = max(grant, segments.count) }
                if resource.revokes.contains(permission) { revoke = max(revoke, segments.count) }
            }
        }
        return grant > revoke
    }

    private func parse() throws -> Int {
        try JSONValue.parse(bytes).object?.count ?? 0
    }

    // MARK: The policy and the thing

    /// An owner, and teams of which each may read a feature but for one property, and write another property.
    private static func document(_ entries: Int) throws -> JSONValue {
        let rights: JSONValue = ["grant": ["READ", "WRITE"], "revoke": []]
        var members: [(String, JSONValue)] = [
            (
                "owner",
                [
                    "subjects": ["bench:owner": ["type": "bench"]],
                    "resources": ["policy:/": rights, "thing:/": rights, "message:/": rights],
                ]
            )
        ]
        for number in 1..<entries {
            let feature = "thing:/features/feature-\(number % features)"
            var resources = JSONObject()
            resources[feature] = ["grant": ["READ"], "revoke": []]
            resources["\(feature)/properties/secret"] = ["grant": [], "revoke": ["READ"]]
            resources["\(feature)/properties/rpm"] = ["grant": ["WRITE"], "revoke": []]
            var subjects = JSONObject()
            subjects["bench:team-\(number)"] = ["type": "bench"]
            members.append(
                ("team-\(number)", ["subjects": .object(subjects), "resources": .object(resources)]))
        }
        return ["entries": .object(JSONObject(members))]
    }

    private static var thing: JSONValue {
        var all = JSONObject()
        for number in 0..<features {
            all["feature-\(number)"] = [
                "properties": ["rpm": 900, "temperature": 61.5, "secret": "77", "state": ["on": true, "mode": "eco"]]
            ]
        }
        return [
            "thingId": "bench:device", "policyId": "bench:policy",
            "attributes": ["site": "North", "serial": "X1"], "features": .object(all),
        ]
    }
}
