// Whether a merge patch may be applied (spec/policies-search.md A.3.2, row "merge").
public import TwinspanJSON
public import TwinspanProtocol

extension PolicyEnforcer {
    /// Whether a caller may merge `patch` into a thing at `path`: unrestricted WRITE there, or partial WRITE there and
    /// unrestricted WRITE at every leaf of the patch. A leaf is whatever is no object with members, null included.
    /// A key that removes by a pattern, `{{ ~…~ }}` or `{{ /…/ }}` with null, counts as its parent.
    public func isMergeAllowed(
        of patch: JSONValue, at path: JSONPointer, subjects: AuthorizationContext, namespace: @autoclosure () -> String
    ) -> Bool {
        ask(.write, .thing, subjects, namespace, otherwise: false) { asker in
            let place = trie.cursor(.thing, path.segments, asker)
            if place.isUnrestricted { return true }
            // Partial WRITE need not be asked for: a patch has a leaf, and WRITE at that leaf implies it.
            return isWritable(patch, at: place, asker)
        }
    }

    /// The depth of the recursion is that of the patch, which its parser limits.
    private func isWritable(_ patch: JSONValue, at place: TrieCursor, _ asker: Asker) -> Bool {
        if place.isUnrestricted { return true }
        guard case .object(let object) = patch, !object.isEmpty else { return false }
        if place.isDecided { return false }
        return object.members.allSatisfy { key, value in
            // Here the place is restricted, so a removal by pattern, which may hit any member, is refused.
            if value.isNull, Self.isRemovalPattern(key) { return false }
            return isWritable(value, at: trie.descend(place, key, asker), asker)
        }
    }

    /// Whether a key stands for all members that fit a pattern; with null it removes them.
    static func isRemovalPattern(_ key: String) -> Bool {
        guard key.hasPrefix("{{"), key.hasSuffix("}}"), key.utf8.count >= 4 else { return false }
        let isSpace = { (byte: UInt8) in byte <= UInt8(ascii: " ") }
        var pattern = key.utf8.dropFirst(2).dropLast(2)
        pattern = pattern.drop(while: isSpace)
        while let last = pattern.last, isSpace(last) { pattern.removeLast() }
        guard pattern.count >= 2, let first = pattern.first, first == pattern.last else { return false }
        return first == UInt8(ascii: "~") || first == UInt8(ascii: "/")
    }
}
