// One resource of a policy entry: where it applies, and what it grants and revokes there.
public import TwinspanJSON
public import TwinspanProtocol

/// A member of an entry's `resources`: `"thing:/features/motor": {"grant": ["READ"], "revoke": []}`.
public struct PolicyResource: Sendable, Equatable {
    /// The key as written, `<type>:/<path>`.
    public let key: String
    /// The type, nil when it is none that decisions are made on.
    public let type: PolicyResourceType?
    /// The path behind the type; the root for `thing:/`.
    public let path: JSONPointer
    /// What is granted here and below, without duplicates, in the order written.
    public let grants: [Permission]
    /// What is revoked here and below. On the same path a revoke beats a grant.
    public let revokes: [Permission]

    /// A resource at `path` of a known type.
    public init(_ type: PolicyResourceType, _ path: JSONPointer, grants: [Permission], revokes: [Permission] = []) {
        key = "\(type.name):\(path)"
        self.type = type
        self.path = path
        self.grants = grants
        self.revokes = revokes
    }

    /// Reads a member of `resources`. Absent `grant` or `revoke` counts as empty.
    ///
    /// Throws `json.invalid` for a key that is not `<type>:/<path>` or a value of a wrong type, `json.pointer.invalid`
    /// for a malformed path, `policies:entry.invalid` for an unknown permission.
    public static func parse(key: String, _ json: JSONValue) throws(TwinspanError) -> PolicyResource {
        let parts = key.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].first == UInt8(ascii: "/"), !key.hasControlCharacter else {
            throw PolicyErrors.resourceKeyInvalid(key)
        }
        let pathText = String(Substring(parts[1]))
        let path: JSONPointer
        do {
            path = try JSONPointer(parsing: pathText)
        } catch {
            throw PolicyErrors.resourcePathInvalid(key, error)
        }
        let object = try PolicyJSON.object(json, "resources/\(key)")
        return PolicyResource(
            key: key, type: PolicyResourceType(name: String(Substring(parts[0]))), path: path,
            grants: try permissions(object["grant"], "resources/\(key)/grant"),
            revokes: try permissions(object["revoke"], "resources/\(key)/revoke"))
    }

    /// `{"grant": […], "revoke": […]}`; both members are always written.
    public var json: JSONValue {
        ["grant": .array(grants.map { .string($0.name) }), "revoke": .array(revokes.map { .string($0.name) })]
    }

    /// This resource with what another one of the same key grants and revokes.
    func united(with other: PolicyResource) -> PolicyResource {
        PolicyResource(
            key: key, type: type, path: path, grants: grants + other.grants.filter { !grants.contains($0) },
            revokes: revokes + other.revokes.filter { !revokes.contains($0) })
    }

    private init(
        key: String, type: PolicyResourceType?, path: JSONPointer, grants: [Permission], revokes: [Permission]
    ) {
        self.key = key
        self.type = type
        self.path = path
        self.grants = grants
        self.revokes = revokes
    }

    private static func permissions(_ json: JSONValue?, _ field: String) throws(TwinspanError) -> [Permission] {
        guard let json else { return [] }
        var permissions: [Permission] = []
        for name in try PolicyJSON.strings(json, field) {
            guard let permission = Permission(name: name) else { throw PolicyErrors.permissionUnknown(name, field) }
            if !permissions.contains(permission) { permissions.append(permission) }
        }
        return permissions
    }
}
