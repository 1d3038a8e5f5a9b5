// The catalogue of placeholders (spec/mapping.md §2). A placeholder is parsed once with the configuration; per message
// only a resolver looks at it.

public import TwinspanJSON

/// One placeholder, e.g. `thing:id`, compiled.
public enum Placeholder: Sendable, Hashable {
    /// A header by its lower-cased name.
    case header(String)
    case entityID, entityNamespace, entityName
    case thingID, thingNamespace, thingName
    case policyID, policyNamespace, policyName
    /// A value of the event's payload merged with its enrichment.
    case thingJSON(JSONPointer)
    /// The id of each feature the signal is about.
    case featureID
    case topic(TopicField)
    /// `thing`, `policy`, `message` or `connection`.
    case resourceType
    /// The path with its leading slash.
    case resourcePath
    case time(TimeExpression)
    /// Every subject id of the caller.
    case requestSubjectIDs
    case connectionID
    /// The address a message really came from; for MQTT its topic.
    case sourceAddress
    /// A claim of a token.
    case jwt(JSONPointer)
    case policyEntryLabel

    /// A part of the protocol topic.
    public enum TopicField: String, Sendable, CaseIterable {
        case full, namespace, entityName, entityId, group, channel, criterion, action, subject
        /// The subject if the topic has one, else the action.
        case actionSubject = "action-subject"
    }

    /// The canonical text, e.g. `thing-json:/attributes/a`.
    public var text: String {
        switch self {
        case .header(let name): "header:\(name)"
        case .entityID: "entity:id"
        case .entityNamespace: "entity:namespace"
        case .entityName: "entity:name"
        case .thingID: "thing:id"
        case .thingNamespace: "thing:namespace"
        case .thingName: "thing:name"
        case .policyID: "policy:id"
        case .policyNamespace: "policy:namespace"
        case .policyName: "policy:name"
        case .thingJSON(let pointer): "thing-json:\(pointer)"
        case .featureID: "feature:id"
        case .topic(let field): "topic:\(field.rawValue)"
        case .resourceType: "resource:type"
        case .resourcePath: "resource:path"
        case .time(let expression): "time:\(expression.text)"
        case .requestSubjectIDs: "request:subjectId"
        case .connectionID: "connection:id"
        case .sourceAddress: "source:address"
        case .jwt(let pointer): "jwt:\(pointer)"
        case .policyEntryLabel: "policy-entry:label"
        }
    }
}

/// What stands before the first colon of a placeholder.
public enum PlaceholderPrefix: String, Sendable, CaseIterable {
    case header, entity, thing
    case thingJSON = "thing-json"
    case feature, topic, resource, time, request, connection, policy, source, jwt
    case policyEntry = "policy-entry"

    /// The names the prefix knows; empty when any name or a pointer may follow.
    var names: [String] {
        switch self {
        case .header, .thingJSON, .jwt: []
        case .entity, .thing, .policy: ["id", "namespace", "name"]
        case .feature, .connection: ["id"]
        case .topic: Placeholder.TopicField.allCases.map(\.rawValue)
        case .resource: ["type", "path"]
        case .time: ["now", "now_epoch_millis"]
        case .request: ["subjectId"]
        case .source: ["address"]
        case .policyEntry: ["label"]
        }
    }

    /// How the prefix is listed in a diagnostic: every name, or `*` when there are more than three.
    var listing: String {
        let names = names
        return names.isEmpty || names.count > 3
            ? "\(rawValue):*" : names.map { "\(rawValue):\($0)" }.joined(separator: ", ")
    }
}
