// Makes a thing that does not exist, and the policy it comes with (spec/protocol.md §2.1, policies-search.md A.3.2).
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// What a creation needs before it can be judged.
enum PolicyChoice: Equatable {
    /// An existing policy by its id.
    case existing(PolicyID)
    /// A policy that is given with the thing.
    case inline(PolicyID, JSONValue)
    /// The entries of an existing policy under a new id.
    case copy(of: PolicyID, as: PolicyID)
    /// The same, of the policy of another thing, which has to be looked up first.
    case copyReferred(PolicyReference, as: PolicyID)
    /// The policy made from the creator's first subject.
    case generated(PolicyID)

    /// The policies that must be known, by their state or their absence.
    var needed: [PolicyID] {
        switch self {
        case .existing(let id), .inline(let id, _), .generated(let id): [id]
        case .copy(let source, let id): [source, id]
        case .copyReferred(_, let id): [id]
        }
    }
}

/// A creation: the command's value, read once.
struct ThingCreation {
    let command: ThingCommand
    let terms: ThingTerms?
    let object: JSONObject
    private(set) var choice: PolicyChoice

    /// Reads the value of a create, or of a modify or merge at the root of a thing that does not exist.
    init(_ command: ThingCommand, _ request: ThingRequest) throws(TwinspanError) {
        self.command = command
        terms = request.terms
        guard let whole = request.whole else { throw .jsonInvalid("The thing is not a JSON object.") }
        var object = whole.members
        if command.action == .merge {
            // A merge that creates loses its nulls first, then follows the rules of create (§6.2).
            object = JSONMergePatch.removingNulls(.object(object)).object ?? JSONObject()
            if object.isEmpty { throw ThingErrorTable.mergeInvalid.error() }
            try ThingForm.check(members: object)
        }
        self.object = object
        choice = try Self.choice(object, whole.policyID, thingID: command.thingID)
    }

    /// Puts in what a reference names; returns the reference when that is not known, or not any more. `epoch` is the
    /// present one: what was read in another is not to be built upon.
    mutating func resolve(_ referred: ReferredPolicy?, epoch: Int64) -> PolicyReference? {
        guard case .copyReferred(let reference, let id) = choice else { return nil }
        guard let referred, referred.ticket.epoch == epoch else { return reference }
        choice = .copy(of: referred.policyID, as: id)
        return nil
    }

    private static func choice(
        _ object: JSONObject, _ policyID: PolicyID?, thingID: ThingID
    ) throws(TwinspanError) -> PolicyChoice {
        if let inline = object["_policy"] {
            var own: PolicyID?
            if let text = inline.object?["policyId"]?.string { own = try PolicyID(text) }
            return .inline(policyID ?? own ?? thingID.policyID, inline)
        }
        if let copied = object["_copyPolicyFrom"] {
            guard let text = copied.string else { throw .jsonInvalid("'_copyPolicyFrom' is not a string.") }
            if let reference = try PolicyReference(parsing: text) {
                return .copyReferred(reference, as: policyID ?? thingID.policyID)
            }
            return .copy(of: try PolicyID(text), as: policyID ?? thingID.policyID)
        }
        if let policyID { return .existing(policyID) }
        return .generated(thingID.policyID)
    }

    /// What the creation comes to.
    struct Verdict {
        var thing: ThingVerdict
        /// The enforcer the new thing stands under.
        var enforcer: PolicyEnforcer
        /// The policy that is made with it.
        var policy: (event: PolicyEvent, after: PolicyState)?
    }

