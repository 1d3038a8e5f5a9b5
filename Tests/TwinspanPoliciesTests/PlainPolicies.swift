// Policies as plain text values, and how they are resolved by the letter of spec/policies-search.md A.5, A.6 and A.7:
// what the real resolution is compared with. Shares no code with it, and nothing here is fast.
import TwinspanJSON

struct PlainResource: Equatable {
    var type: String
    var path: [String]
    var grants: Set<String>
    var revokes: Set<String>

    var key: String { "\(type):/\(path.joined(separator: "/"))" }

    var json: JSONValue {
        [
            "grant": .array(grants.sorted().map { .string($0) }),
            "revoke": .array(revokes.sorted().map { .string($0) }),
        ]
    }
}

struct PlainEntry {
    var label: String
    var subjects: [String]
    var resources: [PlainResource]
    var namespaces: [String]?
    var importable = "implicit"
    var allowedAdditions: [String]?
    var references: [(policy: String?, entry: String)] = []

    var json: JSONValue {
        let texts = { (values: [String]) in JSONValue.array(values.sorted().map { .string($0) }) }
        var object: JSONObject = [
            "subjects": .object(JSONObject(subjects.map { ($0, ["type": ""]) })),
            "resources": .object(JSONObject(resources.map { ($0.key, $0.json) })),
            "importable": .string(importable),
        ]
        if let namespaces { object["namespaces"] = texts(namespaces) }
        if let allowedAdditions { object["allowedAdditions"] = texts(allowedAdditions) }
        if !references.isEmpty {
            object["references"] = .array(
                references.map { policy, entry in
                    policy.map { ["import": .string($0), "entry": .string(entry)] } ?? ["entry": .string(entry)]
                })
        }
        return .object(object)
    }
}

struct PlainPolicy {
    struct Import {
        var policy: String
        var entries: [String]
        var transitiveImports: [String]
    }

    var id: String
    var imports: [Import] = []
    var entries: [PlainEntry] = []

    var namespace: String { String(id.prefix { $0 != ":" }) }

    var json: JSONValue {
        let texts = { (values: [String]) in JSONValue.array(values.map { .string($0) }) }
        return [
            "policyId": .string(id),
            "imports": .object(
                JSONObject(
                    imports.map {
                        ($0.policy, ["entries": texts($0.entries), "transitiveImports": texts($0.transitiveImports)])
                    })),
            "entries": .object(JSONObject(entries.map { ($0.label, $0.json) })),
        ]
    }
}

struct PlainResolver {
    let policies: [String: PlainPolicy]
    let roots: [(pattern: String, policies: [String])]

    /// A.5.6, with the entries of A.7 behind.
    func entries(of policy: PlainPolicy) -> [PlainEntry] {
        var entries = resolved(policy, following: nil, visited: [policy.id])
        for root in rootIDs(of: policy) {
            guard let rootPolicy = policies[root] else { continue }
            for var entry in resolved(rootPolicy, following: nil, visited: [root]) where entry.importable == "implicit"
            {
                entry.label = "nsimported-\(root)-\(entry.label)"
                entries.append(entry)
            }
        }
        return entries
    }

    /// A.7: exact → longer prefix → shorter prefix → `*`.
    func rootIDs(of policy: PlainPolicy) -> [String] {
        let exact = roots.filter { $0.pattern == policy.namespace }
        let prefixes = roots.filter { $0.pattern.hasSuffix(".*") && policy.namespace.hasPrefix($0.pattern.dropLast()) }
        let any = roots.filter { $0.pattern == "*" }
        var ids: [String] = []
        for rule in exact + prefixes.sorted(by: { $0.pattern.count > $1.pattern.count }) + any {
            for id in rule.policies where id != policy.id && !ids.contains(id) { ids.append(id) }
        }
        return ids
    }

    /// A.5: the entries of a policy and of those of its imports that are followed, all when `following` is nil.
    private func resolved(_ policy: PlainPolicy, following: [String]?, visited: [String]) -> [PlainEntry] {
        var all = policy.entries
        for imported in policy.imports {
            if let following, !following.contains(imported.policy) { continue }
            if visited.contains(imported.policy) { continue }
            guard let source = policies[imported.policy] else { continue }
            let inner = resolved(
                source, following: imported.transitiveImports, visited: visited + [imported.policy])
            for var entry in inner {
                if entry.importable == "never" { continue }
                if entry.importable == "explicit", !imported.entries.contains(entry.label) { continue }
                entry.label = "imported-\(imported.policy)-\(entry.label)"
                entry.references = []
                all.append(entry)
            }
        }
        return all.map { merged($0, stored: policy.entries, all: all) }
    }

    /// A.6.
    private func merged(_ entry: PlainEntry, stored: [PlainEntry], all: [PlainEntry]) -> PlainEntry {
        var targets: [PlainEntry] = []
        for reference in entry.references {
            let target: PlainEntry?
            if let policy = reference.policy {
                target = all.first { $0.label == "imported-\(policy)-\(reference.entry)" }
            } else {
                target = stored.first { $0.label == reference.entry }
            }
            if let target, target.importable != "never" { targets.append(target) }
        }
        if targets.isEmpty { return entry }
        var allowed: Set<String> = ["subjects", "resources", "namespaces"]
        for target in targets {
            if let declared = target.allowedAdditions { allowed.formIntersection(declared) }
        }
        var own = entry
        if !allowed.contains("subjects") { own.subjects = [] }
        if !allowed.contains("resources") { own.resources = [] }
        if !allowed.contains("namespaces") { own.namespaces = nil }
        // Decisions pool all resources and namespaces of an entry, so that to unite them is to list them all.
        own.subjects = (targets + [own]).flatMap(\.subjects)
        own.resources = (targets + [own]).flatMap(\.resources)
        let lists = (targets + [own]).compactMap(\.namespaces)
        own.namespaces = lists.isEmpty ? nil : lists.flatMap { $0 }
        return own
    }
}
