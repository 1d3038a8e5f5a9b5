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
            let filter = ReadFilter(trie, type, asker)
            let (kept, isChanged) = filter.members(of: object, at: place, isRoot: path.isRoot)
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
    ///   - isPatch: whether the value is a merge patch: then an object of which nothing is left says nothing, and a
    ///     removal by pattern is told only where everything it may hit can be read.
    public func eventView(
        of value: JSONValue?, at path: JSONPointer, isPatch: Bool = false, subjects: AuthorizationContext,
        namespace: @autoclosure () -> String
    ) -> EventView {
        ask(.read, .thing, subjects, namespace, otherwise: .none) { asker in
            eventView(of: value, at: path, isPatch, asker)
        }
    }

    /// The same for all readers of these classes, which this enforcer has named (`eventReader`).
    public func eventView(
        of value: JSONValue?, at path: JSONPointer, isPatch: Bool = false, for reader: ReaderClasses
    ) -> EventView {
        reader.withClasses { eventView(of: value, at: path, isPatch, Asker(classes: $0, permission: .read)) }
    }

    private func eventView(
        of value: JSONValue?, at path: JSONPointer, _ isPatch: Bool, _ asker: Asker
    ) -> EventView {
        let place = trie.cursor(.thing, path.segments, asker)
        if place.isDecided { return place.isAllowed ? .full : .none }
        let filter = ReadFilter(trie, .thing, asker, isPatch: isPatch)
        switch value {
        case .object(let object) where !object.isEmpty:
            let (part, isCut) = filter.members(of: object, at: place, isRoot: path.isRoot, keepsVisible: false)
            if !isCut { return .full }
            if part.isEmpty { return .none }
            guard path.isRoot else { return .partial(.object(JSONObject(part))) }
            // Only now, because an event of which nothing else is left must not be delivered.
            let (kept, isChanged) = filter.members(of: object, at: place, isRoot: true)
            return isChanged ? .partial(.object(JSONObject(kept))) : .full
        case .array(let elements) where place.isAllowed:
            guard case .part(let part) = filter.remainder(of: .array(elements), at: place) else { return .full }
            return .partial(part)
        default:
            return place.isAllowed ? .full : .none
        }
    }
}
