// One request that waits: for its commit, for the answer of a device, for acknowledgements. A plain value that decides;
// `LiveChannel` holds it under its lock and calls the requester outside of it.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// What a retrieve falls back to, and what its answer says about the channel (spec/protocol.md §7.4).
struct SmartChannel: Sendable {
    /// Nil for a retrieve that was sent on the live channel directly.
    var isConditionMatched: Bool?
    /// The answer when no device gives one in time; nil for the strategy `fail`.
    var fallback: SignalAnswer?

    /// The headers of an answer that came over `channel`.
    func headers(_ channel: TopicPath.Channel) -> DittoHeaders {
        var headers = DittoHeaders()
        if isConditionMatched != nil || channel == .twin { headers[.channel] = .string(channel.rawValue) }
        if let isConditionMatched { headers[.liveChannelConditionMatched] = .bool(isConditionMatched) }
        return headers
    }
}

/// A request and what it has got so far.
struct PendingRequest: Sendable {
    enum Subject: Sendable {
        case twin
        case command(ThingCommand)
        case message(Message)
        case event
        /// Of a policy, whose id stands in the place of the thing's.
        case announcement
    }

    /// Who reads the answer.
    struct Reader: Sendable {
        /// The policy of the time of the request.
        let enforcer: PolicyEnforcer
        let subjects: AuthorizationContext
        /// The policy as it is when the answer comes; nil inside when it is gone, nil when that is not known. May read
        /// from the store.
        let present: @Sendable () -> PolicyEnforcer??
    }

    let subject: Subject
    let thingID: ThingID
    let terms: LiveTerms
    /// The requester's own; answers come with one that is unique among those that wait.
    let correlationID: String
    let deadline: UInt64
    let reader: Reader?
    let smart: SmartChannel?
    let requester: @Sendable (SignalAnswer) -> Void
    var acks: AckAggregator
    /// Nothing leaves before the commit the request depends on.
    var awaitsCommit = true
    /// The plain answer, once it is there.
    var answer: SignalAnswer?
    /// Why the last answer that came was not accepted.
    var refused: TwinspanError?

    init(
        _ subject: Subject, of thingID: ThingID, terms: LiveTerms, correlationID: String, deadline: UInt64,
        reader: Reader? = nil, smart: SmartChannel? = nil, requester: @escaping @Sendable (SignalAnswer) -> Void
    ) {
        self.subject = subject
        self.thingID = thingID
        self.terms = terms
        self.correlationID = correlationID
        self.deadline = deadline
        self.reader = reader
        self.smart = smart
        self.requester = requester
        acks = AckAggregator(terms.requestedAcks)
    }

    var channel: TopicPath.Channel {
        if case .twin = subject { .twin } else { .live }
    }

    /// Whether answers and acknowledgements can come from outside.
    var isAddressable: Bool { channel == .live || !terms.customAcks.isEmpty }

    /// Whether nothing is waited for any more.
    var isComplete: Bool { !awaitsCommit && acks.isComplete }

    /// What the requester gets when nothing is waited for any more.
    var conclusion: SignalAnswer {
        guard acks.isPlain else { return aggregate }
        if terms.isFireAndForget { return .accepted }
        // Without an answer of its own, what was waited for was acknowledged in the device's place.
        return answer ?? (acks.requested.isEmpty ? .accepted : aggregate)
    }

    /// What the requester gets when the time is over.
    var timedOut: SignalAnswer {
        if let fallback = smart?.fallback, acks.isWaiting(for: .liveResponse) { return fallback }
        guard acks.isPlain else { return aggregate }
        let milliseconds = terms.timeout / 1_000_000
        let description =
            switch (channel, refused) {
            case (.twin, _): "The change was not committed within \(milliseconds) ms; it may still be."
            case (.live, .none): "Nobody has answered within \(milliseconds) ms."
            case (.live, let refused?): "An answer came, but it was not valid: \(refused.message)"
            }
        return .failure(GeneralErrorTable.commandTimeout.error(description: description))
    }

    private var aggregate: SignalAnswer {
        .acknowledgements(acks.result(of: thingID, channel: channel, correlationID: correlationID))
    }

    /// The change is committed: its response is the acknowledgement of both built-in labels of the twin.
    mutating func commit(_ response: ThingResponse) {
        awaitsCommit = false
        answer = .twin(response, added: DittoHeaders())
        var headers = DittoHeaders()
        headers.correlationID = correlationID
        if let etag = response.etag { headers[.etag] = .string(etag) }
        headers[.entityRevision] = .number(JSONNumber(response.revision))
        if response.value != nil { headers[.contentType] = .string("application/json") }
        for label in [AckLabel.twinPersisted, .searchPersisted] {
            // Not requested is no matter here.
            _ = acks.take(
                Acknowledgement(
                    label: label, thingID: thingID, channel: .twin, status: response.status, payload: response.value,
                    headers: headers))
        }
    }

