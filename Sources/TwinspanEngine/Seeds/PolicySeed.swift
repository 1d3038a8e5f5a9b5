// A policy of the operator's files, read with every check that a creation has but that of permissions. Part by part, so
// that each problem has its place; what only the whole can tell comes last.
public import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

/// A policy that is to be there.
public struct PolicySeed: Sendable {
    public let id: PolicyID
    /// Whether it replaces what changed at run time; otherwise it is only made when there is none.
    public let isAlwaysApplied: Bool
    let policy: Policy
    let text: JSONText

    /// The policies it imports, in the order written.
    public var imports: [PolicyImport] { policy.imports ?? [] }
    /// Its entries, in the order written.
    public var entries: [PolicyEntry] { policy.entries }

    /// Reads a policy; nil when there is an error among the problems.
    ///
    /// A subject whose expiry has passed is left out, with a warning: a start must not fail because time went by.
    ///
    /// - Parameters:
    ///   - json: the policy in Ditto's form, with its id in `policyId`. Members with an underscore are passed over.
    ///   - access: whether a policy without permanent owner is refused.
    public static func read(
        _ json: JSONValue, isAlwaysApplied: Bool = false, limits: TwinLimits = TwinLimits(),
        access: AccessSettings = AccessSettings(), now: Timestamp
    ) -> (seed: PolicySeed?, problems: [SeedProblem]) {
        var reading = PolicySeedReading(limits: limits, access: access)
        let policy = reading.policy(json, now: now)
        let seed = policy.map { policy in
            PolicySeed(
                id: policy.id, isAlwaysApplied: isAlwaysApplied, policy: policy, text: JSONText(policy.json))
        }
        return (seed, reading.problems.all)
    }
}

/// The reading of one document.
struct PolicySeedReading {
    let limits: TwinLimits
    let access: AccessSettings
    var problems = SeedProblems()

    init(limits: TwinLimits, access: AccessSettings) {
        self.limits = limits
        self.access = access
    }

    /// Nil when there is an error.
    mutating func policy(_ json: JSONValue, now: Timestamp) -> Policy? {
        guard let object = json.object else {
            problems.add(.jsonInvalid("The policy is not a JSON object."), at: [])
            return nil
        }
        checkKeys(object, ["policyId", "imports", "entries"], at: [])
        let id = readID(object["policyId"])
        checkImports(object["imports"], of: id)
        checkEntries(object["entries"], hasImports: object["imports"] != nil)
        guard let id, !problems.hasErrors else { return nil }
        let present = withoutExpired(json, now: now)
        checkReferences(present, of: id)
        guard !problems.hasErrors else { return nil }
        return whole(present, id: id)
    }

    /// What only the whole policy can tell.
    private mutating func whole(_ json: JSONValue, id: PolicyID) -> Policy? {
        do throws(TwinspanError) {
            let policy = try Policy.parse(json, id: id, limits: PolicyLimits(limits))
            let size = JSONText(policy.json).bytes.count
            guard limits.policyBytes <= 0 || size <= limits.policyBytes else {
                throw PolicyErrorTable.tooLarge.error(
                    "The policy '\(id)' has \(size) bytes of \(limits.policyBytes).")
            }
            if access.preventsLockout { try policy.validateOwnership() }
            return policy
        } catch {
            let isOfImports = error.code == PolicyErrorTable.importsTooLarge.code
            let isOfOwner = error.code == PolicyErrorTable.modificationInvalid.code
            problems.add(error, at: isOfImports ? ["imports"] : isOfOwner ? ["entries"] : [])
            return nil
        }
    }

    private mutating func readID(_ json: JSONValue?) -> PolicyID? {
        guard let json else {
            problems.add(SeedProblem(at: [], "the policy has no 'policyId'", hint: "add one: policyId: plant:fleet"))
            return nil
        }
        return problems.check(at: ["policyId"]) { () throws(TwinspanError) in
            guard let text = json.string else { throw PolicyErrorTable.idInvalid.error() }
            return try PolicyID(text)
        }
    }

    // MARK: Imports

