// An explanation as JSON: what the management of the service answers, and what its tools read back.
public import TwinspanJSON
import TwinspanProtocol

extension PolicyExplanation {
    /// `{"summary", "verdict", "allowed", "question", "decidedBy", "why", "statements", "below", "leftOut",
    /// "unknownSubjects", "missingPolicies", "passedOver"}`.
    public var json: JSONValue {
        [
            "summary": .string(summary), "verdict": .string(verdict.rawValue), "allowed": .bool(isAllowed),
            "question": questionJSON, "decidedBy": decisive.map(\.json) ?? .null,
            "why": reason.map { .string($0.rawValue) } ?? .null,
            "statements": .array(statements.map(\.json)), "below": .array(below.map(\.json)),
            "leftOut": .array(omissions.map(\.json)),
            "unknownSubjects": .array(
                unknownSubjects.map { subject in
                    ["subject": .string(subject.id), "nearest": subject.nearest.map { .string($0) } ?? .null]
                }),
            "missingPolicies": .array(missingPolicies.map { .string($0.text) }),
            "passedOver": .array(passedOver.map { way in .array(way.map { .string($0.text) }) }),
        ]
    }

    private var questionJSON: JSONValue {
        var json = JSONObject([("policy", .string(policy.text))])
        json["thing"] = question.thing.map { .string($0.text) }
        json["namespace"] = question.namespace.map { .string($0) }
        json["subjects"] = .array(question.subjects.map { .string($0) })
        json["resource"] = .string(question.resource)
        json["permission"] = .string(question.permission.name)
        return .object(json)
    }

    /// Reads what `json` has written; nil for anything else.
    public init?(json: JSONObject) {
        func statements(_ name: String) -> [Statement]? { json[name]?.array?.all(Statement.init) }
        guard let asked = json["question"]?.object, let policy = asked["policy"]?.string.flatMap(PolicyID.reading),
            let subjects = asked["subjects"]?.array?.all({ $0.string }),
            let permission = asked["permission"]?.string.flatMap(Permission.init(name:)),
            let resource = asked["resource"]?.string,
            let verdict = json["verdict"]?.string.flatMap(Verdict.init(rawValue:)),
            let above = statements("statements"), let below = statements("below"),
            let omissions = json["leftOut"]?.array?.all(Omission.init),
            let unknown = json["unknownSubjects"]?.array?.all({ value -> UnknownSubject? in
                guard let object = value.object, let id = object["subject"]?.string else { return nil }
                return UnknownSubject(id: id, nearest: object["nearest"]?.string)
            }),
            let missing = json["missingPolicies"]?.array?.all({ $0.string.flatMap(PolicyID.reading) }),
            let passedOver = json["passedOver"]?.array?.all({ $0.array?.all { $0.string.flatMap(PolicyID.reading) } })
        else { return nil }
        // A text that is no question gives nil, and so does one that is no thing's id.
        let thing = asked["thing"]?.string.flatMap { try? ThingID($0) }
        let question = try? AccessQuestion.parse(
            subjects: subjects, resource: resource, permission: permission.name, thing: thing,
            namespace: asked["namespace"]?.string, nearest: { _, _ in nil })
        guard let question else { return nil }
        self.init(
            policy: policy, question: question, verdict: verdict, statements: above,
            reason: json["why"]?.string.flatMap(Reason.init(rawValue:)), below: below, omissions: omissions,
            unknownSubjects: unknown, missingPolicies: missing, passedOver: passedOver)
    }
}

extension PolicyExplanation.Place {
    fileprivate var members: [(String, JSONValue)] {
        let (kind, way): (String, [PolicyID]) =
            switch origin {
            case .own: ("own", [])
            case .imported(let way): ("imported", way)
            case .namespaceRoot(let way): ("namespaceRoot", way)
            }
        return [
            ("entry", .string(label)), ("label", .string(sourceLabel)), ("origin", .string(kind)),
            ("via", .array(way.map { .string($0.text) })),
        ]
    }

    fileprivate init?(_ json: JSONObject) {
        guard let label = json["entry"]?.string, let sourceLabel = json["label"]?.string,
            let way = json["via"]?.array?.all({ $0.string.flatMap(PolicyID.reading) })
        else { return nil }
        switch json["origin"]?.string {
        case "own": origin = .own
        case "imported": origin = .imported(way)
        case "namespaceRoot": origin = .namespaceRoot(way)
        default: return nil
        }
        self.label = label
        self.sourceLabel = sourceLabel
    }
}

extension PolicyExplanation.Statement {
    fileprivate var json: JSONValue {
        var json = JSONObject(place.members)
        json["references"] = .array(references.map(\.json))
        json["subjects"] = .array(subjects.map { .string($0) })
        json["resource"] = .string(resource)
        json["depth"] = .number(JSONNumber(depth))
        json["effect"] = .string(effect.rawValue)
        json["void"] = .bool(isVoid)
        return .object(json)
    }

    fileprivate init?(_ json: JSONValue) {
        guard let json = json.object, let place = PolicyExplanation.Place(json),
            let references = json["references"]?.array?.all(PolicyEntry.Reference.init(explained:)),
            let subjects = json["subjects"]?.array?.all({ $0.string }), let resource = json["resource"]?.string,
            let depth = json["depth"]?.int64.flatMap({ Int(exactly: $0) }),
            let effect = json["effect"]?.string.flatMap(PolicyExplanation.Effect.init(rawValue:))
        else { return nil }
        self.init(
            place: place, references: references, subjects: subjects, resource: resource, depth: depth,
            effect: effect, isVoid: json["void"] == true)
    }
}

extension PolicyExplanation.Omission {
    fileprivate var json: JSONValue {
        var json = JSONObject(place.members)
        switch reason {
        case .noSubjects: json["reason"] = "noSubjects"
        case .noResources: json["reason"] = "noResources"
        case .otherNamespace(let patterns):
            json["reason"] = "otherNamespace"
            json["namespaces"] = .array(patterns.map { .string($0) })
        }
        json["namesCaller"] = .bool(namesCaller)
        return .object(json)
    }

    fileprivate init?(_ json: JSONValue) {
        guard let json = json.object, let place = PolicyExplanation.Place(json) else { return nil }
        switch json["reason"]?.string {
        case "noSubjects": reason = .noSubjects
        case "noResources": reason = .noResources
        case "otherNamespace":
            guard let patterns = json["namespaces"]?.array?.all({ $0.string }) else { return nil }
            reason = .otherNamespace(patterns)
        default: return nil
        }
        self.place = place
        namesCaller = json["namesCaller"] == true
    }
}

extension PolicyEntry.Reference {
    fileprivate init?(explained json: JSONValue) {
        guard let object = json.object, let entry = object["entry"]?.string else { return nil }
        self.init(importedPolicy: object["import"]?.string.flatMap(PolicyID.reading), entry: entry)
    }
}

extension PolicyID {
    /// Nil for a text that is no id.
    fileprivate static func reading(_ text: String) -> PolicyID? {
        try? PolicyID(text)  // Which rule it breaks is no matter.
    }
}

extension Array {
    /// All elements transformed, nil when one cannot be.
    fileprivate func all<Result>(_ transform: (Element) -> Result?) -> [Result]? {
        var results: [Result] = []
        for element in self {
            guard let result = transform(element) else { return nil }
            results.append(result)
        }
        return results
    }
}
