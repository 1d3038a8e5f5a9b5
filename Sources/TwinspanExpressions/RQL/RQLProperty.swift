// The left side of a predicate (spec/policies-search.md B.2): a field of the thing, or a registered placeholder.

import TwinspanJSON

/// A compiled property name.
enum RQLProperty: Sendable, Hashable {
    /// A field whose value can be compared.
    case field(JSONPointer)
    /// A feature or the properties of one: only `exists` and `empty` make sense.
    case container(JSONPointer)
    /// A feature; it is empty when it has neither definition nor properties nor desired properties.
    case feature(JSONPointer)
    /// Searches only: a path below any feature, empty for the feature itself. Comparable when it has a single value.
    case anyFeature(JSONPointer, isComparable: Bool)
    /// `namespace` or `_namespace`; taken from the thing id when the thing does not carry it.
    case namespace
    case placeholder(Placeholder)

    static let namespacePointer = JSONPointer(segments: ["_namespace"])

    private static let simpleFields: Set<String> = [
        "thingId", "policyId", "definition", "_revision", "_modified", "_created", "_metadata",
    ]

    /// What is known, for people.
    static let listing =
        "thingId, policyId, namespace, definition, attributes/…, features/<id>/properties/…, "
        + "features/<id>/desiredProperties/…, features/<id>/definition, _metadata/…, _revision, _modified, _created"

    /// Whether `eq`, `gt`, `like` and so on may use it.
    var isComparable: Bool {
        switch self {
        case .field, .namespace, .placeholder: true
        case .container, .feature: false
        case .anyFeature(_, let isComparable): isComparable
        }
    }

    /// Whether a search can be sorted by it (B.7): an attribute, a property of a feature, a simple field.
    var isSortable: Bool {
        switch self {
        case .namespace: true
        case .field(let pointer):
            switch pointer.first {
            case "_metadata": false
            case "features": pointer.segments.count > 3
            default: true
            }
        case .container, .feature, .anyFeature, .placeholder: false
        }
    }

    /// The field of the thing that is read; `nil` for a placeholder and for a path below any feature.
    var pointer: JSONPointer? {
        switch self {
        case .field(let pointer), .container(let pointer), .feature(let pointer): pointer
        case .namespace: Self.namespacePointer
        case .placeholder, .anyFeature: nil
        }
    }

    /// `nil` when the name means nothing here.
    init?(parsing name: String, dialect: RQLDialect) {
        if let property = Self.thingField(name, isSearched: dialect.isSearch) {
            self = property
            return
        }
        // Why a placeholder is refused is told by the caller: the wire says `Unknown property name`.
        guard !dialect.isSearch, let placeholder = try? Placeholder(parsing: name, scope: dialect.scope) else {
            return nil
        }
        self = .placeholder(placeholder)
    }

    /// Names that someone who wrote `name` may have meant.
    static func candidates(for name: String) -> [String] {
        let written = name.hasPrefix("/") ? String(name.dropFirst()) : name
        let path = written.after("/").map { ["attributes/\($0)", "features/\($0)", "_metadata/\($0)"] } ?? []
        return (simpleFields.sorted() + ["namespace"] + path).filter { $0 != name }
    }

    /// Whether the name is refused because of its slashes.
    static func hasConsecutiveSlashes(_ name: String) -> Bool {
        zip(name.utf8, name.utf8.dropFirst()).contains { $0 == UInt8(ascii: "/") && $1 == UInt8(ascii: "/") }
    }

    private static func thingField(_ name: String, isSearched: Bool) -> RQLProperty? {
        guard let segments = segments(of: name), let first = segments.first else { return nil }
        let pointer = JSONPointer(segments: segments)
        if segments.count == 1 {
            if first == "namespace" || first == "_namespace" { return .namespace }
            // The index has paths of metadata, not metadata as a whole.
            return simpleFields.contains(first) && !(isSearched && first == "_metadata") ? .field(pointer) : nil
        }
        switch first {
        case "attributes", "_metadata": return .field(pointer)
        case "features": return featurePart(pointer, isAny: isSearched && segments[1] == "*")
        default: return nil
        }
    }

    /// A feature, or what can be used of it. `isAny` says that the id is the wildcard of searches.
    private static func featurePart(_ pointer: JSONPointer, isAny: Bool) -> RQLProperty? {
        let part = pointer.segments.dropFirst(2)
        let isComparable: Bool
        switch part.first {
        case nil: return isAny ? .anyFeature(.root, isComparable: false) : .feature(pointer)
        case "properties", "desiredProperties": isComparable = part.count > 1
        case "definition" where part.count == 1: isComparable = true
        default: return nil
        }
        if isAny { return .anyFeature(JSONPointer(segments: Array(part)), isComparable: isComparable) }
        return isComparable ? .field(pointer) : .container(pointer)
    }

    /// RFC 6901 segments; unlike Ditto's own pointers, filters also decode `~1`. One slash at either end is ignored;
    /// `nil` for consecutive slashes and for more segments than any thing can have.
    private static func segments(of name: String) -> [String]? {
        var bytes = name.utf8[...]
        if bytes.first == UInt8(ascii: "/") { bytes = bytes.dropFirst() }
        if bytes.last == UInt8(ascii: "/") { bytes = bytes.dropLast() }
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= JSONPointer.segmentCountMaximum, !parts.contains(where: \.isEmpty) else { return nil }
        return parts.map { part in
            let text = String(Substring(part))
            guard part.contains(UInt8(ascii: "~")) else { return text }
            return text.replacing(literal: "~1", with: "/").replacing(literal: "~0", with: "~")
        }
    }
}
