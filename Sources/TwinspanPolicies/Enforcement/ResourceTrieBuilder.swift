// Collects the resources of a policy's entries and lays them out as a `ResourceTrie`.
import TwinspanJSON
import TwinspanProtocol

/// Builds a trie. Used once per revision of a policy; speed does not matter here.
struct ResourceTrieBuilder {
    private struct Statement {
        let permission: Permission
        let isGrant: Bool
        let classNumber: Int
    }

    private struct Draft {
        var children: [(level: String, draft: Int)] = []
        var positions: [ByteName: Int] = [:]
        var statements: [Statement] = []
    }

    /// The first drafts are the roots of the types.
    private var drafts = PolicyResourceType.allCases.map { _ in Draft() }
    private let wordCount: Int

    /// - Parameter wordCount: words of a set of classes.
    init(wordCount: Int) {
        self.wordCount = wordCount
    }

    /// Adds the statements of a resource of an entry of the given class. Unknown types are ignored.
    mutating func add(_ resource: PolicyResource, classNumber: Int) {
        guard let type = resource.type else { return }
        var draft = Int(type.rawValue)
        for level in resource.path.segments { draft = child(of: draft, level) }
        for permission in resource.grants {
            drafts[draft].statements.append(Statement(permission: permission, isGrant: true, classNumber: classNumber))
        }
        for permission in resource.revokes {
            drafts[draft].statements.append(Statement(permission: permission, isGrant: false, classNumber: classNumber))
        }
    }

    /// The trie of everything that was added.
    func build() -> ResourceTrie {
        let (order, ends) = numberedParentFirst()
        var sets = Array(repeating: UInt64(0), count: order.count * ResourceTrie.setsPerNode * wordCount)
        var edges = ByteIndex(count: order.count)
        for (node, step) in order.enumerated() {
            for statement in drafts[step.draft].statements { write(statement, node: node, into: &sets) }
            if let parent = step.parent { edges.insert(step.level, context: parent, value: node) }
        }
        for (node, step) in order.enumerated().reversed() {
            if let parent = step.parent { gather(from: node, to: parent, in: &sets) }
        }
        let roots = order.indices.filter { order[$0].parent == nil }
        return ResourceTrie(wordCount: wordCount, sets: sets, ends: ends, roots: roots, edges: edges)
    }

    private mutating func child(of draft: Int, _ level: String) -> Int {
        if let position = drafts[draft].positions[ByteName(text: level)] {
            return drafts[draft].children[position].draft
        }
        drafts[draft].positions[ByteName(text: level)] = drafts[draft].children.count
        drafts[draft].children.append((level, drafts.count))
        drafts.append(Draft())
        return drafts.count - 1
    }

    private struct Step {
        let draft: Int
        let level: String
        /// The number of the parent node, nil at a root.
        let parent: Int?
    }

    /// The drafts in the order of their node numbers, and for each node the first number behind its descendants.
    private func numberedParentFirst() -> (order: [Step], ends: [Int32]) {
        var order: [Step] = []
        var ends: [Int32] = []
        // What is still to be numbered, or, with a number, a node whose descendants all have theirs.
        enum Work { case number(Step), close(Int) }
        var work = PolicyResourceType.allCases.reversed().map { type in
            Work.number(Step(draft: Int(type.rawValue), level: "", parent: nil))
        }
        while let next = work.popLast() {
            switch next {
            case .number(let step):
                let node = order.count
                order.append(step)
                ends.append(0)
                work.append(.close(node))
                for child in drafts[step.draft].children {
                    work.append(.number(Step(draft: child.draft, level: child.level, parent: node)))
                }
            case .close(let node):
                ends[node] = Int32(order.count)
            }
        }
        return (order, ends)
    }

    private func write(_ statement: Statement, node: Int, into sets: inout [UInt64]) {
        let set = statement.isGrant ? 0 : 1
        let word = position(node: node, statement.permission, set: set) + statement.classNumber / 64
        sets[word] |= 1 << UInt64(statement.classNumber % 64)
    }

    /// Adds what a node and those below it say to the "below" sets of its parent.
    private func gather(from node: Int, to parent: Int, in sets: inout [UInt64]) {
        for permission in Permission.allCases {
            for set in 0..<2 {
                let own = position(node: node, permission, set: set)
                let below = position(node: node, permission, set: set + 2)
                let target = position(node: parent, permission, set: set + 2)
                for word in 0..<wordCount { sets[target + word] |= sets[own + word] | sets[below + word] }
            }
        }
    }

    private func position(node: Int, _ permission: Permission, set: Int) -> Int {
        (node * ResourceTrie.setsPerNode + Int(permission.rawValue) * ResourceTrie.setsPerPermission + set) * wordCount
    }
}
