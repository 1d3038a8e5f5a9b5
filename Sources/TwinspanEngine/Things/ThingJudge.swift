// Decides a command on a thing: a value in, a value or one typed error out. No lock, no clock, no store; called under
// the shard's lock with everything it needs. The order of checks is that of spec/protocol.md §6.1.
import TwinspanExpressions
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// What a command comes to.
struct ThingVerdict {
    var response: ThingResponse
    /// The change it makes; nil for a retrieve.
    var event: ThingEvent?
    /// The state after the event.
    var after: ThingState?
}

/// The facts a command on an existing thing is judged by.
struct ThingJudge {
    let command: ThingCommand
    let state: ThingState
    let text: JSONText
    let enforcer: PolicyEnforcer
    let context: AuthorizationContext
    let limits: TwinLimits
    let now: Timestamp

    /// Judges a command on a thing that exists and whose policy exists.
    func verdict() throws(TwinspanError) -> ThingVerdict {
        try checkCondition()
        switch command.action {
        case .create:
            try checkEntityTags(EntityTags.tag(revision: state.revision))
            throw ThingErrorTable.conflict.error("A thing with the id '\(command.thingID)' exists already.")
        case .retrieve: return try retrieve()
        case .modify: return try modify()
        case .merge: return try merge()
        case .delete: return try delete()
        }
    }

    // MARK: Access

    private func may(_ permission: Permission, _ path: JSONPointer) -> Bool {
        enforcer.isUnrestricted(
            permission, .thing, path, subjects: context, namespace: namespace)
    }

    private var namespace: String { command.thingID.namespace }

    private func requireWrite() throws(TwinspanError) {
        guard !may(.write, command.resource.path) else { return }
        throw command.action == .delete && command.resource.kind == .thing
            ? ThingErrorTable.notDeletable.error("The thing '\(command.thingID)' may not be deleted.")
            : .notModifiable(command.resource, of: command.thingID)
    }

    /// With full WRITE everything is allowed; with partial WRITE every leaf of the patch needs it (§6.2, A.3.2).
    private func requireWrite(ofPatch patch: JSONText) throws(TwinspanError) {
        let path = command.resource.path
        if may(.write, path) { return }
        let isPartial = enforcer.isPartial(.write, .thing, path, subjects: context, namespace: namespace)
        guard isPartial, leavesAreWritable(patch.value, path) else {
            throw .notModifiable(.root, of: command.thingID)
        }
    }

    private func leavesAreWritable(_ patch: JSONValue, _ path: JSONPointer) -> Bool {
        guard let object = patch.object, !object.isEmpty else { return may(.write, path) }
        for (key, value) in object {
            // Removing by pattern touches every key of the object, so it needs WRITE on the object (§3.2).
            if key.hasPrefix("{{"), key.hasSuffix("}}"), value.isNull {
                guard may(.write, path) else { return false }
            } else if !leavesAreWritable(value, path.appending(key)) {
                return false
            }
        }
        return true
    }

    // MARK: Preconditions

    private func checkCondition() throws(TwinspanError) {
        guard command.action != .create, let condition = command.headers.text(.condition) else { return }
        let filter: RQLFilter
        do throws(RQLError) {
            filter = try RQLFilter.parse(condition, placeholders: .condition)
        } catch {
            throw ThingErrorTable.conditionInvalid.error(error.message, description: error.description)
        }
        for field in filter.fields where !may(.read, field) {
            throw ThingErrorTable.conditionFailed.error(
                description: "You have insufficient permissions to read '\(field)', which the condition names.")
        }
        let holds = filter.matches(withSpecialFields(text.value), placeholders: ClockResolver(now: now))
        guard !holds else { return }
        try checkAccess()
        throw ThingErrorTable.conditionFailed.error()
    }

    /// Whoever may not do it at all is told that, and not what a condition says about the state.
    private func checkAccess() throws(TwinspanError) {
        switch command.action {
        case .create: break
        case .retrieve:
            let isPartial = enforcer.isPartial(
                .read, .thing, command.resource.path, subjects: context, namespace: namespace)
            guard isPartial else { throw .notFound(command.resource, of: command.thingID) }
        case .modify, .delete: try requireWrite()
        case .merge:
            if let patch = command.value { try requireWrite(ofPatch: patch) }
        }
    }

    /// if-match before if-none-match, on the addressed resource (§10.2).
    private func checkEntityTags(_ tag: String?) throws(TwinspanError) {
        if let wanted = command.headers.text(.ifMatch) {
            let tags = try EntityTags(wanted, header: "if-match")
            guard let tag, tags.contain(tag) else { throw ThingErrorTable.preconditionFailed.error() }
        }
        if let unwanted = command.headers.text(.ifNoneMatch) {
            let tags = try EntityTags(unwanted, header: "if-none-match")
            if let tag, tags.contain(tag) {
                throw command.action == .retrieve
                    ? ThingErrorTable.preconditionNotModified.error() : ThingErrorTable.preconditionFailed.error()
            }
        }
    }

