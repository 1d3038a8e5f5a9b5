// Deadlines by time, as a binary heap. What was answered meanwhile stays in it until it comes up or the owner asks for
// `compact`, because taking something out of the middle would cost a search.

/// Numbers of requests or messages, the one that is due first on top. A plain value: its owner guards it.
public struct DeadlineHeap: Sendable {
    private var entries: [(deadline: UInt64, number: UInt64)] = []

    public var count: Int { entries.count }

    /// When the first is due.
    public var first: UInt64? { entries.first?.deadline }

    public init() {}

    public mutating func insert(_ number: UInt64, due deadline: UInt64) {
        entries.append((deadline, number))
        rise(entries.count - 1)
    }

    /// Takes the first out if it is due; O(log n).
    public mutating func takeDue(_ now: UInt64) -> UInt64? {
        guard let top = entries.first, top.deadline <= now else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        sink(0)
        return top.number
    }

    /// Forgets what is not wanted any more; O(n).
    public mutating func compact(_ isWanted: (UInt64) -> Bool) {
        entries.removeAll { !isWanted($0.number) }
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    private mutating func rise(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard entries[index].deadline < entries[parent].deadline else { return }
            entries.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < entries.count {
                if entries[child].deadline < entries[least].deadline { least = child }
            }
            guard least != index else { return }
            entries.swapAt(index, least)
            index = least
        }
    }
}
