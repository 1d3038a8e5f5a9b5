// What a path of a thing addresses (spec/protocol.md §6.2): the kind decides over legal values, status and error codes.
public import TwinspanJSON

/// The addressed part of a thing.
public struct ThingResource: Sendable, Equatable {
    /// The kinds of resource, one per row of the command table.
    public enum Kind: Sendable, CaseIterable {
        case thing, policyID, definition, attributes, attribute, features, feature, featureDefinition, properties,
            property, desiredProperties, desiredProperty
    }

    public let kind: Kind
    /// The path from the root of the thing, e.g. `/features/engine/properties/speed`.
    public let path: JSONPointer

    /// The thing as a whole.
    public static let root = ThingResource(kind: .thing, path: .root)

    private init(kind: Kind, path: JSONPointer) {
        self.kind = kind
        self.path = path
    }

    /// Classifies a path. Throws `protocoladapter:unknown.path` for one that addresses nothing and
    /// `json.key.invalid` for illegal keys (spec/protocol.md §1.2).
    public init(_ path: JSONPointer) throws(TwinspanError) {
        self.path = path
        let segments = path.segments
        guard let first = segments.first else {
            kind = .thing
            return
        }
        switch (first, segments.count) {
        case ("policyId", 1): kind = .policyID
        case ("definition", 1): kind = .definition
        case ("attributes", 1): kind = .attributes
        case ("attributes", _):
            kind = .attribute
            if segments.count == 2, segments[1].isEmpty { throw ThingErrorTable.attributePointerInvalid.error() }
            try Self.checkKeys(segments.dropFirst())
        case ("features", 1): kind = .features
        case ("features", _): kind = try Self.featureKind(segments)
        default: throw Self.unknownPath(path)
        }
    }

    /// The feature the resource belongs to; nil for resources outside features.
    public var featureID: String? {
        switch kind {
        case .feature, .featureDefinition, .properties, .property, .desiredProperties, .desiredProperty:
            path.segments[1]
        case .thing, .policyID, .definition, .attributes, .attribute, .features: nil
        }
    }

    private static func featureKind(_ segments: [String]) throws(TwinspanError) -> Kind {
        try checkKeys(segments[1...1])
        guard segments.count > 2 else { return .feature }
        switch (segments[2], segments.count) {
        case ("definition", 3): return .featureDefinition
        case ("properties", 3): return .properties
        case ("desiredProperties", 3): return .desiredProperties
        case ("properties", _):
            try checkKeys(segments[3...])
            return .property
        case ("desiredProperties", _):
            try checkKeys(segments[3...])
            return .desiredProperty
        default: throw unknownPath(JSONPointer(segments: segments))
        }
    }

    private static func checkKeys(_ keys: ArraySlice<String>) throws(TwinspanError) {
        for key in keys where !isLegalKey(key) { throw .keyInvalid(key) }
    }

    private static func unknownPath(_ path: JSONPointer) -> TwinspanError {
        GeneralErrorTable.unknownPath.error(
            "The path '\(path.description.shortened)' does not address a known resource.")
    }

    /// Whether a feature id or a key of attributes and properties is legal: 1 to 256 UTF-16 units, no slash, no control
    /// character U+0000–U+001F, U+007F–U+00FF (spec/protocol.md §1.2).
    public static func isLegalKey(_ key: String) -> Bool {
        var copy = key
        return copy.withUTF8 { NamespacedID.isName($0) && NamespacedID.isWithinLength($0, limit: 256) }
    }
}
