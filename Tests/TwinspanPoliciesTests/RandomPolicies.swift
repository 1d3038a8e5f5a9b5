// Random policies, questions and values over few names, so that statements meet.
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

    private static let levels = ["a", "b", "attributes", "features", "a-much-longer-level-name", "thingId", "policyId"]
    private static let namespaces = ["acme", "acme.eu", "acme.eu.north", "other", ""]
    private static let patterns = ["acme", "acme.*", "acme.eu", "acme.eu.*", "other"]
    private static let types = ["thing", "thing", "thing", "policy", "message", "custom"]

    /// A policy of a few entries, sometimes of so many that callers need several words.
    mutating func policy() throws -> Policy {
        let isLarge = Int.random(in: 0..<50, using: &generator) == 0
        let count = isLarge ? Int.random(in: 60...140, using: &generator) : Int.random(in: 0...6, using: &generator)
        var entries: [(String, JSONValue)] = []
        for number in 0..<count {
            let subjects = isLarge ? ["s:own\(number)"] + names() : names()
            entries.append(("E\(number)", entry(subjects)))
        }
        let document = JSONValue.object(JSONObject([("entries", .object(JSONObject(entries)))]))
        return try Policy.parse(document, id: try PolicyID("acme:p"))
    }

    /// Up to three subjects, some of them unknown to every policy.
    mutating func subjects() -> [String] {
        var subjects = names(atLeast: 1)
        if Int.random(in: 0..<8, using: &generator) == 0 {
            subjects.append("s:own\(Int.random(in: 0..<140, using: &generator))")
        }
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
    mutating func value() -> JSONValue {
        Int.random(in: 0..<8, using: &generator) == 0 ? value(depth: 4) : object(depth: 4)
    }

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

    private mutating func entry(_ subjects: [String]) -> JSONValue {
        var resources = JSONObject()
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            let path = path().map { "/" + $0 }.joined()
            resources["\(pick(Self.types)):\(path.isEmpty ? "/" : path)"] = [
                "grant": permissions(), "revoke": permissions(oneIn: 5),
            ]
        }
        var entry = JSONObject([
            ("subjects", .object(JSONObject(subjects.map { ($0, ["type": ""]) }))), ("resources", .object(resources)),
        ])
        if Int.random(in: 0..<4, using: &generator) == 0 {
            let count = Int.random(in: 0...2, using: &generator)
            entry["namespaces"] = .array((0..<count).map { _ in .string(pick(Self.patterns)) })
        }
        return .object(entry)
    }

    private mutating func permissions(oneIn: Int = 2) -> JSONValue {
        .array(
            Permission.allCases.filter { _ in Int.random(in: 0..<oneIn, using: &generator) == 0 }
                .map { .string($0.name) })
    }

    private mutating func names(atLeast minimum: Int = 0) -> [String] {
        let count = Int.random(in: minimum...3, using: &generator)
        return (0..<count).map { _ in "s:\(Int.random(in: 0..<4, using: &generator))" }
    }

    private mutating func pick(_ values: [String]) -> String { values.randomElement(using: &generator) ?? "" }
}
