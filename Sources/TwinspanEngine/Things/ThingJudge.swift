// Decides a command on a thing: a value in, a value or one typed error out. No lock, no clock, no store; called under
// the shard's lock with everything it needs. The order of checks is that of spec/protocol.md §6.1.
import TwinspanExpressions
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// What a command comes to.
struct ThingVerdict {
    var response: ThingResponse
    /// The change it makes; nil for a retrieve, and for a merge of which its conditions have left nothing.
    var event: ThingEvent?
    /// The state after the event.
    var after: ThingState?
}

/// The facts a command on an existing thing is judged by.
struct ThingJudge {
    let command: ThingCommand
    let request: ThingRequest
    let state: ThingState
    let text: JSONText
    let enforcer: PolicyEnforcer
    let context: AuthorizationContext
    let limits: TwinLimits
    let now: Timestamp
    /// The policy, for a retrieve that selects `_policy`.
    var policy: PolicyDocument?

    var terms: ThingTerms? { request.terms }
    var path: JSONPointer { command.resource.path }

    /// Judges a command on a thing that exists and whose policy exists.
    func verdict() throws(TwinspanError) -> ThingVerdict {
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

    // MARK: Pieces of several commands

    /// The value that the command addresses, as it is now.
    var current: JSONText? { path.isRoot ? text : text.text(at: path) }

    /// What is below a feature needs the feature.
    func requireFeature() throws(TwinspanError) {
        guard let feature = command.resource.featureID, command.resource.kind != .feature else { return }
        guard text.range(at: JSONPointer(segments: ["features", feature])) != nil else {
            throw .featureNotFound(feature, of: command.thingID)
        }
    }

    func event(_ action: ThingEvent.Action, _ value: JSONText?) -> ThingEvent {
        ThingEvent(
            thingID: command.thingID, action: action, path: path, value: value, revision: state.revision + 1,
            timestamp: now)
    }

    func next(_ event: ThingEvent) throws(TwinspanError) -> ThingState {
        do throws(InconsistentEvent) {
            return try state.applying(event)
        } catch {
            throw ThingErrorTable.mergeInvalid.error(description: error.description)
        }
    }

    /// The verdict of a change that may be made, if the thing does not become too large by it.
    func accept(_ event: ThingEvent, status: Int, after: ThingState) throws(TwinspanError) -> ThingVerdict {
        var event = event
        var after = after
        if state.metadata != nil || terms?.metadata != nil { changeMetadata(&event, &after) }
        // What only becomes smaller is never too large, not even under a limit that was lowered.
        if event.action != .deleted { try limits.check(after, id: command.thingID) }
        var response = ThingResponse(
            status: status, value: status == 201 ? event.value : nil, revision: event.revision, etag: nil,
            action: command.action)
        if event.action != .deleted, command.headers.isResponseRequired {
            let value = path.isRoot ? after.text : event.action == .merged ? nil : event.value
            response.etag = entityTag(revision: event.revision, value)
        }
        return ThingVerdict(response: response, event: event, after: after)
    }
}

extension TwinLimits {
    /// Throws `things:thing.toolarge`. Metadata counts too, as the member it would be (§11).
    func check(_ state: ThingState, id: ThingID) throws(TwinspanError) {
        var bytes = state.text?.bytes.count ?? 0
        if let metadata = state.metadata { bytes += metadata.bytes.count + #","_metadata":"#.utf8.count }
        guard thingBytes <= 0 || bytes <= thingBytes else {
            throw ThingErrorTable.tooLarge.error(
                "The thing '\(id)' would have \(bytes) bytes; \(thingBytes) are allowed.")
        }
    }
}
