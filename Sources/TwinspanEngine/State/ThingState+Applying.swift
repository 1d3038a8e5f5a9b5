// The one pure function that turns a state and an event into the next state. Commands, replay and every projection use
// it, so what is stored, what is served and what is rebuilt can never differ.
import TwinspanJSON
public import TwinspanProtocol

/// A journal that contradicts itself; never the fault of a peer.
public struct InconsistentEvent: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
}

extension ThingState {
    /// The state after `event`. Throws when the event cannot follow this state.
    public func applying(_ event: ThingEvent) throws(InconsistentEvent) -> ThingState {
        guard event.revision == revision + 1 else {
            throw InconsistentEvent(
                description: "event of revision \(event.revision) follows revision \(revision) of \(event.thingID)")
        }
        var next = self
        next.revision = event.revision
        next.modified = event.timestamp
        if text == nil { next.created = event.timestamp }
        next.text = try nextText(event)
        if let metadata = event.metadata {
            next.metadata = metadata == .emptyObject ? nil : metadata
        } else if next.metadata != nil, text == nil || next.text == nil {
            // Metadata goes with its thing.
            next.metadata = nil
        }
        // Only these can change the policy: creation, replacement of the whole, a change of policyId, a root merge.
        if event.path.isRoot || event.path.segments[0] == "policyId" {
            next.policyID = try next.policyIDInText(of: event) ?? policyID
        }
        return next
    }

    private func nextText(_ event: ThingEvent) throws(InconsistentEvent) -> JSONText? {
        if event.path.isRoot {
            switch event.action {
            case .created, .modified: return event.value
            case .deleted: return nil
            case .merged: return try merged(event)
            }
        }
        guard let text else {
            throw InconsistentEvent(description: "\(event.action) at \(event.path) of absent \(event.thingID)")
        }
        switch event.action {
        case .created, .modified:
            guard let value = event.value else {
                throw InconsistentEvent(description: "\(event.action) of \(event.thingID) without a value")
            }
            return text.replacing(at: event.path, with: value).text
        case .deleted: return text.removing(at: event.path) ?? text
        case .merged: return try merged(event)
        }
    }

    private func merged(_ event: ThingEvent) throws(InconsistentEvent) -> JSONText {
        guard let text, let patch = event.value else {
            throw InconsistentEvent(description: "merge into absent \(event.thingID) or without a patch")
        }
        return try Self.merging(patch, at: event.path, into: text)
    }

    /// A thing's text after a merge patch at a path (spec/protocol.md §3.2).
    static func merging(
        _ patch: JSONText, at path: JSONPointer, into text: JSONText
    ) throws(InconsistentEvent) -> JSONText {
        if !path.isRoot {
            // The two most frequent patches need no tree: a scalar or array at a path, and a removal.
            if patch.isNull { return text.removing(at: path) ?? text }
            if !patch.isObject { return text.replacing(at: path, with: patch).text }
        }
        do throws(JSONMergePatchError) {
            let wrapped = JSONMergePatch.wrap(patch.value, at: path)
            return ThingForm.exact(JSONText(try JSONMergePatch.apply(wrapped, to: text.value)))
        } catch {
            throw InconsistentEvent(description: "the patch cannot be applied: \(error)")
        }
    }

    private func policyIDInText(of event: ThingEvent) throws(InconsistentEvent) -> PolicyID? {
        guard let value = text?.text(at: ThingForm.policyIDPath)?.value.string else { return nil }
        do throws(TwinspanError) {
            return try PolicyID(value)
        } catch {
            throw InconsistentEvent(description: "illegal policy id in \(event.thingID)")
        }
    }
}
