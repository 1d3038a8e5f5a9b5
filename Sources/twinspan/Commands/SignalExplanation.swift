// Says in a few lines what an envelope is: its kind, whom it concerns, what it needs, and what is answered
// (spec/protocol.md §6, §7; spec/policies-search.md A.3.2).
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// The explanation of one valid envelope.
struct SignalExplanation {
    private(set) var text = ""

    init(_ signal: Signal) {
        let topic = signal.envelope.topic
        add("is", Self.kind(signal))
        add("topic", Self.parts(of: topic))
        if topic.name != "_" { add("entity", "\(topic.entityID)") }
        switch signal {
        case .thingCommand(let command): explain(command)
        case .policyCommand(let command): explain(command)
        case .message(let message): explain(message)
        case .thingEvent(let event) where event.channel == .live:
            add("resource", signal.envelope.path.description)
            add("needs", "WRITE on thing:\(signal.envelope.path) and everything below, for the sender")
            add("", "READ there for those who shall receive it")
        case .retrieveThings(let retrieve):
            add("resource", retrieve.thingIDs.map(\.text).joined(separator: ", "))
            add("needs", "READ somewhere in each thing; those that cannot be read are left out")
            add("answer", "200 with an array, in the order of the ids")
        case .acknowledgement(let acknowledgement):
            add("needs", "the label '\(acknowledgement.label)' declared by the sender, and a request that waits for it")
        default: break
        }
        do throws(TwinspanError) {
            try signal.checkIsAcceptedFromOutside()
        } catch {
            add("note", "only the server sends this; from a client it is refused with \(error.code) \(error.status)")
        }
    }

    /// One line: a word in the margin, and what it is about.
    static func line(_ word: String, _ text: String) -> String {
        "  " + word.padded(to: 10) + text + "\n"
    }

    private mutating func add(_ word: String, _ text: String) {
        self.text += Self.line(word, text)
    }

    private static func parts(of topic: TopicPath) -> String {
        let channel = topic.channel.map { ", channel \($0.rawValue)" } ?? ""
        return "namespace \(topic.namespace.isEmpty ? "(empty)" : topic.namespace), name \(topic.name), "
            + "group \(topic.group.rawValue)\(channel), criterion \(topic.criterion.text)"
    }

    private static func kind(_ signal: Signal) -> String {
        switch signal {
        case .thingCommand(let command): "a command for \(command.channel == .live ? "the device behind a" : "a") thing"
        case .thingResponse(let reply): "the answer to a command, status \(reply.status)"
        case .thingEvent(let event): event.channel == .live ? "an event of a device" : "an event of a twin"
        case .retrieveThings: "a retrieve of several things"
        case .retrieveThingsResponse: "the answer to a retrieve of several things"
        case .migrate: "a change of definition; not served, the answer is signal.unsupported 400"
        case .migrateResponse: "the answer to a change of definition"
        case .policyCommand: "a command for a policy"
        case .policyResponse(let reply): "the answer to a policy command, status \(reply.status)"
        case .policyEvent: "an event of a policy"
        case .checkPermissions: "a question for permissions"
        case .checkPermissionsResponse: "the answer to a question for permissions"
        case .message(let message):
            message.status.map { "the answer to a message, status \($0)" }
                ?? "a message \(message.direction == .inbox ? "to" : "from") a "
                + "\(message.featureID == nil ? "thing" : "feature")"
        case .acknowledgement(let acknowledgement):
            "the acknowledgement '\(acknowledgement.label)', status \(acknowledgement.status)"
        case .acknowledgements: "all acknowledgements of a signal"
        case .error: "an error"
        case .search: "a step of a search; not served yet"
        case .streaming: "a step of a stream of stored events; not served yet"
        case .announcement: "an announcement"
        }
    }

    // MARK: Things

