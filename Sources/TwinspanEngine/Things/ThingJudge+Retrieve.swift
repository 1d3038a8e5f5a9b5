// Reading a thing or a part of it (spec/protocol.md §3.3, §6.2).
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension ThingJudge {
    func retrieve() throws(TwinspanError) -> ThingVerdict {
        try requireReadOfConditions()
        let isFull = try requireRead()
        try checkTerms()
        try requireFeature()
        guard let current else { throw .notFound(command.resource, of: command.thingID) }
        let tag = entityTag(revision: state.revision, current)
        // An inlined policy changes without the thing, so its tag says nothing then (§10.2).
        if !selectsPolicy { try checkEntityTags(tag) }
        var response = ThingResponse(
            status: 200, value: current, revision: state.revision, etag: tag, action: .retrieve)
        if case .get(let keys) = terms?.metadata { response.metadata = JSONText(visibleMetadata(keys)) }
        if isFull, command.fields == nil { return ThingVerdict(response: response) }
        var value = current.value
        if path.isRoot, command.fields != nil { value = withSpecialFields(value) }
        if !isFull { value = try visible(value) }
        if let fields = command.fields {
            if selectsPolicy, let policy = visiblePolicy, var object = value.object {
                object["_policy"] = policy
                value = .object(object)
            }
            value = select(fields, from: value)
        }
        response.value = JSONText(value)
        return ThingVerdict(response: response)
    }

    /// Whether the retrieve wants the policy inlined.
    private var selectsPolicy: Bool { path.isRoot && command.fields?.selects("_policy") == true }

    /// The readable part of a value at the path.
    private func visible(_ value: JSONValue) throws(TwinspanError) -> JSONValue {
        let visible = enforcer.view(of: value, type: .thing, base: path, subjects: context, namespace: namespace)
        guard let visible else { throw .notFound(command.resource, of: command.thingID) }
        return visible
    }

    /// The readable part of the policy; nil when nothing of it may be read, which leaves the field out.
    private var visiblePolicy: JSONValue? {
        guard let policy,
            policy.enforcer.isPartial(.read, .policy, .root, subjects: context, namespace: "")
        else { return Optional<JSONValue>.none }
        return policy.enforcer.view(of: policy.text.value, type: .policy, base: .root, subjects: context, namespace: "")
    }

    /// The selected fields. A selector is relative to the resource; it is applied from the root, where its wildcard
    /// has its meaning.
    private func select(_ fields: JSONFieldSelector, from value: JSONValue) -> JSONValue {
        guard !path.isRoot, value.object != nil else { return fields.select(from: value) }
        let rooted = JSONFieldSelector(fields.pointers.map { path.appending($0) })
        let selected = rooted.select(from: JSONMergePatch.wrap(value, at: path))
        return selected.value(at: path) ?? .object(JSONObject())
    }

    /// The answer to `get-metadata`, in the part that may be read.
    private func visibleMetadata(_ keys: [MetadataKey]) -> JSONValue {
        guard let metadata = state.metadata else { return .object(JSONObject()) }
        let visible = enforcer.view(
            of: metadata.value, type: .thing, base: .root, subjects: context, namespace: namespace)
        guard let visible else { return .object(JSONObject()) }
        return MetadataChange(JSONText(visible)).selected(keys, at: path, thing: text.value)
    }
}