    private func entityTag(revision: Int64, _ value: JSONText?) -> String? {
        guard let value else { return nil }
        return command.resource.kind == .thing ? EntityTags.tag(revision: revision) : EntityTags.tag(of: value)
    }

    private var hasEntityTagHeaders: Bool {
        command.headers[.ifMatch] != nil || command.headers[.ifNoneMatch] != nil
    }

    /// `if-equal: skip` refuses a change that changes nothing (§10.5).
    private func checkIfEqual(_ current: JSONText?, _ next: JSONText) throws(TwinspanError) {
        guard let rule = command.headers.text(.ifEqual)?.lowercased() else { return }
        switch rule {
        case "update": return
        case "skip", "skip-minimizing-merge":
            if rule == "skip-minimizing-merge", command.action == .modify { return }
            if let current, current == next || current.value == next.value {
                throw ThingErrorTable.preconditionFailed.error(
                    description: "The value equals the stored one, and 'if-equal' asks to skip such changes.")
            }
        default:
            throw .headerInvalid("if-equal", "Use 'update', 'skip' or 'skip-minimizing-merge'.")
        }
    }

    // MARK: Commands

    private func retrieve() throws(TwinspanError) -> ThingVerdict {
        let path = command.resource.path
        let isFull = may(.read, path)
        guard isFull || enforcer.isPartial(.read, .thing, path, subjects: context, namespace: namespace) else {
            throw .notFound(command.resource, of: command.thingID)
        }
        try requireFeature()
        guard let current = path.isRoot ? text : text.text(at: path) else {
            throw .notFound(command.resource, of: command.thingID)
        }
        let tag = entityTag(revision: state.revision, current)
        try checkEntityTags(tag)
        var response = ThingResponse(
            status: 200, value: current, revision: state.revision, etag: tag, action: .retrieve)
        if isFull, command.fields == nil { return ThingVerdict(response: response) }
        var value = current.value
        if path.isRoot, command.fields != nil { value = withSpecialFields(value) }
        if !isFull {
            let visible = enforcer.view(
                of: value, type: .thing, base: path, subjects: context, namespace: namespace)
            guard let visible else { throw .notFound(command.resource, of: command.thingID) }
            value = visible
        }
        if let fields = command.fields { value = fields.select(from: value) }
        response.value = JSONText(value)
        return ThingVerdict(response: response)
    }

    private func modify() throws(TwinspanError) -> ThingVerdict {
        try requireWrite()
        guard var value = command.value else { throw .jsonInvalid("The value of the command is missing.") }
        let kind = command.resource.kind
        if kind == .thing {
            value = try wholeThing(value)
        } else {
            try ThingForm.check(value, for: command.resource)
            if kind != .feature { try requireFeature() }
        }
        let current: JSONText? = kind == .thing ? text : needsCurrent ? text.text(at: command.resource.path) : nil
        if hasEntityTagHeaders { try checkEntityTags(entityTag(revision: state.revision, current)) }
        try checkIfEqual(current, value)
        var event = ThingEvent(
            thingID: command.thingID, action: .modified, path: command.resource.path, value: value,
            revision: state.revision + 1, timestamp: now)
        guard kind != .thing else {
            return try accept(event, status: 204, after: try next(event))
        }
        // One splice both makes the next text and tells whether the resource was there.
        let (nextText, isCreated) = text.replacing(at: command.resource.path, with: value)
        if isCreated { event.action = .created }
        var after = state
        after.text = nextText
        after.revision = event.revision
        after.modified = now
        if kind == .policyID { after = try next(event) }
        return try accept(event, status: isCreated && kind != .policyID ? 201 : 204, after: after)
    }

    private func merge() throws(TwinspanError) -> ThingVerdict {
        guard let given = command.value else { throw .jsonInvalid("The value of the command is missing.") }
        let path = command.resource.path
        try checkPatch(given)
        var patch = path.isRoot ? try ThingForm.writablePatch(given) : given
        try requireWrite(ofPatch: patch)
        if command.headers.text(.ifEqual)?.lowercased() == "skip-minimizing-merge",
            let current = path.isRoot ? text : text.text(at: path),
            let rest = PatchReduction.differing(patch.value, from: current.value)
        {
            // A patch of which nothing is left is refused below, for it changes nothing.
            patch = JSONText(rest)
        }
        if hasEntityTagHeaders {
            try checkEntityTags(
                entityTag(revision: state.revision, path.isRoot ? text : text.text(at: path)))
        }
        let event = ThingEvent(
            thingID: command.thingID, action: .merged, path: path, value: patch, revision: state.revision + 1,
            timestamp: now)
        let after = try next(event)
        guard let result = after.text else { throw ThingErrorTable.mergeInvalid.error() }
        if command.headers[.ifEqual] != nil { try checkIfEqual(text, result) }
        try checkMerged(result, patch)
        return try accept(event, status: 204, after: after)
    }