    /// Judges the creation. The needed policies are in `cache`; what else has to be is named by `inquiry`.
    func verdict(
        after state: ThingState, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry,
        context: AuthorizationContext, settings: EngineSettings, now: Timestamp
    ) throws(TwinspanError) -> Verdict {
        var made: (event: PolicyEvent, after: PolicyState)?
        let policyID: PolicyID
        let enforcer: PolicyEnforcer
        switch choice {
        case .existing(let id):
            policyID = id
            enforcer = try readable(id, context, &cache, &inquiry)
        case .inline(let id, let json):
            policyID = id
            let policy = try inlinePolicy(json, id: id, context, settings: settings, now: now)
            made = try make(policy, &cache, &inquiry, limits: settings.limits, now: now)
            enforcer = try ownable(policy, made, context, &cache, &inquiry)
        case .copy(let source, let id):
            policyID = id
            _ = try readable(source, context, &cache, &inquiry)
            guard let slot = cache.slot(of: source), let text = cache[slot].state.text else {
                throw GeneralErrorTable.policyNotFound.error()
            }
            let policy = try parsed(text.value, id: id, settings: settings)
            made = try make(policy, &cache, &inquiry, limits: settings.limits, now: now)
            enforcer = try ownable(policy, made, context, &cache, &inquiry)
        case .copyReferred:
            // The engine looks references up before it comes here.
            throw GeneralErrorTable.internalError.error()
        case .generated(let id):
            policyID = id
            guard let owner = context.originator else { throw .notModifiable(.root, of: command.thingID) }
            let policy = Policy.generated(id: id, owner: owner)
            made = try make(policy, &cache, &inquiry, limits: settings.limits, now: now)
            enforcer = try ownable(policy, made, context, &cache, &inquiry)
        }
        let namespace = command.thingID.namespace
        guard enforcer.isUnrestricted(.write, .thing, .root, subjects: context, namespace: namespace) else {
            throw .notModifiable(.root, of: command.thingID)
        }
        if terms?.hasMetadataConflict == true { throw ThingErrorTable.metadataHeadersConflict.error() }
        // What is not there matches no tag (§10.2), and if-none-match is met.
        try terms?.preconditions.check(
            tag: nil, isRetrieve: false, failed: ThingErrorTable.preconditionFailed,
            notModified: ThingErrorTable.preconditionNotModified)
        return Verdict(
            thing: try thing(after: state, policyID: policyID, limits: settings.limits, now: now), enforcer: enforcer,
            policy: made)
    }

    private func thing(
        after state: ThingState, policyID: PolicyID, limits: TwinLimits, now: Timestamp
    ) throws(TwinspanError) -> ThingVerdict {
        let text = ThingForm.thing(object, id: command.thingID, policyID: policyID)
        let event = ThingEvent(
            thingID: command.thingID, action: .created, path: .root, value: text, revision: state.revision + 1,
            timestamp: now, metadata: metadata(of: text))
        let after: ThingState
        do throws(InconsistentEvent) {
            after = try state.applying(event)
        } catch {
            throw GeneralErrorTable.internalError.error(description: error.description)
        }
        try limits.check(after, id: command.thingID)
        let response = ThingResponse(
            status: 201, value: text, revision: event.revision, etag: EntityTags.tag(revision: event.revision),
            action: .create)
        return ThingVerdict(response: response, event: event, after: after)
    }

    /// The metadata that comes with the thing, inline or by header; nil when there is none (§11).
    private func metadata(of text: JSONText) -> JSONText? {
        let inline = object["_metadata"].map { JSONText($0) }
        guard case .put(let puts) = terms?.metadata else { return inline == .emptyObject ? nil : inline }
        let thing = text.value
        var metadata = MetadataChange(inline)
        metadata.put(puts, at: .root, value: thing, thing: thing)
        return metadata.text
    }