    private mutating func checkImports(_ json: JSONValue?, of id: PolicyID?) {
        guard let json, let object = members(json, at: ["imports"]) else { return }
        for (key, value) in object {
            let path = ["imports", key]
            guard problems.check(at: path, isAboutKey: true, { () throws(TwinspanError) in try PolicyID(key) }) != nil
            else { continue }
            guard let id else { continue }
            guard let parts = members(value, at: path) else { continue }
            checkKeys(parts, ["entries", "transitiveImports"], at: path)
            guard
                problems.check(
                    at: path, isAboutKey: true,
                    { () throws(TwinspanError) in try PolicyImport.parse(key: key, [:], of: id) }) != nil
            else { continue }
            for (name, part) in parts {
                _ = problems.check(at: path + [name]) { () throws(TwinspanError) in
                    try PolicyImport.parse(key: key, .object(JSONObject([(name, part)])), of: id)
                }
            }
        }
    }

    // MARK: Expiries

    /// The policy with expiries rounded up as they are stored, and without subjects whose expiry has passed.
    private mutating func withoutExpired(_ json: JSONValue, now: Timestamp) -> JSONValue {
        var json = json
        guard
            let earliest = SubjectExpiry.roundUp(
                in: &json, of: .policy, granularity: access.expiryGranularity,
                announcements: access.announcements.granularity),
            earliest.instant.milliseconds < now.milliseconds
        else { return json }
        for (label, entry) in json.object?["entries"]?.object?.members ?? [] {
            for (id, subject) in entry.object?["subjects"]?.object?.members ?? [] {
                guard let expiry = subject.object?["expiry"]?.string.flatMap({ SubjectExpiry($0) }),
                    expiry.instant.milliseconds < now.milliseconds
                else { continue }
                let path = ["entries", label, "subjects", id]
                json.remove(at: JSONPointer(segments: path))
                problems.add(
                    SeedProblem(
                        isError: false, at: path + ["expiry"], "the expiry of the subject '\(id)' has passed",
                        hint: "the subject is left out"))
            }
        }
        return json
    }

    // MARK: References

    /// Each reference on its own, with those before it in the same entry: which repeats another is told that way.
    private mutating func checkReferences(_ json: JSONValue, of id: PolicyID) {
        var bare = json
        var given: [(label: String, references: [JSONValue])] = []
        for (label, entry) in json.object?["entries"]?.object?.members ?? [] {
            guard let references = entry.object?["references"]?.array, !references.isEmpty else { continue }
            given.append((label, references))
            bare.remove(at: JSONPointer(segments: ["entries", label, "references"]))
        }
        for (label, references) in given {
            var right: [JSONValue] = []
            for (index, reference) in references.enumerated() {
                var tried = bare
                let path = ["entries", label, "references"]
                tried.set(.array(right + [reference]), at: JSONPointer(segments: path))
                let limits = PolicyLimits(limits)
                let isRight =
                    problems.check(at: path + ["\(index)"]) { () throws(TwinspanError) in
                        try Policy.parse(tried, id: id, limits: PolicyLimits(sizeBytes: 0, imports: limits.imports))
                    } != nil
                if isRight { right.append(reference) }
            }
        }
    }

    // MARK: Pieces

    /// The members of an object; nil, and a problem, for another kind of value.
    mutating func members(_ json: JSONValue, at path: [String]) -> [JSONObject.Element]? {
        guard let object = json.object else {
            problems.add(
                .jsonInvalid("'\(path.joined(separator: "/"))' must be an object."), at: path)
            return nil
        }
        return object.members
    }

    /// Keys that nobody knows are passed over when they come in a command; in a file they are mistakes.
    mutating func checkKeys(_ object: JSONObject, _ known: [String], at path: [String]) {
        checkKeys(object.members, known, at: path)
    }

    mutating func checkKeys(_ members: [JSONObject.Element], _ known: [String], at path: [String]) {
        for (key, _) in members where !known.contains(key) && !key.hasPrefix("_") {
            problems.add(
                SeedProblem(
                    isError: false, at: path + [key], isAboutKey: true, "unknown key '\(key)'",
                    hint: "it is passed over; there are: \(known.joined(separator: ", "))", candidates: known))
        }
    }
}
