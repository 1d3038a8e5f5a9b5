// What a path of a policy addresses (spec/protocol.md §6.3): the kind decides over legal values, status and error
// codes.
public import TwinspanJSON

/// The addressed part of a policy.
public struct PolicyPath: Sendable, Equatable {
    /// The kinds of resource, one per row of the command table.
    public enum Kind: Sendable, CaseIterable {
        case policy, entries, entry, subjects, subject, resources, resource, namespaces, importable, allowedAdditions
        case references, imports, policyImport, importEntries, transitiveImports
    }

    public let kind: Kind
    /// The path from the root of the policy, e.g. `/entries/owner/subjects/nginx:ditto`. A subject id and a resource
    /// key are one segment each, whatever slashes they hold.
    public let path: JSONPointer
    /// The path as it was sent, which answers repeat.
    public let wirePath: JSONPointer

    /// Equal when they address the same resource, however it was written.
    public static func == (left: PolicyPath, right: PolicyPath) -> Bool {
        left.kind == right.kind && left.path == right.path
    }

    /// The policy as a whole.
    public static let root = PolicyPath(kind: .policy, path: .root, wirePath: .root)

    private init(kind: Kind, path: JSONPointer, wirePath: JSONPointer) {
        self.kind = kind
        self.path = path
        self.wirePath = wirePath
    }

    /// Classifies a path that was read by `JSONPointer(policyPath:)`. Throws `protocoladapter:unknown.path` for one
    /// that addresses nothing. `/import/{id}`, which the reference's own examples have for deletions, is taken as
    /// `/imports/{id}`.
    public init(_ given: JSONPointer) throws(TwinspanError) {
        let isAlias = given.segments.count == 2 && given.segments[0] == "import"
        let path = isAlias ? JSONPointer(segments: ["imports", given.segments[1]]) : given
        guard let kind = Self.kind(path.segments) else {
            throw GeneralErrorTable.unknownPath.error(
                "The path '\(path.description.shortened)' does not address a known resource of a policy.",
                description: "Paths of policies begin with /entries or /imports.")
        }
        self.init(kind: kind, path: path, wirePath: given)
    }

    private static func kind(_ segments: [String]) -> Kind? {
        guard let first = segments.first else { return .policy }
        switch (first, segments.count) {
        case ("entries", 1): return .entries
        case ("entries", 2): return .entry
        case ("entries", 3):
            switch segments[2] {
            case "subjects": return .subjects
            case "resources": return .resources
            case "namespaces": return .namespaces
            case "importable": return .importable
            case "allowedAdditions": return .allowedAdditions
            case "references": return .references
            default: return nil
            }
        case ("entries", 4):
            switch segments[2] {
            case "subjects": return .subject
            case "resources": return .resource
            default: return nil
            }
        case ("imports", 1): return .imports
        case ("imports", 2): return .policyImport
        case ("imports", 3):
            switch segments[2] {
            case "entries": return .importEntries
            case "transitiveImports": return .transitiveImports
            default: return nil
            }
        default: return nil
        }
    }

    /// The label of the entry it belongs to; nil outside of entries.
    public var label: String? { path.segments.count > 1 && path.segments[0] == "entries" ? path.segments[1] : nil }

    /// The subject id or the resource key (`thing:/features`); nil for other kinds.
    public var key: String? { kind == .subject || kind == .resource ? path.segments[3] : nil }

    /// The id of the imported policy, as text; nil outside of imports.
    public var importedID: String? { path.segments.count > 1 && path.segments[0] == "imports" ? path.segments[1] : nil }
}

extension JSONPointer {
    /// Reads a path of a policy: as any pointer, but what follows `/entries/{label}/subjects/` and
    /// `/entries/{label}/resources/` is one segment, slashes included (spec/protocol.md §3.1, §6.3).
    public init(policyPath text: String) throws(JSONPointerError) {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "/") { rest.removeFirst() }
        var head: [String] = []
        while head.count < 3, let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
            head.append(String(Substring(rest[..<slash])))
            rest = rest[rest.index(after: slash)...]
        }
        let isKeyed = head.count == 3 && head[0] == "entries" && (head[2] == "subjects" || head[2] == "resources")
        guard isKeyed, !rest.isEmpty, !head[1].isEmpty else {
            try self.init(parsing: text)
            return
        }
        let decoded = try JSONPointer(parsing: head.joined(separator: "/"))
        self.init(segments: decoded.segments + [Self.decode(Substring(rest))])
    }
}
