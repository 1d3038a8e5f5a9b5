// What a change does to the metadata of a thing (spec/protocol.md §11).
import TwinspanJSON
import TwinspanProtocol

extension ThingJudge {
    /// Puts the new metadata into the event and the state after it, if the event changes it.
    func changeMetadata(_ event: inout ThingEvent, _ after: inout ThingState) {
        // With a deleted thing it goes by itself.
        guard let afterText = after.text, changesMetadata(event) else { return }
        let thing = afterText.value
        var metadata = MetadataChange(state.metadata)
        if state.metadata != nil {
            switch event.action {
            case .deleted: metadata.remove(path)
            case .merged: metadata.removeVanished(before: text.value, after: thing)
            case .created, .modified: break
            }
        }
        switch terms?.metadata {
        case .put(let puts):
            if let written = Self.written(event) { metadata.put(puts, at: path, value: written, thing: thing) }
        case .delete(let keys): metadata.delete(keys, at: path, thing: text.value)
        case .get, nil: break
        }
        let next = metadata.text
        guard next != state.metadata else { return }
        event.metadata = next ?? .emptyObject
        after.metadata = next
    }

    /// Whether the event can change metadata: nearly every one cannot.
    private func changesMetadata(_ event: ThingEvent) -> Bool {
        terms?.changesMetadata == true || state.metadata != nil && (event.action == .deleted || event.action == .merged)
    }

    /// What the event has written; nil when it has only removed.
    static func written(_ event: ThingEvent) -> JSONValue? {
        guard let value = event.value else { return Optional<JSONValue>.none }
        guard event.action == .merged else { return .some(value.value) }
        return value.isNull ? Optional<JSONValue>.none : .some(JSONMergePatch.removingNulls(value.value))
    }
}
