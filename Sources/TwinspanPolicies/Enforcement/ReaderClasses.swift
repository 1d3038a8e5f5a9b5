// Who a reader is, seen from one policy: the classes of entries that hold one of his subjects. Readers with the same
// classes see the same of everything, so what was cut for one of them serves all of them
// (spec/policies-search.md A.4).
public import TwinspanJSON
public import TwinspanProtocol

/// The classes of a reader in one revision of one policy, narrowed to the namespace of the thing. Comparable only with
/// those that the same enforcer has named.
public struct ReaderClasses: Hashable, Sendable {
    /// The usual policy has at most 64 classes: then they are one word, and nothing is allocated.
    private enum Words: Hashable, Sendable {
        case one(UInt64)
        case many([UInt64])
    }

    private let words: Words

    init(_ classes: UnsafePointer<UInt64>, count: Int) {
        words = count == 1 ? .one(classes[0]) : .many(Array(UnsafeBufferPointer(start: classes, count: count)))
    }

    /// Calls `body` with the set of classes.
    @inline(__always)
    func withClasses<Result>(_ body: (UnsafePointer<UInt64>) -> Result) -> Result {
        switch words {
        case .one(let word): withUnsafePointer(to: word, body)
        // Never empty: a set has one word at least.
        case .many(let all): all.withUnsafeBufferPointer { body($0.baseAddress!) }
        }
    }
}

/// What can be told of a reader and an event before its value is looked at.
public enum EventReader: Sendable, Equatable {
    /// He gets all of it, whatever it holds.
    case full
    /// He gets nothing of it, whatever it holds.
    case none
    /// It depends on the value; readers of the same classes get the same.
    case depends(ReaderClasses)
}

extension PolicyEnforcer {
    /// What can be told of a reader of the event at `path` of a thing. No allocation unless the policy has more than 64
    /// classes of entries.
    public func eventReader(
        at path: JSONPointer, subjects: AuthorizationContext, namespace: @autoclosure () -> String
    ) -> EventReader {
        ask(.read, .thing, subjects, namespace, otherwise: .none) { asker in
            let place = trie.cursor(.thing, path.segments, asker)
            if place.isDecided { return place.isAllowed ? .full : .none }
            return .depends(ReaderClasses(asker.classes, count: trie.wordCount))
        }
    }
}
