// Who may do what, and under which conditions (spec/protocol.md §6.1, §10; policies-search.md A.3.2).
import TwinspanExpressions
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension ThingJudge {
    var namespace: String { command.thingID.namespace }

    /// Whether the permission is granted at the path and revoked nowhere below it.
    func may(_ permission: Permission, _ path: JSONPointer) -> Bool {
        enforcer.isUnrestricted(permission, .thing, path, subjects: context, namespace: namespace)
    }

    /// Whether anything at or below the path may be read.
    var mayReadPart: Bool {
        enforcer.isPartial(.read, .thing, path, subjects: context, namespace: namespace)
    }

    /// Whether everything at the path may be read; throws the 404 when nothing may.
    func requireRead() throws(TwinspanError) -> Bool {
        let isFull = may(.read, path)
        guard isFull || mayReadPart else { throw .notFound(command.resource, of: command.thingID) }
        return isFull
    }

    func requireWrite() throws(TwinspanError) {
        guard !may(.write, path) else { return }
        throw command.action == .delete && command.resource.kind == .thing
            ? ThingErrorTable.notDeletable.error("The thing '\(command.thingID)' may not be deleted.")
            : .notModifiable(command.resource, of: command.thingID)
    }

    /// With full WRITE everything is allowed; with partial WRITE every leaf of the patch needs it (§6.2).
    func requireWrite(ofPatch patch: JSONText) throws(TwinspanError) {
        if may(.write, path) { return }
        guard
            enforcer.isMergeAllowed(of: patch.value, at: path, subjects: context, namespace: namespace)
        else { throw .notModifiable(.root, of: command.thingID) }
    }

    // MARK: Conditions

    /// READ on every field that a condition names, before anything else is told about the thing (§10.3, §10.4).
    func requireReadOfConditions() throws(TwinspanError) {
        guard let terms else { return }
        if let condition = terms.condition { try requireRead(of: condition) }
        for condition in terms.patchConditions { try requireRead(of: condition.filter) }
    }

    private func requireRead(of filter: RQLFilter) throws(TwinspanError) {
        for field in filter.fields where !may(.read, field) {
            throw ThingErrorTable.conditionFailed.error(
                description: "You have insufficient permissions to read '\(field)', which the condition names.")
        }
    }

    /// What is checked once it is known that the caller may do it: the metadata headers, then the condition.
    func checkTerms() throws(TwinspanError) {
        guard let terms else { return }
        if terms.hasMetadataConflict { throw ThingErrorTable.metadataHeadersConflict.error() }
        guard let condition = terms.condition else { return }
        guard holds(condition, for: withSpecialFields(text.value)) else {
            throw ThingErrorTable.conditionFailed.error()
        }
    }

    func holds(_ filter: RQLFilter, for thing: JSONValue) -> Bool {
        filter.matches(thing, placeholders: ClockResolver(now: now))
    }

    /// The thing with the members that are only shown when selected (§2.1), `_policy` apart.
    func withSpecialFields(_ value: JSONValue) -> JSONValue {
        guard var object = value.object else { return value }
        object["_namespace"] = .string(namespace)
        object["_revision"] = .number(JSONNumber(state.revision))
        object["_created"] = .string(state.created.iso8601)
        object["_modified"] = .string(state.modified.iso8601)
        object["__lifecycle"] = "ACTIVE"
        if let metadata = state.metadata { object["_metadata"] = metadata.value }
        return .object(object)
    }

    // MARK: Entity tags

    /// if-match before if-none-match, on the addressed resource (§10.2). The tag is computed only if it is asked for.
    func checkEntityTags(_ tag: @autoclosure () -> String?) throws(TwinspanError) {
        guard let preconditions = terms?.preconditions, preconditions.needsTag else { return }
        do throws(TwinspanError) {
            try preconditions.check(
                tag: tag(), isRetrieve: command.action == .retrieve, failed: ThingErrorTable.preconditionFailed,
                notModified: ThingErrorTable.preconditionNotModified)
        } catch {
            throw withoutHiddenTag(error)
        }
    }

    /// Who may not read the resource is not told its tag: it would say whether a guess at its value is right.
    func withoutHiddenTag(_ error: TwinspanError) -> TwinspanError {
        guard error.etag != nil, !mayReadPart else { return error }
        var error = error
        error.etag = nil
        return error
    }

    func entityTag(revision: Int64, _ value: JSONText?) -> String? {
        guard let value else { return nil }
        return command.resource.kind == .thing ? EntityTags.tag(revision: revision) : EntityTags.tag(of: value)
    }

    // MARK: if-equal

    /// The 412 of a change that would change nothing (§10.5).
    var skippedAsEqual: TwinspanError {
        var error = ThingErrorTable.preconditionFailed.error(
            description: "The value equals the stored one, and 'if-equal' asks to skip such changes.")
        error.etag = entityTag(revision: state.revision, current)
        return withoutHiddenTag(error)
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