    private func checkPatch(_ patch: JSONText) throws(TwinspanError) {
        switch command.resource.kind {
        case .policyID where patch.isNull: throw ThingErrorTable.policyIDNotDeletable.error()
        case .thing:
            guard let object = patch.value.object, !object.isEmpty else { throw ThingErrorTable.mergeInvalid.error() }
            if let id = object["thingId"] {
                if id.isNull { throw ThingErrorTable.idNotDeletable.error() }
                guard id.string?.hasSameBytes(as: command.thingID.text) == true else {
                    throw ThingErrorTable.idNotSettable.error()
                }
            }
            if object["policyId"]?.isNull == true { throw ThingErrorTable.policyIDNotDeletable.error() }
        default: break
        }
    }

    /// The merged thing must be a thing again; only what the patch could have touched is looked at.
    private func checkMerged(_ result: JSONText, _ patch: JSONText) throws(TwinspanError) {
        if command.resource.kind == .thing {
            guard let object = result.value.object, let policyID = object["policyId"]?.string,
                object["thingId"]?.string?.hasSameBytes(as: command.thingID.text) == true
            else { throw ThingErrorTable.mergeInvalid.error() }
            _ = try ThingForm.thing(object, id: command.thingID, policyID: try PolicyID(policyID))
        } else if !patch.isNull, let merged = result.text(at: command.resource.path) {
            try ThingForm.check(merged, for: command.resource)
        }
    }

    private func delete() throws(TwinspanError) -> ThingVerdict {
        try requireWrite()
        try requireFeature()
        let path = command.resource.path
        let current = path.isRoot ? text : text.text(at: path)
        guard let current else { throw .notFound(command.resource, of: command.thingID) }
        if hasEntityTagHeaders { try checkEntityTags(entityTag(revision: state.revision, current)) }
        let event = ThingEvent(
            thingID: command.thingID, action: .deleted, path: path, value: nil, revision: state.revision + 1,
            timestamp: now)
        let response = ThingResponse(
            status: 204, value: nil, revision: event.revision, etag: nil, action: .delete)
        return ThingVerdict(response: response, event: event, after: try next(event))
    }

    // MARK: Pieces

    /// The full thing a modify at the root results in: policyId and nothing else is kept when the value leaves it out.
    private func wholeThing(_ value: JSONText) throws(TwinspanError) -> JSONText {
        guard let object = value.value.object else { throw .jsonInvalid("The thing is not a JSON object.") }
        if let id = object["thingId"], id.string?.hasSameBytes(as: command.thingID.text) != true {
            throw ThingErrorTable.idNotSettable.error()
        }
        if object["_policy"] != nil, object["_copyPolicyFrom"] != nil {
            throw ThingErrorTable.policyConflicting.error()
        }
        var policyID = state.policyID
        if let given = object["policyId"], !given.isNull {
            guard let text = given.string else { throw .jsonInvalid("The policyId is not a string.") }
            policyID = try PolicyID(text)
        }
        return try ThingForm.thing(object, id: command.thingID, policyID: policyID ?? command.thingID.policyID)
    }

    private func requireFeature() throws(TwinspanError) {
        guard let feature = command.resource.featureID, command.resource.kind != .feature else { return }
        guard text.range(at: JSONPointer(segments: ["features", feature])) != nil else {
            throw .featureNotFound(feature, of: command.thingID)
        }
    }

    /// Whether the present value of the resource matters to a modify.
    private var needsCurrent: Bool {
        hasEntityTagHeaders || command.headers[.ifEqual] != nil
    }

    private func next(_ event: ThingEvent) throws(TwinspanError) -> ThingState {
        do throws(InconsistentEvent) {
            return try state.applying(event)
        } catch {
            throw ThingErrorTable.mergeInvalid.error(description: error.description)
        }
    }

    private func accept(_ event: ThingEvent, status: Int, after: ThingState) throws(TwinspanError) -> ThingVerdict {
        let bytes = after.text?.bytes.count ?? 0
        guard limits.thingBytes <= 0 || bytes <= limits.thingBytes else {
            throw ThingErrorTable.tooLarge.error(
                "The thing '\(command.thingID)' would have \(bytes) bytes; \(limits.thingBytes) are allowed.")
        }
        var response = ThingResponse(
            status: status, value: status == 201 ? event.value : nil, revision: event.revision, etag: nil,
            action: command.action)
        if command.headers.isResponseRequired {
            let value = command.resource.path.isRoot ? after.text : event.action == .merged ? nil : event.value
            response.etag = entityTag(revision: event.revision, value)
        }
        return ThingVerdict(response: response, event: event, after: after)
    }

    /// The thing with the members that are only shown when selected (§2.1).
    private func withSpecialFields(_ value: JSONValue) -> JSONValue {
        guard var object = value.object else { return value }
        object["_namespace"] = .string(namespace)
        object["_revision"] = .number(JSONNumber(state.revision))
        object["_created"] = .string(state.created.iso8601)
        object["_modified"] = .string(state.modified.iso8601)
        return .object(object)
    }
}

/// Resolves `time:` placeholders of conditions; nothing else is known there.
struct ClockResolver: PlaceholderResolver {
    let now: Timestamp

    func values(of placeholder: Placeholder) -> PlaceholderValues {
        guard case .time(let expression) = placeholder else { return .unresolved }
        return .one(expression.text(atEpochMilliseconds: now.milliseconds))
    }
}
