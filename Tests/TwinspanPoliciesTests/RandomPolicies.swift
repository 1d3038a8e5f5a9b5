// Random policies that import each other, questions and values over few names, so that statements meet.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// SplitMix64: small, and the same sequence everywhere for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

struct RandomPolicies {
    var generator: SeededGenerator

    private static let ids = ["acme:a", "acme.eu:b", "acme.eu.north:c", "other:d", "acme.eu:e", "acme:f"]
    private static let levels = ["a", "b", "attributes", "features", "a-much-longer-level-name", "thingId", "policyId"]
    private static let namespaces = ["acme", "acme.eu", "acme.eu.north", "other", ""]
    private static let patterns = ["acme", "acme.*", "acme.eu", "acme.eu.*", "other"]
    private static let types = ["thing", "thing", "thing", "policy", "message", "custom"]
    private static let additions = ["subjects", "resources", "namespaces"]

    /// Up to six policies that import and refer to each other, and to some that do not exist; with roots.
    mutating func world() -> PlainResolver {
        let count = Int.random(in: 1...Self.ids.count, using: &generator)
        var policies: [String: PlainPolicy] = [:]
        for id in Self.ids.prefix(count) { policies[id] = policy(id) }
        var roots: [(pattern: String, policies: [String])] = []
        for pattern in Self.patterns + ["*"] where oneIn(4) {
            roots.append((pattern, [pick(Self.ids), pick(Self.ids)]))
        }
        roots.shuffle(using: &generator)
        return PlainResolver(policies: policies, roots: roots)
    }

    /// Up to three subjects, some of them unknown to every policy.
    mutating func subjects() -> [String] {
        var subjects = names(atLeast: 1)
        if oneIn(8) { subjects.append("s:own\(Int.random(in: 0..<140, using: &generator))") }
        return subjects
    }

    mutating func type() -> PolicyResourceType {
        [.thing, .thing, .policy, .message].randomElement(using: &generator) ?? .thing
    }

    mutating func permission() -> Permission { Permission.allCases.randomElement(using: &generator) ?? .read }

    mutating func namespace() -> String { pick(Self.namespaces) }

    mutating func path() -> [String] {
        let depth = [0, 0, 1, 1, 2, 2, 3, 4].randomElement(using: &generator) ?? 0
        return (0..<depth).map { _ in pick(Self.levels) }
    }

    /// Mostly an object.
    mutating func value() -> JSONValue { oneIn(8) ? value(depth: 4) : object(depth: 4) }

    private mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 3), using: &generator) {
        case 0: return .null
        case 1: return .bool(true)
        case 2: return .number(JSONNumber(Int.random(in: 0..<9, using: &generator)))
        case 3, 4:
            let count = Int.random(in: 0...3, using: &generator)
            return .array((0..<count).map { _ in value(depth: depth - 1) })
        default: return object(depth: depth)
        }
    }

    private mutating func object(depth: Int) -> JSONValue {
        let count = Int.random(in: 0...4, using: &generator)
        return .object(JSONObject((0..<count).map { _ in (pick(Self.levels), value(depth: depth - 1)) }))
    }

    /// A policy of a few entries, sometimes of so many that callers need several words.
    private mutating func policy(_ id: String) -> PlainPolicy {
        var policy = PlainPolicy(id: id)
        for other in Self.ids where other != id && oneIn(2) { policy.imports.append(policyImport(of: other, by: id)) }
        policy.imports.shuffle(using: &generator)
        let isLarge = oneIn(150)
        let count = isLarge ? Int.random(in: 60...140, using: &generator) : Int.random(in: 0...4, using: &generator)
        for number in 0..<count {
            policy.entries.append(entry("E\(number)", isLarge ? ["s:own\(number)"] + names() : names()))
        }
        addReferences(to: &policy)
        return policy
    }

    private mutating func policyImport(of other: String, by id: String) -> PlainPolicy.Import {
        var listed = PlainPolicy.Import(policy: other, entries: [], transitiveImports: [])
        for _ in 0..<Int.random(in: 0...3, using: &generator) { listed.entries.append(label(other)) }
        if oneIn(2) {
            listed.transitiveImports = Self.ids.filter { $0 != id && oneIn(2) }
        }
        return listed
    }

    /// A label as an importer of the policy may list it: of the policy itself, or of one that it imports.
    private mutating func label(_ policy: String) -> String {
        let label = "E\(Int.random(in: 0...4, using: &generator))"
        guard oneIn(2) else { return label }
        let inner = "imported-\(pick(Self.ids))-\(label)"
        return oneIn(4) ? "imported-\(pick(Self.ids))-\(inner)" : inner
    }

    /// References that are legal to write: local ones to other entries that may be imported, others to anything that
    /// an imported policy may have.
    private mutating func addReferences(to policy: inout PlainPolicy) {
        let targets = policy.entries.filter { $0.importable != "never" }.map(\.label)
        let imports = policy.imports.map(\.policy)
        for index in policy.entries.indices where oneIn(3) {
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let isLocal = imports.isEmpty || oneIn(3)
                let source = isLocal ? nil : pick(imports)
                let target = source.map { label($0) } ?? pick(targets)
                let isWritten = policy.entries[index].references.contains { $0 == (source, target) }
                if target.isEmpty || isWritten || (isLocal && target == policy.entries[index].label) { continue }
                policy.entries[index].references.append((source, target))
            }
        }
    }

    private mutating func entry(_ label: String, _ subjects: [String]) -> PlainEntry {
        var entry = PlainEntry(label: label, subjects: unique(subjects), resources: [])
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            let resource = PlainResource(
                type: pick(Self.types), path: path(), grants: permissions(), revokes: permissions(oneIn: 5))
            if !entry.resources.contains(where: { $0.key == resource.key }) { entry.resources.append(resource) }
        }
        if oneIn(4) {
            let count = Int.random(in: 0...2, using: &generator)
            entry.namespaces = unique((0..<count).map { _ in pick(Self.patterns) })
        }
        entry.importable = pick(["implicit", "implicit", "implicit", "explicit", "never"])
        if oneIn(3) { entry.allowedAdditions = Self.additions.filter { _ in oneIn(2) } }
        return entry
    }

    private mutating func permissions(oneIn: Int = 2) -> Set<String> {
        Set(Permission.allCases.filter { _ in self.oneIn(oneIn) }.map(\.name))
    }

    private mutating func names(atLeast minimum: Int = 0) -> [String] {
        let count = Int.random(in: minimum...3, using: &generator)
        return (0..<count).map { _ in "s:\(Int.random(in: 0..<4, using: &generator))" }
    }

    private mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &generator) == 0 }

    private mutating func pick(_ values: [String]) -> String { values.randomElement(using: &generator) ?? "" }

    private func unique(_ values: [String]) -> [String] {
        var unique: [String] = []
        for value in values where !unique.contains(value) { unique.append(value) }
        return unique
    }
}
