// The resolved view of a policy (spec/policies-search.md A.1.3): its entries with their references merged, and those
// that count beside them, in the part that the reader may see where they come from.
//
// Merging copies what is written in one entry into another one. An entry that builds on something the reader may not
// read is therefore shown as it is stored.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// The view that one reader has.
struct ResolvedPolicyView {
    let policy: Policy
    let revision: Int64
    let reader: AuthorizationContext

    /// References are followed as far as imports are.
    private static let depthMaximum = 10

    /// The value of `entries`; what the reader may see of it by the policy itself is still to be cut.
    func entries(_ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry) throws(TwinspanError) -> JSONValue {
        var members: [(String, JSONValue)] = []
        for entry in try cache.resolve(policy, revision: revision, for: &inquiry).resolved.entries {
            switch entry.origin {
            case .own:
                guard let stored = policy[entry.sourceLabel] else { continue }
                let isOpen = try mayReadSources(of: stored, in: policy.id, &cache, &inquiry)
                members.append((entry.entry.label, isOpen ? entry.entry.json : stored.json))
            case .imported(let way), .namespaceRoot(let way):
                guard let holder = way.last,
                    let json = try visible(entry, of: holder, &cache, &inquiry)
                else { continue }
                members.append((entry.entry.label, json))
            }
        }
        return .object(JSONObject(members))
    }

    /// An entry of another policy, as that one lets the reader see it; nil when it does not.
    private func visible(
        _ entry: ResolvedPolicy.Entry, of holder: PolicyID, _ cache: inout PolicyCache,
        _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> JSONValue? {
        guard let enforcer = try cache.enforcer(of: holder, for: &inquiry),
            let stored = try cache.policy(holder, for: &inquiry)?[entry.sourceLabel]
        else { return .none }
        var json = entry.entry.json
        if try !mayReadSources(of: stored, in: holder, &cache, &inquiry) {
            json = stored.json
            json.remove(at: JSONPointer(segments: ["references"]))
        }
        return enforcer.view(
            of: json, type: .policy, base: .entry(entry.sourceLabel), subjects: reader, namespace: "")
    }

    /// Whether the reader may read all that an entry of the policy `holder` builds on, however far away it is.
    private func mayReadSources(
        of entry: PolicyEntry, in holder: PolicyID, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry,
        depth: Int = 0
    ) throws(TwinspanError) -> Bool {
        for reference in entry.references {
            let owner = reference.importedPolicy ?? holder
            guard depth < Self.depthMaximum else { return false }
            // What does not exist brings nothing.
            guard let enforcer = try cache.enforcer(of: owner, for: &inquiry) else { continue }
            guard
                enforcer.isUnrestricted(
                    .read, .policy, .entry(reference.entry), subjects: reader, namespace: "")
            else { return false }
            // The references of a local target are not followed (A.6).
            guard reference.importedPolicy != nil else { continue }
            guard let target = try cache.policy(owner, for: &inquiry)?[reference.entry] else {
                // It may have come to the owner from a third policy, which is not asked here.
                return false
            }
            guard try mayReadSources(of: target, in: owner, &cache, &inquiry, depth: depth + 1) else { return false }
        }
        return true
    }
}
