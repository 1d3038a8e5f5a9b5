// A thing of the operator's files, read with every check that a creation has but that of permissions.
public import TwinspanJSON
public import TwinspanProtocol

/// A thing that is to be there.
public struct ThingSeed: Sendable {
    public let id: ThingID
    /// The policy it stands under.
    public let policyID: PolicyID
    /// Whether it replaces what changed at run time; otherwise it is only made when there is none.
    public let isAlwaysApplied: Bool
    let text: JSONText
    /// `_metadata`; nil when none is given, and the thing then keeps what it has.
    let metadata: JSONText?

    /// Reads a thing; nil when there is an error among the problems.
    ///
    /// - Parameter json: the thing in Ditto's form. `thingId` and `policyId` have to be there: nobody's id or subject
    ///   could stand in for them. Members with an underscore are passed over, `_metadata` apart.
    public static func read(
        _ json: JSONValue, isAlwaysApplied: Bool = false, limits: TwinLimits = TwinLimits()
    ) -> (seed: ThingSeed?, problems: [SeedProblem]) {
        var reading = ThingSeedReading()
        let seed = reading.seed(json, isAlwaysApplied: isAlwaysApplied, limits)
        return (seed, reading.problems.all)
    }

    init(id: ThingID, policyID: PolicyID, isAlwaysApplied: Bool, text: JSONText, metadata: JSONText?) {
        self.id = id
        self.policyID = policyID
        self.isAlwaysApplied = isAlwaysApplied
        self.text = text
        self.metadata = metadata
    }
}

/// The reading of one document.
private struct ThingSeedReading {
    var problems = SeedProblems()

    private static let members = ["thingId", "policyId", "definition", "attributes", "features"]

    mutating func seed(_ json: JSONValue, isAlwaysApplied: Bool, _ limits: TwinLimits) -> ThingSeed? {
        guard let object = json.object else {
            problems.add(.jsonInvalid("The thing is not a JSON object."), at: [])
            return nil
        }
        checkKeys(object, Self.members, at: [])
        let id = text(object, "thingId", "add one: thingId: plant:pump-7", ThingErrorTable.idInvalid) {
            text throws(TwinspanError) in try ThingID(text)
        }
        let policyID = text(
            object, "policyId", "name the policy that says who may do what with the thing",
            PolicyErrorTable.idInvalid
        ) { text throws(TwinspanError) in try PolicyID(text) }
        for name in ["_policy", "_copyPolicyFrom"] where object[name] != nil {
            problems.add(
                SeedProblem(
                    at: [name], isAboutKey: true, "a thing of a file cannot bring its policy along",
                    hint: "put the policy into a file of its own and name it by 'policyId'"))
        }
        if let definition = object["definition"] { check("definition", definition, at: ["definition"]) }
        if let attributes = object["attributes"] { checkValue("attributes", attributes, at: ["attributes"]) }
        if let features = object["features"] { checkFeatures(features) }
        let metadata = object["_metadata"]
        if let metadata, metadata.object == nil {
            problems.add(.jsonInvalid("The metadata is not a JSON object."), at: ["_metadata"])
        }
        guard let id, let policyID, !problems.hasErrors else { return nil }
        let seed = ThingSeed(
            id: id, policyID: policyID, isAlwaysApplied: isAlwaysApplied,
            text: ThingForm.thing(object, id: id, policyID: policyID), metadata: metadata.map { JSONText($0) })
        let state = ThingState(
            policyID: policyID, revision: 1, created: Timestamp(milliseconds: 0),
            modified: Timestamp(milliseconds: 0), text: seed.text, metadata: seed.metadata)
        guard problems.check(at: [], { () throws(TwinspanError) in try limits.check(state, id: id) }) != nil else {
            return nil
        }
        return seed
    }

    private mutating func text<Value>(
        _ object: JSONObject, _ name: String, _ hint: String, _ row: ErrorRow,
        _ read: (String) throws(TwinspanError) -> Value
    ) -> Value? {
        guard let json = object[name] else {
            problems.add(SeedProblem(at: [], "the thing has no '\(name)'", hint: hint))
            return nil
        }
        return problems.check(at: [name]) { () throws(TwinspanError) in
            guard let text = json.string else { throw row.error() }
            return try read(text)
        }
    }

    private mutating func checkFeatures(_ json: JSONValue) {
        guard !json.isNull else { return }
        guard let features = json.object else {
            problems.add(.jsonInvalid("The features are not a JSON object."), at: ["features"])
            return
        }
        for (id, feature) in features {
            let path = ["features", id]
            if !ThingResource.isLegalKey(id) { problems.add(.keyInvalid(id), at: path, isAboutKey: true) }
            guard let object = feature.object else {
                if !feature.isNull { problems.add(.jsonInvalid("The feature is not a JSON object."), at: path) }
                continue
            }
            checkKeys(object, ["definition", "properties", "desiredProperties"], at: path)
            for (name, value) in object {
                if name == "definition" { check("featureDefinition", value, at: path + [name]) }
                if name == "properties" || name == "desiredProperties" { checkValue(name, value, at: path + [name]) }
            }
        }
    }

    /// By the rules of the resource `features/x/definition` or `definition`.
    private mutating func check(_ kind: String, _ value: JSONValue, at path: [String]) {
        let address = kind == "definition" ? ["definition"] : ["features", "x", "definition"]
        _ = problems.check(at: path) { () throws(TwinspanError) in
            try ThingForm.check(JSONText(value), for: try ThingResource(JSONPointer(segments: address)))
        }
    }

    /// An object and every key in it, not through lists (spec/protocol.md §1.2).
    private mutating func checkValue(_ name: String, _ value: JSONValue, at path: [String]) {
        guard value.isNull || value.object != nil else {
            problems.add(.jsonInvalid("The \(name) are not a JSON object."), at: path)
            return
        }
        checkValueKeys(value, at: path)
    }

    /// The depth is bounded by the reader of the file.
    private mutating func checkValueKeys(_ value: JSONValue, at path: [String]) {
        guard let object = value.object else { return }
        for (key, member) in object {
            if !ThingResource.isLegalKey(key) { problems.add(.keyInvalid(key), at: path + [key], isAboutKey: true) }
            checkValueKeys(member, at: path + [key])
        }
    }

    private mutating func checkKeys(_ object: JSONObject, _ known: [String], at path: [String]) {
        for (key, _) in object where !known.contains(key) && !key.hasPrefix("_") {
            problems.add(
                SeedProblem(
                    isError: false, at: path + [key], isAboutKey: true, "unknown key '\(key)'",
                    hint: "it is passed over; there are: \(known.joined(separator: ", "))", candidates: known))
        }
    }
}
