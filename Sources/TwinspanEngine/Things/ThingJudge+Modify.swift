// Replacing a thing or a part of it, and deleting either (spec/protocol.md §6.2).
import TwinspanJSON
import TwinspanProtocol

extension ThingJudge {
    func modify() throws(TwinspanError) -> ThingVerdict {
        try requireReadOfConditions()
        try requireWrite()
        try checkTerms()
        guard let given = command.value else { throw .jsonInvalid("The value of the command is missing.") }
        let kind = command.resource.kind
        let value = kind == .thing ? wholeThing ?? given : given
        if let preconditions = terms?.preconditions {
            let current = preconditions.needsTag || preconditions.ifEqual == .skip ? current : nil
            try checkEntityTags(entityTag(revision: state.revision, current))
            if preconditions.ifEqual == .skip, let current, current == value || current.value == value.value {
                throw skippedAsEqual
            }
        }
        if kind != .feature { try requireFeature() }
        var event = event(.modified, value)
        guard kind != .thing else { return try accept(event, status: 204, after: try next(event)) }
        // One splice both makes the next text and tells whether the resource was there.
        let (nextText, isCreated) = text.replacing(at: path, with: value)
        if isCreated { event.action = .created }
        var after = state
        after.text = nextText
        after.revision = event.revision
        after.modified = now
        if kind == .policyID { after = try next(event) }
        return try accept(event, status: isCreated && kind != .policyID ? 201 : 204, after: after)
    }

    /// The full thing a modify at the root results in: policyId and nothing else is kept when the value leaves it out.
    private var wholeThing: JSONText? {
        request.whole.map { whole in
            ThingForm.thing(
                whole.members, id: command.thingID,
                policyID: whole.policyID ?? state.policyID ?? command.thingID.policyID)
        }
    }

    func delete() throws(TwinspanError) -> ThingVerdict {
        try requireReadOfConditions()
        try requireWrite()
        try checkTerms()
        try requireFeature()
        // Only a tag needs the value; whether it is there can be told without a copy.
        guard path.isRoot || text.range(at: path) != nil else { throw .notFound(command.resource, of: command.thingID) }
        try checkEntityTags(entityTag(revision: state.revision, current))
        let event = event(.deleted, nil)
        return try accept(event, status: 204, after: try next(event))
    }
}
