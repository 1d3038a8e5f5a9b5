// What a caret line marks: a place and how many characters.

/// A stretch of one line.
struct Spot {
    let mark: Mark
    /// At least 1.
    let length: Int

    init(mark: Mark, length: Int = 1) {
        self.mark = mark
        self.length = max(1, length)
    }

    /// From a place to one behind it; one character when they are in different lines.
    init(from start: Mark, to end: Mark) {
        self.init(mark: start, length: start.line == end.line ? end.column - start.column : 1)
    }

    /// The key of an entry.
    init(keyOf pair: YAMLPair) {
        self.init(from: pair.keyStart, to: pair.keyEnd)
    }

    /// A value; for a block of entries its first key.
    init(of node: YAMLNode) {
        if let first = node.mapping?.first, first.keyStart == node.start {
            self.init(keyOf: first)
        } else {
            self.init(from: node.start, to: node.end)
        }
    }
}

extension YAMLNode {
    /// Where a value stands; the nearest thing around it when it is absent. Keys are compared without regard to case
    /// if need be, because header names are.
    func spot(at path: ConfigurationPath) -> Spot {
        var node = self
        for step in path.steps {
            switch step {
            case .key(let key):
                guard let pair = node[key] ?? node.mapping?.first(where: { $0.key.lowercased() == key.lowercased() })
                else { return Spot(of: node) }
                node = pair.value
            case .index(let index):
                if let elements = node.sequence, elements.indices.contains(index) {
                    node = elements[index]
                } else if let pair = node["\(index)"] {
                    node = pair.value
                } else {
                    return Spot(of: node)
                }
            }
        }
        return Spot(of: node)
    }

    /// Where the last key of a path stands; the nearest thing around it when it is absent.
    func keySpot(at path: ConfigurationPath) -> Spot {
        guard case .key(let key) = path.steps.last else { return spot(at: path) }
        var holder = self
        for step in path.steps.dropLast() {
            guard let next = holder.child(step) else { return spot(at: path) }
            holder = next
        }
        return holder[key].map { Spot(keyOf: $0) } ?? spot(at: path)
    }

    private func child(_ step: ConfigurationPath.Step) -> YAMLNode? {
        switch step {
        case .key(let key): self[key]?.value
        case .index(let index):
            if let elements = sequence { elements.indices.contains(index) ? elements[index] : nil } else { nil }
        }
    }
}
