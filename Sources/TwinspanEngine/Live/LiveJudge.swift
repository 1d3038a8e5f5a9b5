// Who may send what on the live channel (spec/protocol.md §7, spec/policies-search.md A.3.2). Facts in, nothing or one
// typed error out; the order of checks is that of §6.1.
import TwinspanExpressions
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// What is known of a thing when a live signal for it comes in.
struct ThingFacts: Sendable {
    let state: ThingState
    let text: JSONText
    /// Nil when the policy of the thing does not exist any more.
    let enforcer: PolicyEnforcer?
}

/// Judges live signals of one sender on one thing that exists.
struct LiveJudge {
    let thingID: ThingID
    let facts: ThingFacts
    let sender: AuthorizationContext
    let now: Timestamp

    private func may(_ permission: Permission, _ type: PolicyResourceType, _ path: JSONPointer) -> Bool {
        facts.enforcer?.isUnrestricted(permission, type, path, subjects: sender, namespace: thingID.namespace) ?? false
    }

    private func mayPartly(_ permission: Permission, _ path: JSONPointer) -> Bool {
        facts.enforcer?.isPartial(permission, .thing, path, subjects: sender, namespace: thingID.namespace) ?? false
    }

    /// Returns the policy that decides who receives the message.
    func check(_ message: Message) throws(TwinspanError) -> PolicyEnforcer {
        guard message.isClaim || may(.write, .message, message.resourcePath) else {
            throw MessageErrorTable.sendNotAllowed.error("The message '\(message.subject.shortened)' may not be sent.")
        }
        guard let enforcer = facts.enforcer else { throw .thingNotFound(thingID) }
        guard try holds(message.headers) else { throw ThingErrorTable.conditionFailed.error() }
        return enforcer
    }

    /// As for the twin, but nothing is looked up that only the device knows.
    func check(_ command: ThingCommand) throws(TwinspanError) -> PolicyEnforcer {
        try checkAccess(command)
        guard let enforcer = facts.enforcer else { throw .thingNotFound(thingID) }
        guard try holds(command.headers) else { throw ThingErrorTable.conditionFailed.error() }
        return enforcer
    }

    func check(_ event: LiveEvent) throws(TwinspanError) -> PolicyEnforcer {
        guard may(.write, .thing, event.path), let enforcer = facts.enforcer else {
            throw ThingErrorTable.eventNotAllowed.error("The live event at '\(event.path)' may not be sent.")
        }
        guard try holds(event.headers) else { throw ThingErrorTable.conditionFailed.error() }
        return enforcer
    }

    /// Whether the thing fulfils the condition of a header. Throws `things:condition.failed` when the sender may not
    /// read a field that it names, and `things:condition.invalid`. A condition that is absent holds.
    func holds(_ headers: DittoHeaders, _ header: KnownHeader = .condition) throws(TwinspanError) -> Bool {
        guard let text = headers.text(header) else { return true }
        let filter: RQLFilter
        do throws(RQLError) {
            filter = try RQLFilter.parse(text, placeholders: .condition)
        } catch {
            throw ThingErrorTable.conditionInvalid.error(error.message, description: error.description)
        }
        for field in filter.fields where !may(.read, .thing, field) {
            throw ThingErrorTable.conditionFailed.error(
                description: "You have insufficient permissions to read '\(field)', which the condition names.")
        }
        return filter.matches(thing, placeholders: ClockResolver(now: now))
    }

    private func checkAccess(_ command: ThingCommand) throws(TwinspanError) {
        let path = command.resource.path
        switch command.action {
        case .create: throw TwinspanError.notCreatableOnLive
        case .retrieve:
            guard mayPartly(.read, path) else { throw .notFound(command.resource, of: thingID) }
        case .modify:
            guard may(.write, .thing, path) else { throw .notModifiable(command.resource, of: thingID) }
        case .merge:
            let isAllowed =
                may(.write, .thing, path)
                || mayPartly(.write, path) && leavesAreWritable(command.value?.value ?? .null, path)
            guard isAllowed else { throw .notModifiable(.root, of: thingID) }
        case .delete:
            guard !may(.write, .thing, path) else { return }
            throw command.resource.kind == .thing
                ? ThingErrorTable.notDeletable.error("The thing '\(thingID)' may not be deleted.")
                : .notModifiable(command.resource, of: thingID)
        }
    }

    /// The depth of the recursion is that of the patch, which its parser limits.
    private func leavesAreWritable(_ patch: JSONValue, _ path: JSONPointer) -> Bool {
        guard let object = patch.object, !object.isEmpty else { return may(.write, .thing, path) }
        for (key, value) in object {
            // Removing by pattern touches every key of the object, so it needs WRITE on the object (§3.2).
            let isPattern = key.hasPrefix("{{") && key.hasSuffix("}}") && value.isNull
            guard isPattern ? may(.write, .thing, path) : leavesAreWritable(value, path.appending(key)) else {
                return false
            }
        }
        return true
    }

    /// The thing with the members that conditions may name besides those it has (§2.1).
    private var thing: JSONValue {
        guard var object = facts.text.value.object else { return .null }
        object["_namespace"] = .string(thingID.namespace)
        object["_revision"] = .number(JSONNumber(facts.state.revision))
        object["_created"] = .string(facts.state.created.iso8601)
        object["_modified"] = .string(facts.state.modified.iso8601)
        return .object(object)
    }
}

extension Message {
    /// Throws `messages:payload.toolarge` when the payload has more bytes than the limit; zero or less is no limit.
    func checkSize(_ limit: Int) throws(TwinspanError) {
        // In the envelope no payload is shorter than it is by itself, so nearly always this is all.
        guard limit > 0, let value, value.bytes.count > limit else { return }
        let bytes = payloadBytes(value)
        guard bytes > limit else { return }
        throw MessageErrorTable.payloadTooLarge.error(
            "The payload of the message has \(bytes) bytes; \(limit) are allowed.")
    }

    /// Bytes of the payload itself: JSON as it is, text without its escapes, Base64 decoded (§7.1).
    private func payloadBytes(_ value: JSONText) -> Int {
        let type = headers.text(.contentType)?.split(separator: ";").first?.lowercased() ?? ""
        let isJSON = type == "application/json" || type.hasPrefix("application/") && type.hasSuffix("+json")
        guard !isJSON, let text = value.value.string else { return value.bytes.count }
        let isText = type.hasPrefix("text/") || type.contains("javascript") || type.contains("ecmascript")
        if isText { return text.utf8.count }
        let padding = text.utf8.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return text.utf8.count / 4 * 3 - min(padding, 2)
    }
}