    private func readable(
        _ id: PolicyID, _ context: AuthorizationContext, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> PolicyEnforcer {
        guard let enforcer = try cache.enforcer(of: id, for: &inquiry),
            enforcer.isPartial(.read, .policy, .root, subjects: context, namespace: "")
        else { throw GeneralErrorTable.policyNotFound.error("The policy '\(id)' could not be found.") }
        return enforcer
    }

    /// The policy that is given with the thing. Its placeholders are replaced and its expiries rounded up as those of
    /// any policy that is written.
    private func inlinePolicy(
        _ json: JSONValue, id: PolicyID, _ creator: AuthorizationContext, settings: EngineSettings, now: Timestamp
    ) throws(TwinspanError) -> Policy {
        var rounded = json
        try SubjectPlaceholders.resolve(in: &rounded, of: .policy, caller: creator)
        let earliest = SubjectExpiry.roundUp(
            in: &rounded, of: .policy, granularity: settings.access.expiryGranularity,
            announcements: settings.access.announcements.granularity)
        let policy = try parsed(rounded, id: id, settings: settings)
        if let earliest, earliest.instant.milliseconds < now.milliseconds {
            throw notCreatable(because: .subjectExpired(earliest.text))
        }
        return policy
    }

    /// Throws `things:policy.invalid` for what is no policy under this id, or has no owner.
    private func parsed(
        _ json: JSONValue, id: PolicyID, settings: EngineSettings
    ) throws(TwinspanError) -> Policy {
        var value = json
        if value.object != nil { value.set(.string(id.text), at: JSONPointer(segments: ["policyId"])) }
        do throws(TwinspanError) {
            let policy = try Policy.parse(value, id: id, limits: PolicyLimits(settings.limits))
            if settings.access.preventsLockout { try policy.validateOwnership() }
            return policy
        } catch {
            throw ThingErrorTable.policyInvalid.error(description: error.message)
        }
    }

    /// What keeps the policy from being made keeps the thing from it, with the same status (§2.1).
    private func notCreatable(because error: TwinspanError) -> TwinspanError {
        TwinspanError(
            code: ThingErrorTable.notCreatable.code, status: error.status,
            message: "The thing '\(command.thingID)' cannot be created, because its policy cannot.",
            description: error.description.map { "\(error.message) \($0)" } ?? error.message)
    }

    private func make(
        _ policy: Policy, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry, limits: TwinLimits,
        now: Timestamp
    ) throws(TwinspanError) -> (event: PolicyEvent, after: PolicyState) {
        guard let slot = cache.slot(of: policy.id) else { throw GeneralErrorTable.internalError.error() }
        let entry = cache[slot]
        let state = entry.state
        inquiry.depend(on: entry.sequence)
        guard state.text == nil else {
            throw ThingErrorTable.notCreatable.error(
                "The thing '\(command.thingID)' cannot be created: its policy '\(policy.id)' exists already.")
        }
        let text = JSONText(policy.json)
        guard limits.policyBytes <= 0 || text.bytes.count <= limits.policyBytes else {
            throw notCreatable(
                because: PolicyErrorTable.tooLarge.error(
                    "The policy '\(policy.id)' would have \(text.bytes.count) bytes of \(limits.policyBytes)."))
        }
        let event = PolicyEvent(
            policyID: policy.id, action: .created, value: text, revision: state.revision + 1, timestamp: now)
        do throws(InconsistentEvent) {
            return (event, try state.applying(event))
        } catch {
            throw GeneralErrorTable.internalError.error(description: error.description)
        }
    }

    /// The creator must be allowed to build on what the policy builds on, and keep WRITE on it, unless he says that he
    /// knows. In this order: what the policy grants him would tell about what it imports.
    private func ownable(
        _ policy: Policy, _ made: (event: PolicyEvent, after: PolicyState)?, _ context: AuthorizationContext,
        _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) -> PolicyEnforcer {
        guard let made else { throw ThingErrorTable.policyInvalid.error() }
        do throws(TwinspanError) {
            try PolicySources(of: policy, writer: context).check(at: .root, &cache, &inquiry)
        } catch {
            throw notCreatable(because: error)
        }
        let enforcer = try cache.resolve(policy, revision: made.event.revision, for: &inquiry).enforcer
        let isAllowed =
            terms?.allowsPolicyLockout == true
            || enforcer.isUnrestricted(.write, .policy, .root, subjects: context, namespace: "")
        guard isAllowed else {
            throw TwinspanError(
                code: ThingErrorTable.notCreatable.code, status: 403,
                message:
                    "The thing '\(command.thingID)' cannot be created: you would not be able to change its policy.",
                description: "Grant yourself WRITE on 'policy:/', or set the header allow-policy-lockout to true.")
        }
        return enforcer
    }
}
