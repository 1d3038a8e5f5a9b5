// Several policies that need each other, written as short JSON, and what resolving makes of them as short text.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// The policies of a test by id.
struct PolicyWorld {
    let policies: [PolicyID: Policy]

    /// Policies as `{"<id>": {"imports"?: {…}, "<label>": entry…}}` with entries
    /// `{"s"?: [subject…], "g"|"r"?: {"thing:/…": "RW"}, "n"?: [namespace…], "i"?: importable, "a"?: [addition…],
    /// "ref"?: ["label" | "policyId label"], "type"?: type of the subjects}`.
    init(_ text: String) throws {
        var policies: [PolicyID: Policy] = [:]
        for (key, value) in try #require(try JSONValue.parse(text).object).members {
            let id = try PolicyID(key)
            var document = JSONObject()
            var entries: [(String, JSONValue)] = []
            for (name, member) in try #require(value.object).members {
                if name == "imports" {
                    document["imports"] = member
                } else {
                    entries.append((name, try Self.entry(try #require(member.object))))
                }
            }
            document["entries"] = .object(JSONObject(entries))
            policies[id] = try Policy.parse(.object(document), id: id)
        }
        self.policies = policies
    }

    func resolution(of id: String, roots: [String] = [], notLoaded: [String] = []) throws -> PolicyResolution {
        let policy = try #require(policies[try PolicyID(id)])
        return policy.resolved(roots: try roots.map { try PolicyID($0) }) { id in
            if notLoaded.contains(id.text) { return .notLoaded }
            return policies[id].map(PolicyLookup.found) ?? .absent
        }
    }

    func resolved(_ id: String, roots: [String] = []) throws -> ResolvedPolicy {
        guard case .resolved(let policy) = try resolution(of: id, roots: roots) else {
            throw TwinspanError.jsonInvalid("A policy is asked for, though all of them are known.")
        }
        return policy
    }

    private static func entry(_ short: JSONObject) throws -> JSONValue {
        var entry = try #require(try Sample.entryJSON(short, subjectType: short["type"] ?? "test").object)
        entry["importable"] = short["i"]
        entry["allowedAdditions"] = short["a"]
        guard let references = short["ref"]?.array else { return .object(entry) }
        entry["references"] = .array(
            references.compactMap(\.string).map { text in
                let parts = text.split(separator: " ").map { JSONValue.string(String($0)) }
                return parts.count == 2 ? ["import": parts[0], "entry": parts[1]] : ["entry": parts[0]]
            })
        return .object(entry)
    }
}

extension ResolvedPolicy {
    /// The entries, each as `label: subjects; resources` with `+`granted and `-`revoked permissions, and behind that
    /// what is not the default: `n=namespaces`, `explicit`, `a=additions`.
    var short: [String] { entries.map(\.entry.short) }
}

extension PolicyEntry {
    var short: String {
        let letters = { (permissions: [Permission]) in String(permissions.map { $0.name.first ?? "?" }) }
        let resources = resources.map { resource in
            resource.key + (resource.grants.isEmpty ? "" : "+" + letters(resource.grants))
                + (resource.revokes.isEmpty ? "" : "-" + letters(resource.revokes))
        }
        var text = "\(label): \(subjects.map(\.id).joined(separator: " ")); \(resources.joined(separator: " "))"
        if let namespaces { text += " n=" + namespaces.map(\.text).joined(separator: ",") }
        if importable != .implicit { text += " \(importable)" }
        if let allowedAdditions { text += " a=" + allowedAdditions.map(\.rawValue).joined(separator: ",") }
        return text
    }
}
