// Reading `prefix:name` (spec/mapping.md §1): split at the first colon, so `header:a:b` and `thing-json:/a:b` work.

import TwinspanJSON

extension Placeholder {
    /// Parses a placeholder that `scope` allows.
    ///
    /// - Throws: `placeholder:unresolved` for an unknown prefix or name and for one this position does not allow.
    public init(parsing text: String, scope: PlaceholderScope) throws(PlaceholderError) {
        try self.init(parsing: text, scope: scope, offset: 0)
    }

    /// - Parameter offset: where `text` starts in the template, for the error.
    init(parsing text: String, scope: PlaceholderScope, offset: Int) throws(PlaceholderError) {
        let bytes = text.utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            let prefix = PlaceholderPrefix(rawValue: String(text[..<colon])),
            let placeholder = Self.make(prefix, name: String(text[bytes.index(after: colon)...]))
        else { throw Self.unknown(text, scope: scope, at: offset) }
        guard scope.allows(placeholder, prefix: prefix) else {
            throw .unresolved(
                "The placeholder '\(text)' cannot be used in \(scope.position).",
                scope.allowedDescription + scope.suggestion(for: text), at: offset)
        }
        self = placeholder
    }

    private static func unknown(_ text: String, scope: PlaceholderScope, at offset: Int) -> PlaceholderError {
        guard !text.isEmpty else {
            return .unresolved("The expression is empty.", scope.allowedDescription, at: offset)
        }
        if text.hasPrefix("{{") || text.hasPrefix("${") {
            return .unresolved(
                "The expression '\(text)' has braces where none belong.",
                "Write the expression without braces.", at: offset)
        }
        return .unresolved(
            "The placeholder '\(text)' is not known here.",
            scope.allowedDescription + scope.suggestion(for: text), at: offset)
    }

    private static func make(_ prefix: PlaceholderPrefix, name: String) -> Placeholder? {
        switch prefix {
        case .header: name.isEmpty ? nil : .header(name.lowercased())
        case .entity: choose(name, .entityID, .entityNamespace, .entityName)
        case .thing: choose(name, .thingID, .thingNamespace, .thingName)
        case .policy: choose(name, .policyID, .policyNamespace, .policyName)
        case .thingJSON: thingJSON(name)
        case .feature: name == "id" ? .featureID : nil
        case .topic: TopicField(rawValue: name).map(Placeholder.topic)
        case .resource: name == "type" ? .resourceType : name == "path" ? .resourcePath : nil
        case .time: TimeExpression(parsing: name).map(Placeholder.time)
        case .request: name == "subjectId" ? .requestSubjectIDs : nil
        case .connection: name == "id" ? .connectionID : nil
        case .source: name == "address" ? .sourceAddress : nil
        case .jwt: pointer(name).map(Placeholder.jwt)
        case .policyEntry: name == "label" ? .policyEntryLabel : nil
        }
    }

    private static func choose(
        _ name: String, _ id: Placeholder, _ namespace: Placeholder, _ localName: Placeholder
    ) -> Placeholder? {
        switch name {
        case "id": id
        case "namespace": namespace
        case "name": localName
        default: nil
        }
    }

    /// `thing-json:id` and its siblings are refused: a reader would expect `thing:id`, and the payload has no such key.
    private static func thingJSON(_ name: String) -> Placeholder? {
        ["id", "name", "namespace"].contains(name) ? nil : pointer(name).map(Placeholder.thingJSON)
    }

    private static func pointer(_ name: String) -> JSONPointer? {
        guard !name.isEmpty else { return nil }
        // A malformed pointer is reported as an unknown placeholder, which names the text and its place.
        return try? JSONPointer(parsing: name)
    }
}