    /// Counts the answer of a device.
    mutating func count(_ answer: SignalAnswer, _ headers: DittoHeaders, _ value: JSONText?) -> AnswerFate {
        let acknowledgement = Acknowledgement(
            label: .liveResponse, thingID: thingID, channel: .live, status: answer.status, payload: value,
            headers: headers)
        let fate = count(acknowledgement)
        if fate == .counted { self.answer = answer }
        return fate
    }

    /// Counts an acknowledgement.
    mutating func count(_ acknowledgement: Acknowledgement) -> AnswerFate {
        var own = acknowledgement
        own.headers.correlationID = correlationID
        return switch acks.take(own) {
        case .counted: .counted
        case .duplicate: .duplicate
        case .notRequested: .notRequested
        }
    }

    // MARK: Answers of devices

    /// Why an answer does not fit; nil when it does (§7.3). Errors of devices always fit.
    func misfit(_ response: LiveResponse) -> TwinspanError? {
        if response.isError { return nil }
        guard case .command(let command) = subject else {
            return GeneralErrorTable.illegalAdaptable.error("The response to a command does not answer a message.")
        }
        guard response.path == command.resource.path else {
            return GeneralErrorTable.illegalAdaptable.error(
                "The path '\(response.path.description.shortened)' is not the one of the command.",
                description: misfitOfTypes(response, command))
        }
        // What did not exist is answered as created (§6.2).
        let isCreated = response.action == .create && (command.action == .modify || command.action == .merge)
        guard isCreated || response.action == command.action else {
            return GeneralErrorTable.illegalAdaptable.error(
                "A response to '\(response.action)' does not answer the command '\(command.action)'.",
                description: misfitOfTypes(response, command))
        }
        let allowed: [Int] =
            switch response.action {
            case .create: [201]
            case .modify, .merge: [201, 204]
            case .retrieve: [200]
            case .delete: [204]
            }
        if allowed.contains(response.status) { return nil }
        var error = TwinspanError.illegalStatus(response.status)
        let type = command.resource.typeName(response.action)
        let name = type.prefix(1).uppercased() + type.dropFirst()
        error.description = "\(name)Response only allows \(allowed)."
        return error
    }

    /// Both types by the names that the logs of connections show (spec/connectivity.md §13).
    private func misfitOfTypes(_ response: LiveResponse, _ command: ThingCommand) -> String {
        // A path that addresses nothing has no name; the command's own resource stands for it.
        let resource = (try? ThingResource(response.path)) ?? command.resource
        return "The type <things.responses:\(resource.typeName(response.action))> does not answer "
            + "<things.commands:\(command.resource.typeName(command.action))>."
    }

    /// Why an answer does not fit; nil when it does. Answers to messages may have any status.
    func misfit(_ response: Message) -> TwinspanError? {
        guard case .message(let message) = subject else {
            return GeneralErrorTable.illegalAdaptable.error("The response to a message does not answer a command.")
        }
        guard response.path == message.path else {
            return GeneralErrorTable.illegalAdaptable.error(
                "The path '\(response.path.description.shortened)' is not the one of the message.")
        }
        return nil
    }

    /// The answer as the requester gets it: under his correlation id, cut to what he may read.
    func readable(_ response: LiveResponse) -> LiveResponse {
        var result = response
        result.headers = answered(response.headers)
        if let smart {
            for entry in smart.headers(.live).entries { result.headers.set(entry.name, entry.value) }
        }
        guard !response.isError, let reader, let value = response.value else { return result }
        guard let visible = visible(value, at: response.path, for: reader) else {
            // Whoever may change a thing without reading it learns that the device has done it, and no more.
            guard case .command(let command) = subject, response.action == .retrieve else {
                result.value = value.isObject ? .emptyObject : nil
                return result
            }
            let error = TwinspanError.notFound(command.resource, of: thingID)
            (result.isError, result.status, result.value) = (true, error.status, JSONText(error.json))
            return result
        }
        result.value = visible
        return result
    }

    /// The part of an answer that may be read by the policy of the request and by the present one: who has lost a
    /// permission meanwhile sees nothing by it, and who was just given one nothing before that is committed. Nil when
    /// nothing may be read.
    private func visible(_ value: JSONText, at path: JSONPointer, for reader: Reader) -> JSONText? {
        var enforcers = [reader.enforcer]
        if let present = reader.present() {
            guard let present else { return nil }
            if present !== reader.enforcer { enforcers.append(present) }
        }
        var visible = value
        for enforcer in enforcers {
            let namespace = thingID.namespace
            if enforcer.canReadEverything(at: path, subjects: reader.subjects, namespace: namespace) { continue }
            let view = enforcer.view(
                of: visible.value, type: .thing, base: path, subjects: reader.subjects, namespace: namespace)
            guard let view else { return nil }
            visible = JSONText(view)
        }
        return visible
    }

    /// The answer as the requester gets it.
    func readable(_ response: Message) -> Message {
        var result = response
        result.headers = answered(response.headers)
        return result
    }

    private func answered(_ headers: DittoHeaders) -> DittoHeaders {
        var result = headers.deliveredToOutside()
        result.correlationID = correlationID
        result[.responseRequired] = .bool(false)
        result[.requestedAcks] = .none
        return result
    }
}
