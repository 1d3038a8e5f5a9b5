// `{{ request:subjectId }}` in the subject ids of a policy that is written (spec/policies-search.md A.9.4). Replaced
// before anything else is read of the value, so that stored policies hold none that anybody would resolve again.
import TwinspanJSON
import TwinspanProtocol

/// Replaces the placeholders of subject ids.
enum SubjectPlaceholders {
    /// A command whose path and value name the caller where they had placeholders. Only what writes subjects has any.
    ///
    /// - Parameter caller: nil where nobody asks yet; then placeholders are checked and stay as they are.
    /// - Throws: `placeholder:placeholder.notresolvable` for any other placeholder, and for a caller without subjects.
    static func resolve(
        pathOf command: PolicyCommand, caller: AuthorizationContext?
    ) throws(TwinspanError) -> PolicyCommand {
        guard command.action == .modify, command.resource.kind == .subject, let key = command.resource.key else {
            return command
        }
        guard let resolved = try resolve(key, caller: caller) else { return command }
        var command = command
        let parent = command.resource.path.segments.dropLast()
        command.resource = try PolicyPath(JSONPointer(segments: parent + [resolved]))
        return command
    }

    /// Replaces them in the value of a resource. What is malformed is left for the reader to refuse.
    static func resolve(
        in value: inout JSONValue, of kind: PolicyPath.Kind, caller: AuthorizationContext?
    ) throws(TwinspanError) {
        switch kind {
        case .policy:
            guard var policy = value.object, var entries = policy["entries"] else { return }
            try resolveEntries(&entries, caller)
            policy["entries"] = entries
            value = .object(policy)
        case .entries: try resolveEntries(&value, caller)
        case .entry: try resolveEntry(&value, caller)
        case .subjects: try resolveSubjects(&value, caller)
        case .subject, .resources, .resource, .namespaces, .importable, .allowedAdditions, .references, .imports,
            .policyImport, .importEntries, .transitiveImports:
            break
        }
    }

    private static func resolveEntries(
        _ entries: inout JSONValue, _ caller: AuthorizationContext?
    ) throws(TwinspanError) {
        guard let object = entries.object else { return }
        var members: [(String, JSONValue)] = []
        for (label, entry) in object.members {
            var entry = entry
            try resolveEntry(&entry, caller)
            members.append((label, entry))
        }
        entries = .object(JSONObject(members))
    }

    private static func resolveEntry(
        _ entry: inout JSONValue, _ caller: AuthorizationContext?
    ) throws(TwinspanError) {
        guard var object = entry.object, var subjects = object["subjects"] else { return }
        try resolveSubjects(&subjects, caller)
        object["subjects"] = subjects
        entry = .object(object)
    }

    /// Two ids that become the same are one subject: the later one.
    private static func resolveSubjects(
        _ subjects: inout JSONValue, _ caller: AuthorizationContext?
    ) throws(TwinspanError) {
        guard let object = subjects.object else { return }
        var isChanged = false
        var members: [(String, JSONValue)] = []
        for (id, subject) in object.members {
            let resolved = try resolve(id, caller: caller)
            if resolved != nil { isChanged = true }
            members.append((resolved ?? id, subject))
        }
        if isChanged { subjects = .object(JSONObject(members)) }
    }

    /// The id with the caller's first subject in the place of its placeholders; nil when it stays as it is.
    static func resolve(_ id: String, caller: AuthorizationContext?) throws(TwinspanError) -> String? {
        let bytes = Array(id.utf8)
        guard bytes.contains(UInt8(ascii: "{")) else { return nil }
        var result: [UInt8] = []
        var position = 0
        var isChanged = false
        while position < bytes.count {
            guard let found = placeholder(in: bytes, at: position) else {
                result.append(bytes[position])
                position += 1
                continue
            }
            guard isSubject(found) else {
                throw PlaceholderErrorTable.notResolvable.error(
                    "The placeholder '\(found.name.shortened)' is not known in a subject id.",
                    description: "Use '{{ request:subjectId }}'.")
            }
            position = found.end
            guard let caller else {
                result.append(contentsOf: bytes[found.start..<found.end])
                continue
            }
            guard let subject = caller.originator else {
                throw PlaceholderErrorTable.notResolvable.error(
                    "The placeholder '\(found.name)' has no value, because you have no subject.",
                    description: "Write the subject id itself.")
            }
            result.append(contentsOf: subject.utf8)
            isChanged = true
        }
        return isChanged ? String(decoding: result, as: UTF8.self) : nil
    }

    private struct Found {
        let name: String
        let isLegacy: Bool
        let start: Int
        /// Behind the closing brace.
        let end: Int
    }

    private static func isSubject(_ found: Found) -> Bool {
        found.name == "request:subjectId" || found.isLegacy && found.name == "request.subjectId"
    }

    /// The placeholder that begins at `position`: `{{ name }}` or `${name}`. An opening without an end is text.
    private static func placeholder(in bytes: [UInt8], at position: Int) -> Found? {
        let brace = UInt8(ascii: "{")
        let start = position + 2
        guard start <= bytes.count, bytes[position + 1] == brace else { return nil }
        let isLegacy = bytes[position] == UInt8(ascii: "$")
        guard isLegacy || bytes[position] == brace else { return nil }
        var end = start
        let closing = UInt8(ascii: "}")
        while end < bytes.count {
            let isEnd = bytes[end] == closing && (isLegacy || end + 1 < bytes.count && bytes[end + 1] == closing)
            if isEnd {
                let name = bytes[start..<end].drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed()
                return Found(
                    name: String(decoding: Array(name), as: UTF8.self), isLegacy: isLegacy, start: position,
                    end: end + (isLegacy ? 1 : 2))
            }
            end += 1
        }
        return nil
    }
}
