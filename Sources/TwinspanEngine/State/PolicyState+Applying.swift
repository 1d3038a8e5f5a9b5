// Turns the state of a policy and an event into the next state. The judge and the replay take the same steps, so what
// is stored, what is served and what is rebuilt can never differ.
import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

extension PolicyState {
    /// The state after `event`. Throws when the event cannot follow this state.
    public func applying(_ event: PolicyEvent) throws(InconsistentEvent) -> PolicyState {
        guard event.revision == revision + 1 else {
            throw InconsistentEvent(
                description: "event of revision \(event.revision) follows revision \(revision) of \(event.policyID)")
        }
        guard let json = try json(after: event) else { return PolicyState(after: self, event, .none, text: nil) }
        do throws(TwinspanError) {
            let policy = try Policy.parse(json, id: event.policyID, limits: .structure)
            return PolicyState(after: self, event, policy, text: Self.text(after: event, policy))
        } catch {
            throw InconsistentEvent(description: "the policy of \(event.policyID) cannot be read: \(error.message)")
        }
    }

    /// The policy after `event`, not yet read; nil when it is deleted.
    func json(after event: PolicyEvent) throws(InconsistentEvent) -> JSONValue? {
        if event.action == .merged { return try json(afterMerge: event) }
        let isRoot = event.path.isRoot
        if event.action == .deleted, isRoot { return .none }
        var json = try isRoot ? .null : partOwner(event)
        switch event.action {
        case .created, .modified:
            guard let value = event.value else {
                throw InconsistentEvent(description: "\(event.action) of \(event.policyID) without a value")
            }
            if isRoot { return value.value }
            json.set(value.value, at: event.path)
        case .deleted:
            json.remove(at: event.path)
        case .merged: break
        }
        return json
    }

    /// The policy after an event of several subjects (`PolicyEvent`).
    private func json(afterMerge event: PolicyEvent) throws(InconsistentEvent) -> JSONValue {
        guard event.path.isRoot, var json = text?.value, let changes = event.value?.value.object,
            !changes.isEmpty
        else {
            throw InconsistentEvent(description: "a merge of absent \(event.policyID), or without subjects")
        }
        for (label, subjects) in changes.members {
            let path = JSONPointer(segments: ["entries", label, "subjects"])
            guard var present = json.value(at: path)?.object, let subjects = subjects.object else {
                throw InconsistentEvent(description: "a merge of subjects of an absent entry of \(event.policyID)")
            }
            for (id, subject) in subjects.members {
                if subject.isNull { present.remove(id) } else { present[id] = subject }
            }
            json.set(.object(present), at: path)
        }
        return json
    }

    /// The stored policy, if it has what holds the changed part.
    private func partOwner(_ event: PolicyEvent) throws(InconsistentEvent) -> JSONValue {
        let segments = event.path.segments
        // The first import brings the imports with it; everything else has to be there.
        let holder = segments.count == 2 && segments[0] == "imports" ? JSONPointer.root : event.path.parent ?? .root
        guard let text, text.range(at: holder) != nil else {
            throw InconsistentEvent(description: "\(event.action) at \(event.path) of absent \(event.policyID)")
        }
        return text.value
    }

    /// The text to keep. A whole policy comes in its canonical form; one with a changed part has to be put into it.
    static func text(after event: PolicyEvent, _ policy: Policy) -> JSONText {
        if event.path.isRoot, event.action != .merged, let value = event.value { return value }
        return JSONText(policy.json)
    }
}
