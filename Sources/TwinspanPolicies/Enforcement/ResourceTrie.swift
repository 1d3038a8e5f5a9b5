// The resources of a policy as a tree of path levels. A question walks down from the type, one level per segment, and
// stops as soon as nothing below concerns the asker; for the usual policy, grants at the root only, that is at once.

/// What a question is asked for: a permission, and the classes of entries the asker belongs to.
struct Asker {
    /// A set of classes, `wordCount` words; valid while the question is answered.
    let classes: UnsafePointer<UInt64>
    let permission: Permission
}

/// A place in the tree, and what the asker's entries say about it.
struct TrieCursor {
    /// The node, or the deepest one on the way when the rest of the path is not in the tree.
    fileprivate(set) var node: Int
    /// Whether the permission is allowed here: the deepest statement at or above says so, on equal depth a revoke wins.
    fileprivate(set) var isAllowed: Bool
    /// Whether the permission is granted somewhere strictly below, perhaps in vain.
    fileprivate(set) var hasGrantsBelow: Bool
    /// Whether the permission is revoked somewhere strictly below.
    fileprivate(set) var hasRevokesBelow: Bool

    /// Whether everything below is decided as here.
    @inline(__always)
    var isDecided: Bool { isAllowed ? !hasRevokesBelow : !hasGrantsBelow }

    /// Whether the permission is allowed here and revoked nowhere below.
    @inline(__always)
    var isUnrestricted: Bool { isAllowed && !hasRevokesBelow }
}

/// The compiled statements of all entries. Immutable.
struct ResourceTrie: Sendable {
    /// Words per set of classes.
    let wordCount: Int
    /// Per node and permission four sets: classes that grant here, revoke here, grant below, revoke below.
    private let sets: [UInt64]
    /// Nodes are numbered parent first: those below `node` are `node + 1 ..< ends[node]`.
    private let ends: [Int32]
    /// The node of each resource type.
    private let roots: [Int]
    /// (node, level) → child.
    private let edges: ByteIndex

    static let setsPerPermission = 4
    static let setsPerNode = setsPerPermission * Permission.allCases.count

    init(wordCount: Int, sets: [UInt64], ends: [Int32], roots: [Int], edges: ByteIndex) {
        self.wordCount = wordCount
        self.sets = sets
        self.ends = ends
        self.roots = roots
        self.edges = edges
    }

    /// The place of a type's root.
    @inline(__always)
    func root(_ type: PolicyResourceType, _ asker: Asker) -> TrieCursor {
        enter(roots[Int(type.rawValue)], inherited: false, asker)
    }

    /// The place of a path.
    @inline(__always)
    func cursor(_ type: PolicyResourceType, _ segments: [String], _ asker: Asker) -> TrieCursor {
        var cursor = root(type, asker)
        for segment in segments {
            if cursor.isDecided { break }
            cursor = descend(cursor, segment, asker)
        }
        return cursor
    }

    /// The place one level below.
    @inline(__always)
    func descend(_ cursor: TrieCursor, _ level: String, _ asker: Asker) -> TrieCursor {
        level.utf8Span.span.withUnsafeBytes { descend(cursor, $0, asker) }
    }

    /// The place one level below, given by its bytes.
    @inline(__always)
    func descend(_ cursor: TrieCursor, _ level: UnsafeRawBufferPointer, _ asker: Asker) -> TrieCursor {
        if cursor.isDecided { return cursor }
        guard let child = edges.find(level, context: cursor.node) else {
            var outside = cursor
            outside.hasGrantsBelow = false
            outside.hasRevokesBelow = false
            return outside
        }
        return enter(child, inherited: cursor.isAllowed, asker)
    }

    /// Whether the permission is allowed here or at some statement below.
    func isPartial(_ cursor: TrieCursor, _ asker: Asker) -> Bool {
        if cursor.isAllowed { return true }
        guard cursor.hasGrantsBelow else { return false }
        guard cursor.hasRevokesBelow else { return true }
        // A grant counts unless one of the asker's entries revokes on the very same path.
        return (cursor.node + 1..<Int(ends[cursor.node])).contains { node in
            let statements = statements(at: node, asker)
            return statements.isGranted && !statements.isRevoked
        }
    }

    @inline(__always)
    private func enter(_ node: Int, inherited: Bool, _ asker: Asker) -> TrieCursor {
        let statements = statements(at: node, asker)
        return TrieCursor(
            node: node, isAllowed: !statements.isRevoked && (statements.isGranted || inherited),
            hasGrantsBelow: statements.isGrantedBelow, hasRevokesBelow: statements.isRevokedBelow)
    }

    private struct Statements {
        var isGranted, isRevoked, isGrantedBelow, isRevokedBelow: Bool
    }

    @inline(__always)
    private func statements(at node: Int, _ asker: Asker) -> Statements {
        sets.withUnsafeBufferPointer { sets in
            let start = (node * Permission.allCases.count + Int(asker.permission.rawValue)) * Self.setsPerPermission
            var granted: UInt64 = 0
            var revoked: UInt64 = 0
            var grantedBelow: UInt64 = 0
            var revokedBelow: UInt64 = 0
            for word in 0..<wordCount {
                let asking = asker.classes[word]
                granted |= sets[start * wordCount + word] & asking
                revoked |= sets[(start + 1) * wordCount + word] & asking
                grantedBelow |= sets[(start + 2) * wordCount + word] & asking
                revokedBelow |= sets[(start + 3) * wordCount + word] & asking
            }
            return Statements(
                isGranted: granted != 0, isRevoked: revoked != 0, isGrantedBelow: grantedBelow != 0,
                isRevokedBelow: revokedBelow != 0)
        }
    }
}
