// Merging a patch into a thing (spec/protocol.md §3.2, §6.2, §10.4, §10.5).
import TwinspanJSON
import TwinspanProtocol

extension ThingJudge {
    func merge() throws(TwinspanError) -> ThingVerdict {
        guard let given = command.value else { throw .jsonInvalid("The value of the command is missing.") }
        var patch = writable(given)
        try requireReadOfConditions()
        try requireWrite(ofPatch: patch)
        try checkTerms()
        if let terms {
            let current = terms.preconditions.needsTag || terms.preconditions.ifEqual != .update ? current : nil
            try checkEntityTags(entityTag(revision: state.revision, current))
            guard let rest = try reduced(patch, current, terms) else { return unchanged }
            patch = rest
        }
        let event = event(.merged, patch)
        let after = try next(event)
        guard let result = after.text else { throw ThingErrorTable.mergeInvalid.error() }
        if let rule = terms?.preconditions.ifEqual, rule != .update, wasThere,
            text == result || text.value == result.value
        {
            throw skippedAsEqual
        }
        try checkMerged(result, patch)
        return try accept(event, status: 204, after: after)
    }

    /// The patch without what a client may not write.
    private func writable(_ given: JSONText) -> JSONText {
        guard let whole = request.whole else { return given }
        let rest = ThingForm.writablePatch(whole.members)
        return rest.count < whole.members.count ? JSONText(.object(rest)) : given
    }

    /// What is left of the patch after its conditions and after minimising; nil when its conditions left nothing.
    private func reduced(
        _ patch: JSONText, _ current: JSONText?, _ terms: ThingTerms
    ) throws(TwinspanError) -> JSONText? {
        var patch = patch
        if !terms.patchConditions.isEmpty {
            guard let rest = filtered(patch.value, terms.patchConditions) else { return nil }
            patch = JSONText(rest)
        }
        guard terms.preconditions.ifEqual == .skipMinimizingMerge, let current else { return patch }
        // A patch of which nothing is left is refused below, for it changes nothing.
        guard let rest = PatchReduction.differing(patch.value, from: current.value) else { return patch }
        return JSONText(rest)
    }

    /// The patch without the parts whose condition does not hold; what becomes empty stays (§10.4). Nil when the patch
    /// as a whole has such a condition.
    private func filtered(_ patch: JSONValue, _ conditions: [PatchCondition]) -> JSONValue? {
        let thing = withSpecialFields(text.value)
        var patch = patch
        for condition in conditions where !holds(condition.filter, for: thing) {
            if condition.pointer.isRoot { return Optional<JSONValue>.none }
            patch.remove(at: condition.pointer)
        }
        return .some(patch)
    }

    /// The answer of a merge that changes nothing because its conditions say so.
    private var unchanged: ThingVerdict {
        ThingVerdict(
            response: ThingResponse(
                status: 204, revision: state.revision,
                etag: entityTag(revision: state.revision, path.isRoot ? text : nil),
                action: .merge))
    }

    /// Whether the addressed resource is there: on what is absent `if-equal` never has an effect (§10.5).
    private var wasThere: Bool { path.isRoot || text.range(at: path) != nil }

    /// The merged thing must be a thing again; only what the patch could have touched is looked at.
    private func checkMerged(_ result: JSONText, _ patch: JSONText) throws(TwinspanError) {
        if command.resource.kind == .thing {
            guard let object = result.value.object, let policyID = object["policyId"]?.string,
                object["thingId"]?.string?.hasSameBytes(as: command.thingID.text) == true
            else { throw ThingErrorTable.mergeInvalid.error() }
            _ = try PolicyID(policyID)
            try ThingForm.check(members: object)
        } else if !patch.isNull, let merged = result.text(at: path) {
            try ThingForm.check(merged, for: command.resource)
        }
    }
}
