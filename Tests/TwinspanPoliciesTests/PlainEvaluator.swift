// The rules of spec/policies-search.md A.3 written down as they read, slow and without any structure: what the compiled
// enforcer is compared with.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct PlainEvaluator {
    private static let specialFields = ["thingId", "_namespace", "_revision", "_modified", "_created"]

    private let permission: String
    private let type: PolicyResourceType
    /// The resources of the type in all entries that concern the caller.
    private let resources: [PlainResource]

    /// Steps 1 and 3, on resolved entries.
    init(
        _ entries: [PlainEntry], _ permission: Permission, _ type: PolicyResourceType, subjects: [String],
        namespace: String
    ) {
        self.permission = permission.name
        self.type = type
        resources = entries.filter { entry in
            let patterns = entry.namespaces ?? []
            let isInNamespace = type == .policy || patterns.isEmpty || patterns.contains { Self.matches($0, namespace) }
            return isInNamespace && entry.subjects.contains { subjects.contains($0) }
        }.flatMap { entry in entry.resources.filter { $0.type == type.name } }
    }

    /// Step 4.
    func isAllowed(_ path: [String]) -> Bool {
        var grantDepth = 0
        var revokeDepth = 0
        for resource in resources where path.starts(with: resource.path) {
            let depth = 1 + resource.path.count
            if resource.grants.contains(permission) { grantDepth = max(grantDepth, depth) }
            if resource.revokes.contains(permission) { revokeDepth = max(revokeDepth, depth) }
        }
        return grantDepth > revokeDepth
    }

    /// Step 5.
    func isUnrestricted(_ path: [String]) -> Bool {
        isAllowed(path)
            && !resources.contains { isBelow($0, path) && $0.revokes.contains(permission) }
    }

    /// Step 6.
    func isPartial(_ path: [String]) -> Bool {
        if isAllowed(path) { return true }
        return resources.contains { resource in
            isBelow(resource, path) && resource.grants.contains(permission)
                && !resources.contains { $0.path == resource.path && $0.revokes.contains(permission) }
        }
    }

    /// A.3.1.
    func view(of value: JSONValue, at path: [String]) -> JSONValue? {
        guard isPartial(path) else { return nil }
        guard case .object(let object) = value else { return value }
        var kept: [(String, JSONValue)] = []
        for (key, value) in object {
            if path.isEmpty, type == .thing, Self.specialFields.contains(key) {
                kept.append((key, value))
            } else if path.isEmpty, type == .policy, key == "policyId" {
                kept.append((key, value))
            } else if let part = filter(value, path + [key]) {
                kept.append((key, part))
            }
        }
        return .object(JSONObject(kept))
    }

    /// A.4, for a value that is not nil.
    func eventView(of value: JSONValue, at path: [String]) -> JSONValue? {
        guard isPartial([]) else { return nil }
        if case .array = value { return isAllowed(path) ? filter(value, path) : .none }
        guard case .object(let object) = value, !object.isEmpty else { return isAllowed(path) ? .some(value) : .none }
        guard let part = filter(value, path), part != [:] else { return nil }
        return path.isEmpty ? view(of: value, at: path) : part
    }

    /// A.3.2, row "merge".
    func isMergeAllowed(_ patch: JSONValue, _ path: [String]) -> Bool {
        isUnrestricted(path) || (isPartial(path) && leaves(of: patch, path).allSatisfy(isUnrestricted))
    }

    private func leaves(of patch: JSONValue, _ path: [String]) -> [[String]] {
        guard case .object(let object) = patch, !object.isEmpty else { return [path] }
        return object.flatMap { leaves(of: $1, path + [$0]) }
    }

    /// Spells out `.none`, because a bare `nil` beside a value would become the JSON null.
    private func filter(_ value: JSONValue, _ path: [String]) -> JSONValue? {
        switch value {
        case .null, .bool, .number, .string:
            return isAllowed(path) ? .some(value) : .none
        case .array(let elements):
            let kept = elements.compactMap { filter($0, path) }
            return kept.isEmpty && !isAllowed(path) ? .none : .some(.array(kept))
        case .object(let object):
            let kept = object.compactMap { key, value in filter(value, path + [key]).map { (key, $0) } }
            return kept.isEmpty && !isAllowed(path) ? .none : .some(.object(JSONObject(kept)))
        }
    }

    private func isBelow(_ resource: PlainResource, _ path: [String]) -> Bool {
        resource.path.count > path.count && resource.path.starts(with: path)
    }

    private static func matches(_ pattern: String, _ namespace: String) -> Bool {
        pattern.hasSuffix("*") ? namespace.hasPrefix(pattern.dropLast()) : pattern == namespace
    }
}
