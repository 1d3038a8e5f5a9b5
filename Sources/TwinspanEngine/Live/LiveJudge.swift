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
    private let policyID: PolicyID?
    /// Nil when the policy of the thing does not exist any more: then nobody may do anything.
    private let access: ThingAccess?

    init(thingID: ThingID, facts: ThingFacts, sender: AuthorizationContext, now: Timestamp) {
        self.thingID = thingID
        policyID = facts.state.policyID
        access = facts.enforcer.map {
            ThingAccess(
                thingID: thingID, state: facts.state, text: facts.text, enforcer: $0, context: sender, now: now)
        }
    }

    /// Returns the policy that decides who receives the message.
    func check(_ message: Message) throws(TwinspanError) -> PolicyEnforcer {
        let condition = try Self.condition(message.headers, .condition)
        guard let access else { throw message.isClaim ? .thingNotFound(thingID) : Self.notSendable(message) }
        if let condition { try access.requireRead(of: condition) }
        guard message.isClaim || access.may(.write, message.resourcePath, of: .message) else {
            throw Self.notSendable(message)
        }
        return try access.enforcer(when: condition)
    }

    /// As for the twin, but nothing is looked up that only the device knows.
    func check(_ command: ThingCommand) throws(TwinspanError) -> PolicyEnforcer {
        let condition = try Self.condition(command.headers, .condition)
        guard let access else { throw ThingAccess.policyLost(command, policyID) }
        if let condition { try access.requireRead(of: condition) }
        switch command.action {
        case .create: throw TwinspanError.notCreatableOnLive
        case .retrieve: try access.requireRead(command.resource)
        case .modify, .delete: try access.requireWrite(command)
        case .merge:
            try access.requireWrite(ofPatch: command.value ?? JSONText(.null), at: command.resource.path)
        }
        return try access.enforcer(when: condition)
    }

    func check(_ event: LiveEvent) throws(TwinspanError) -> PolicyEnforcer {
        let condition = try Self.condition(event.headers, .condition)
        if let condition { try access?.requireRead(of: condition) }
        guard let access, access.may(.write, event.path) else {
            throw ThingErrorTable.eventNotAllowed.error("The live event at '\(event.path)' may not be sent.")
        }
        return try access.enforcer(when: condition)
    }

    /// Whether the thing fulfils the condition of a header. Throws `things:condition.failed` when the sender may not
    /// read a field that it names, and `things:condition.invalid`. A condition that is absent holds.
    func holds(_ headers: DittoHeaders, _ header: KnownHeader) throws(TwinspanError) -> Bool {
        guard let condition = try Self.condition(headers, header) else { return true }
        guard let access else { throw .thingNotFound(thingID) }
        try access.requireRead(of: condition)
        return access.holds(condition)
    }

    private static func condition(
        _ headers: DittoHeaders, _ header: KnownHeader
    ) throws(TwinspanError) -> RQLFilter? {
        guard let text = headers.text(header) else { return nil }
        return try ThingTerms.filter(text)
    }

    private static func notSendable(_ message: Message) -> TwinspanError {
        MessageErrorTable.sendNotAllowed.error("The message '\(message.subject.shortened)' may not be sent.")
    }
}

extension ThingAccess {
    /// The policy, for a signal whose condition holds. Throws `things:condition.failed`.
    fileprivate func enforcer(when condition: RQLFilter?) throws(TwinspanError) -> PolicyEnforcer {
        if let condition, !holds(condition) { throw ThingErrorTable.conditionFailed.error() }
        return enforcer
    }
}

extension Message {
    /// Throws `messages:payload.toolarge` when the payload has more bytes than the limit; zero or less is no limit.
    func checkSize(_ limit: Int) throws(TwinspanError) {
        if let excess = excess(over: limit) { throw excess }
    }

    /// The error of a payload that has more bytes than the limit.
    func excess(over limit: Int) -> TwinspanError? {
        // In the envelope no payload is shorter than it is by itself, so nearly always this is all.
        guard limit > 0, let value, value.bytes.count > limit else { return nil }
        let bytes = payloadByteCount
        guard bytes > limit else { return nil }
        return MessageErrorTable.payloadTooLarge.error(
            "The payload of the message has \(bytes) bytes; \(limit) are allowed.")
    }
}
