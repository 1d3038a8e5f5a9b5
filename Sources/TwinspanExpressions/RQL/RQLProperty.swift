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
    /// `namespace` or `_namespace`; taken from the thing id when the thing does not carry it.
    case namespace
    case placeholder(Placeholder)

    static let namespacePointer = JSONPointer(segments: ["_namespace"])

    private static let simpleFields: Set<String> = [
        "thingId", "policyId", "definition", "_revision", "_modified", "_created", "_metadata",
    ]

    /// Whether `eq`, `gt`, `like` and so on may use it.
    var isComparable: Bool {
        switch self {
        case .field, .namespace, .placeholder: true
        case .container, .feature: false
        }
    }

    /// The field of the thing that is read; `nil` for a placeholder.
    var pointer: JSONPointer? {
        switch self {
        case .field(let pointer), .container(let pointer), .feature(let pointer): pointer
        case .namespace: Self.namespacePointer
        case .placeholder: nil
        }
    }

    /// `nil` when the name means nothing here.
    init?(parsing name: String, placeholders: RQLPlaceholders) {
        if let property = Self.thingField(name) {
            self = property
            return
        }
        // Why a placeholder is refused is told by the caller: the wire says `Unknown property name`.
        guard let placeholder = try? Placeholder(parsing: name, scope: placeholders.scope) else { return nil }
        self = .placeholder(placeholder)
    }

    /// Names that someone who wrote `name` may have meant.
    static func candidates(for name: String) -> [String] {
        let path = name.after("/").map { ["attributes/\($0)", "features/\($0)", "_metadata/\($0)"] } ?? []
        return (simpleFields.sorted() + ["namespace"] + path).filter { $0 != name }
    }

    private static func thingField(_ name: String) -> RQLProperty? {
        guard let segments = segments(of: name), let first = segments.first else { return nil }
        let pointer = JSONPointer(segments: segments)
        if segments.count == 1 {
            if first == "namespace" || first == "_namespace" { return .namespace }
            return simpleFields.contains(first) ? .field(pointer) : nil
        }
        switch first {
        case "attributes", "_metadata": return .field(pointer)
        case "features": break
        default: return nil
        }
        if segments.count == 2 { return .feature(pointer) }
        switch segments[2] {
        case "properties", "desiredProperties": return segments.count == 3 ? .container(pointer) : .field(pointer)
        case "definition": return segments.count == 3 ? .field(pointer) : nil
        default: return nil
        }
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
