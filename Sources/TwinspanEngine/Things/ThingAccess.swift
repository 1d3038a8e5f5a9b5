// What one caller may do with one thing, and which conditions hold for it (spec/protocol.md §6.1, §10;
// policies-search.md A.3.2). The same for commands on the twin and for signals on the live channel.
import TwinspanExpressions
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// A caller, a thing that exists, and the policy it stands under.
struct ThingAccess {
    let thingID: ThingID
    let state: ThingState
    let text: JSONText
    let enforcer: PolicyEnforcer
    let context: AuthorizationContext
    let now: Timestamp

    var namespace: String { thingID.namespace }

    /// Whether the permission is granted at the path and revoked nowhere below it.
    func may(_ permission: Permission, _ path: JSONPointer, of type: PolicyResourceType = .thing) -> Bool {
        enforcer.isUnrestricted(permission, type, path, subjects: context, namespace: namespace)
    }

    /// Whether anything at or below the path may be read.
    func mayReadPart(of path: JSONPointer) -> Bool {
        enforcer.isPartial(.read, .thing, path, subjects: context, namespace: namespace)
    }

    /// Whether everything of the resource may be read; throws its 404 when nothing may.
    @discardableResult
    func requireRead(_ resource: ThingResource) throws(TwinspanError) -> Bool {
        let isFull = may(.read, resource.path)
        guard isFull || mayReadPart(of: resource.path) else { throw .notFound(resource, of: thingID) }
        return isFull
    }

    /// Throws the 403 of a modify or delete.
    func requireWrite(_ command: ThingCommand) throws(TwinspanError) {
        guard !may(.write, command.resource.path) else { return }
        throw command.action == .delete && command.resource.kind == .thing
            ? ThingErrorTable.notDeletable.error("The thing '\(thingID)' may not be deleted.")
            : .notModifiable(command.resource, of: thingID)
    }

    /// With full WRITE everything is allowed; with partial WRITE every leaf of the patch needs it (§6.2).
    func requireWrite(ofPatch patch: JSONText, at path: JSONPointer) throws(TwinspanError) {
        if may(.write, path) { return }
        guard enforcer.isMergeAllowed(of: patch.value, at: path, subjects: context, namespace: namespace) else {
            throw .notModifiable(.root, of: thingID)
        }
    }

    /// The thing is there but its policy is gone: reads find nothing, changes are forbidden (§6.1).
    static func policyLost(_ command: ThingCommand, _ policyID: PolicyID?) -> TwinspanError {
        var error: TwinspanError =
            command.isModifying ? .notModifiable(.root, of: command.thingID) : .thingNotFound(command.thingID)
        if let policyID { error.description = "Its policy '\(policyID)' does not exist any more; create it again." }
        return error
    }

    // MARK: Conditions

    /// Throws the 412 of a condition that names a field which may not be read.
    func requireRead(of filter: RQLFilter) throws(TwinspanError) {
        for field in filter.fields where !mayCompare(field) {
            throw ThingErrorTable.conditionFailed.error(
                description: "You have insufficient permissions to read '\(field)', which the condition names.")
        }
    }

    /// Metadata mirrors the thing, and is no more readable than what it is about.
    private func mayCompare(_ field: JSONPointer) -> Bool {
        guard may(.read, field) else { return false }
        return field.segments.first != "_metadata" || may(.read, field.dropFirst(1))
    }

    /// Whether a condition holds for the thing.
    func holds(_ filter: RQLFilter) -> Bool { holds(filter, for: withSpecialFields(text.value)) }

    /// The same for a thing that has its special fields already.
    func holds(_ filter: RQLFilter, for thing: JSONValue) -> Bool {
        filter.matches(thing, placeholders: ClockResolver(now: now))
    }

    /// The thing with the members that are only shown when selected (§2.1), `_policy` apart.
    func withSpecialFields(_ value: JSONValue) -> JSONValue {
        state.withSpecialFields(value, namespace: namespace)
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
