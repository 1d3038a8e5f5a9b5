// Decides a command on a policy: a value in, a value or one typed error out (spec/protocol.md §6.3, A.3.2).
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct PolicyJudge {
    struct Verdict {
        var response: PolicyResponse
        var event: PolicyEvent?
        var after: PolicyState?
    }

    let prepared: PreparedPolicyCommand
    let state: PolicyState
    /// Decides under the policy as it is, with everything it builds on; nil when there is none.
    let enforcer: PolicyEnforcer?
    let context: AuthorizationContext
    let access: AccessSettings
    let limits: TwinLimits
    let now: Timestamp

    private var command: PolicyCommand { prepared.command }
    private var resource: PolicyPath { prepared.command.resource }

    /// In the order of §6.1: authorization, existence, preconditions, size, what is special to the resource. What it
    /// asks about other policies goes through `inquiry`.
    func verdict(_ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry) throws(TwinspanError) -> Verdict {
        guard let text = state.text, let enforcer else {
            guard resource.kind == .policy, command.action == .create || command.action == .modify else {
                throw .notFound(.root, of: command.policyID)
            }
            try access.creation.check(command.policyID, creator: context)
            try checkPreconditions(nil)
            return try change(.created, prepared.value, status: 201, &cache, &inquiry)
        }
        switch command.action {
        case .create:
            try checkPreconditions(present(in: text))
            throw .policyConflict(command.policyID)
        case .retrieve: return try retrieve(text, enforcer, &cache, &inquiry)
        case .modify:
            try requireWrite(enforcer)
            return try modify(text, &cache, &inquiry)
        case .delete:
            try requireWrite(enforcer)
            try requireParent(in: text)
            guard let present = present(in: text) else { throw .notFound(resource, of: command.policyID) }
            try checkPreconditions(present)
            return try change(.deleted, nil, status: 204, &cache, &inquiry)
        }
    }

    // MARK: What is there

    /// The stored value of the resource and its entity tag.
    private typealias Present = (value: JSONText, tag: String)

    private func present(in text: JSONText) -> Present? {
        if resource.kind == .policy { return (text, EntityTags.tag(revision: state.revision)) }
        if let value = text.text(at: resource.path) { return (value, partTag(of: value) ?? Self.hiddenTag) }
        switch resource.kind {
        case .allowedAdditions, .references, .importEntries, .transitiveImports:
            guard resource.path.parent.flatMap({ text.range(at: $0) }) != nil else { return nil }
            // What was never set reads as an empty list. For the allowed additions it means the opposite of one, and
            // the tag tells (A.1.2).
            let empty = JSONText(.array([]))
            return (empty, EntityTags.tag(of: resource.kind == .allowedAdditions ? JSONText(.null) : empty))
        default: return nil
        }
    }

    /// The tag of a part, made of what the caller may read of it: 32 bits of the rest would be enough to find it out by
    /// trying. Nil for whom nothing of it is readable.
    private func partTag(of value: JSONText) -> String? {
        let path = resource.accessPath
        guard value.isObject, let enforcer,
            !enforcer.isUnrestricted(.read, .policy, path, subjects: context, namespace: "")
        else { return mayReadPart ? EntityTags.tag(of: value) : nil }
        let visible = enforcer.view(of: value.value, type: .policy, base: path, subjects: context, namespace: "")
        return visible.map { EntityTags.tag(of: JSONText($0)) }
    }

    /// Stands for the tag of what may not be read. Listed tags are quoted, so none of them hits; `*` does.
    private static let hiddenTag = "hidden"

    private var mayReadPart: Bool {
        enforcer?.isPartial(.read, .policy, resource.accessPath, subjects: context, namespace: "") ?? false
    }

    /// The entry or import that holds the resource must be there; its absence has a code of its own.
    private func requireParent(in text: JSONText) throws(TwinspanError) {
        guard resource.path.segments.count > 2 else { return }
        let parent = JSONPointer(segments: Array(resource.path.segments.prefix(2)))
        guard text.range(at: parent) == nil else { return }
        throw .notFound(try PolicyPath(parent), of: command.policyID)
    }

    private func requireWrite(_ enforcer: PolicyEnforcer) throws(TwinspanError) {
        guard enforcer.isUnrestricted(.write, .policy, resource.accessPath, subjects: context, namespace: "") else {
            throw .notModifiable(resource, of: command.policyID)
        }
    }

    private func checkPreconditions(_ present: Present?) throws(TwinspanError) {
        do throws(TwinspanError) {
            try prepared.preconditions.check(
                tag: present?.tag, isRetrieve: command.action == .retrieve,
                failed: GeneralErrorTable.policyPreconditionFailed,
                notModified: GeneralErrorTable.policyPreconditionNotModified)
        } catch {
            throw withoutHiddenTag(error)
        }
    }

    /// Who may not read the resource is not told its tag: it would say whether a guess at its value is right.
    private func withoutHiddenTag(_ error: TwinspanError) -> TwinspanError {
        guard !mayReadPart else { return error }
        var error = error
        error.etag = nil
        return error
    }

    // MARK: Commands

    private func retrieve(
        _ text: JSONText, _ enforcer: PolicyEnforcer, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> Verdict {
        let path = resource.accessPath
        guard enforcer.isPartial(.read, .policy, path, subjects: context, namespace: "") else {
            throw .notFound(resource, of: command.policyID)
        }
        try requireParent(in: text)
        guard let present = present(in: text) else { throw .notFound(resource, of: command.policyID) }
        var full = present.value.value
        if prepared.isResolvedView, let parsed = ParsedPolicy(text, id: command.policyID) {
            let view = ResolvedPolicyView(policy: parsed.policy, revision: state.revision, reader: context)
            full.set(try view.entries(&cache, &inquiry), at: JSONPointer(segments: ["entries"]))
        }
        guard var value = enforcer.view(of: full, type: .policy, base: path, subjects: context, namespace: "") else {
            throw .notFound(resource, of: command.policyID)
        }
        // The resolved view changes without the policy: it has no tag, and nothing can be asked of one (A.1.3).
        if !prepared.isResolvedView { try checkPreconditions(present) }
        if resource.kind == .policy, let fields = command.fields {
            value = fields.select(from: withSpecialFields(value))
        }
        return Verdict(
            response: PolicyResponse(
                status: 200, value: JSONText(value), revision: state.revision,
                etag: prepared.isResolvedView ? nil : present.tag, action: .retrieve))
    }

    /// The policy with the members that are only shown when selected (§2.4).
    private func withSpecialFields(_ value: JSONValue) -> JSONValue {
        guard var object = value.object else { return value }
        object["_namespace"] = .string(command.policyID.namespace)
        object["_revision"] = .number(JSONNumber(state.revision))
        object["_created"] = .string(state.created.iso8601)
        object["_modified"] = .string(state.modified.iso8601)
        return .object(object)
    }

    private func modify(
        _ text: JSONText, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> Verdict {
        try requireParent(in: text)
        guard let value = prepared.value else { throw .jsonInvalid("The value of the command is missing.") }
        let present = present(in: text)
        try checkPreconditions(present)
        if prepared.preconditions.ifEqual == .skip, let present,
            present.value == value || present.value.value == value.value
        {
            throw .policyUnchanged()
        }
        switch resource.kind {
        case .entry, .subject, .resource, .policyImport:
            return try present == nil
                ? change(.created, value, status: 201, &cache, &inquiry)
                : change(.modified, value, status: 204, &cache, &inquiry)
        case .references:
            // The first references are answered as created, but told as modified (§6.3).
            let isFirst = present?.value.value.array?.isEmpty != false && value.value.array?.isEmpty == false
            return try change(.modified, value, status: isFirst ? 201 : 204, &cache, &inquiry)
        case .policy, .entries, .subjects, .resources, .namespaces, .importable, .allowedAdditions, .imports,
            .importEntries, .transitiveImports:
            return try change(.modified, value, status: 204, &cache, &inquiry)
        }
    }

    // MARK: The change

    private func change(
        _ action: ThingEvent.Action, _ value: JSONText?, status: Int, _ cache: inout PolicyCache,
        _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> Verdict {
        let event = PolicyEvent(
            policyID: command.policyID, action: action, path: resource.path, value: value, revision: state.revision + 1,
            timestamp: now)
        let after = try next(event, &cache, &inquiry)
        let isWhole = resource.kind == .policy
        // Who may read nothing of it has the tag of what he has written himself.
        let tag = value.map { value in
            isWhole ? EntityTags.tag(revision: event.revision) : partTag(of: value) ?? EntityTags.tag(of: value)
        }
        return Verdict(
            response: PolicyResponse(
                status: status, value: status == 201 ? value : nil, revision: event.revision, etag: tag,
                action: isWhole && action == .created ? .create : command.action),
            event: event, after: after)
    }

    /// The state after the event, by the same steps as a replay, if it may come to be.
    private func next(
        _ event: PolicyEvent, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> PolicyState {
        let json: JSONValue?
        do throws(InconsistentEvent) {
            json = try state.json(after: event)
        } catch {
            throw GeneralErrorTable.internalError.error(description: error.description)
        }
        guard let json else { return PolicyState(after: state, event, .none, text: nil) }
        if let before = state.text, resource.kind != .policy {
            try PolicyReferences(in: before.value).check(command.action, at: resource, after: json)
        }
        let policy: Policy
        if let whole = prepared.policy {
            policy = whole
        } else {
            policy = try Policy.parse(json, id: command.policyID, limits: PolicyLimits(limits))
        }
        let text = PolicyState.text(after: event, policy)
        guard limits.policyBytes <= 0 || text.bytes.count <= limits.policyBytes else {
            throw GeneralErrorTable.policyTooLarge.error(
                "The policy '\(command.policyID)' would have \(text.bytes.count) bytes of \(limits.policyBytes).")
        }
        if let expired = prepared.expired { throw .subjectExpired(expired.text) }
        if access.preventsLockout { try policy.validateOwnership(changedEntry: resource.label) }
        if event.action != .deleted {
            try PolicySources(of: policy, writer: context).check(at: resource, &cache, &inquiry)
        }
        try requireOwnWrite(policy, event, &cache, &inquiry)
        return PolicyState(after: state, event, policy, text: text)
    }

    /// Whoever writes the whole policy must keep WRITE on it, unless he says that he knows. Parts are free: their
    /// writer may never have had WRITE on the whole, and somebody who has it is sure to be left. Asked last: what the
    /// policy grants him would tell about what it imports.
    private func requireOwnWrite(
        _ policy: Policy, _ event: PolicyEvent, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) {
        guard resource.kind == .policy, command.headers.text(.allowPolicyLockout) != "true" else { return }
        let after = try cache.resolve(policy, revision: event.revision, for: &inquiry).enforcer
        guard !after.isUnrestricted(.write, .policy, .root, subjects: context, namespace: "") else { return }
        throw event.action == .created
            ? GeneralErrorTable.policyNotCreatable.error("The policy '\(command.policyID)' may not be created.")
            : .policyLockout(command.policyID)
    }
}
