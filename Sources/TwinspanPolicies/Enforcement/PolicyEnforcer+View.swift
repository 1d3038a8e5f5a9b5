// What a reader sees of a response and of an event (spec/policies-search.md A.3.1, A.4).
public import TwinspanJSON
public import TwinspanProtocol

/// What of an event a subscriber gets.
public enum EventView: Sendable, Equatable {
    /// The event as it is.
    case full
    /// The event with this value in place of its own.
    case partial(JSONValue)
    /// Nothing: the event is dropped for this subscriber.
    case none
}

extension PolicyEnforcer {
    /// The part of a response that its reader may see; nil when nothing may be read at `path`, which is then reported
    /// as "not found".
    ///
    /// Members of an object are judged one by one, and the object may end up empty. A scalar or an array is returned
    /// whole once anything at or below `path` may be read, as the reference does. At the root of a thing `thingId`,
    /// `_namespace`, `_revision`, `_modified` and `_created` are always kept, of a policy `policyId`.
    public func view(
        of value: JSONValue, type: PolicyResourceType, base path: JSONPointer, subjects: AuthorizationContext,
        namespace: @autoclosure () -> String
    ) -> JSONValue? {
        ask(.read, type, subjects, namespace, otherwise: nil) { asker in
            let place = trie.cursor(type, path.segments, asker)
            guard trie.isPartial(place, asker) else { return nil }
            guard case .object(let object) = value, !place.isUnrestricted else { return value }
            let alwaysVisible = path.isRoot ? ReadFilter.alwaysVisible(type) : []
            let filter = ReadFilter(trie, type, asker)
            let (kept, isChanged) = filter.members(of: object, at: place, alwaysVisible: alwaysVisible)
            return isChanged ? .object(JSONObject(kept)) : value
        }
    }

    /// The part of a thing's event that a subscriber gets.
    ///
    /// Unlike the reference, which computes the readable paths of each subject from the current thing, this judges the
    /// pooled subjects at the paths of the event itself: it needs no thing, a revoke for one subject is never undone by
    /// another, and an object replaced below the root is delivered in its readable part.
    ///
    /// - Parameters:
    ///   - value: the value of the event, nil for deletions; those are delivered where READ is allowed at `path`.
    ///   - path: the path of the event.
    public func eventView(
        of value: JSONValue?, at path: JSONPointer, subjects: AuthorizationContext, namespace: @autoclosure () -> String
    ) -> EventView {
        ask(.read, .thing, subjects, namespace, otherwise: .none) { asker in
            let place = trie.cursor(.thing, path.segments, asker)
            if place.isDecided { return place.isAllowed ? .full : .none }
            guard case .object(let object) = value, !object.isEmpty else { return place.isAllowed ? .full : .none }
            let filter = ReadFilter(trie, .thing, asker)
            switch filter.remainder(of: .object(object), at: place) {
            case .everything: return .full
            case .nothing: return .none
            case .part(.object(let part)) where part.isEmpty: return .none
            case .part(let part):
                guard path.isRoot else { return .partial(part) }
                // Only now, because an event of which nothing else is left must not be delivered.
                let alwaysVisible = ReadFilter.alwaysVisible(.thing)
                let (kept, _) = filter.members(of: object, at: place, alwaysVisible: alwaysVisible)
                return .partial(.object(JSONObject(kept)))
            }
        }
    }
}