    private mutating func explain(_ command: ThingCommand) {
        add("resource", "\(command.resource.path)   (\(command.resource.kind.noun))")
        let place = "thing:\(command.resource.path)"
        switch command.action {
        case .create: add("needs", "WRITE on thing:/ in the policy that the thing will have")
        case .modify, .delete: add("needs", "WRITE on \(place) and everything below")
        case .merge:
            let leaves = Self.leaves(of: command)
            add("needs", "WRITE on \(place) and everything below, or on every leaf of the patch:")
            for leaf in leaves.prefix(5) { add("", "thing:\(leaf)") }
            if leaves.count > 5 { add("", "… and \(leaves.count - 5) more") }
        case .retrieve: add("needs", "READ on \(place) or somewhere below; the answer is cut to what may be read")
        }
        for field in Self.conditionFields(command.headers) { add("", "READ on thing:\(field), for the condition") }
        if command.channel == .live { add("", "whoever shall receive it needs READ on \(place)") }
        explainAnswer(command)
    }

    private mutating func explainAnswer(_ command: ThingCommand) {
        guard command.headers.isResponseRequired else { return add("answer", "none is wanted") }
        guard command.channel == .twin else {
            return add("answer", "that of the device; command.timeout 408 when there is none in time")
        }
        switch (command.action, command.resource.kind) {
        case (.create, _): add("answer", "201 with the thing; things:thing.conflict 409 when it exists")
        case (.modify, .thing), (.merge, .thing): add("answer", "204; 201 with the thing when it did not exist")
        case (.modify, .policyID), (.merge, _), (.delete, _): add("answer", "204")
        case (.modify, _): add("answer", "204; 201 with the value when it was not there")
        case (.retrieve, _): add("answer", "200 with the value")
        }
        if command.action != .retrieve, command.headers.correlationID == nil {
            add("note", "no correlation-id: one is made up, so an answer is hard to match")
        }
    }

    /// The paths a patch touches; as deep as the parser let the document be.
    private static func leaves(of command: ThingCommand) -> [JSONPointer] {
        var leaves: [JSONPointer] = []
        func visit(_ value: JSONValue, _ path: JSONPointer) {
            guard let object = value.object, !object.isEmpty else {
                leaves.append(path)
                return
            }
            for (key, member) in object { visit(member, path.appending(key)) }
        }
        if let value = command.value?.value { visit(value, command.resource.path) }
        return leaves
    }

    private static func conditionFields(_ headers: DittoHeaders) -> [JSONPointer] {
        guard let text = headers.text(.condition) else { return [] }
        do throws(RQLError) {
            return try RQLFilter.parse(text, placeholders: .condition).fields
        } catch {
            // Checked before; what cannot be parsed has no fields.
            return []
        }
    }

    // MARK: Policies and messages

    private mutating func explain(_ command: PolicyCommand) {
        add("resource", command.resource.path.description)
        let place = "policy:\(command.resource.path)"
        switch command.action {
        case .create: add("needs", "WRITE on policy:/ in the new policy, or the header allow-policy-lockout")
        case .modify, .delete: add("needs", "WRITE on \(place) and everything below")
        case .retrieve: add("needs", "READ on \(place) or somewhere below")
        }
        let answer =
            switch command.action {
            case .create: "201 with the policy; policies:policy.conflict 409 when it exists"
            case .modify: "204, or 201 with the value when it was not there"
            case .delete: "204"
            case .retrieve: "200 with the value"
            }
        add("answer", command.headers.isResponseRequired ? answer : "none is wanted")
    }

    private mutating func explain(_ message: Message) {
        add("resource", message.path.description)
        if let status = message.status {
            return add("answer", "goes to whoever sent the message of this correlation-id, with status \(status)")
        }
        add("needs", message.isClaim ? "nothing: anybody may claim" : "WRITE on message:\(message.resourcePath)")
        add("", "READ on message:\(message.resourcePath) for those who shall receive it")
        let isWaiting = message.headers.isResponseRequired
        add("answer", isWaiting ? "that of the receiver; command.timeout 408 without one in time" : "none is wanted")
    }
}
