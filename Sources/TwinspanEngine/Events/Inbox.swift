// The queue of one subscriber as a plain value: bounded in count and bytes, the newest is refused when it is full. The
// subscription that owns it guards it with its lock and does the waking.

/// What waits for one reader.
struct Inbox<Element: Sendable>: Sendable {
    private(set) var elements: [Element] = []
    private var bytes = 0
    private var isReaderAsleep = false
    private(set) var isEnded = false
    private(set) var overflowed: Int64 = 0
    let capacity: Int
    let byteCapacity: Int

    init(capacity: Int, byteCapacity: Int) {
        self.capacity = capacity
        self.byteCapacity = byteCapacity
    }

    /// Adds an element that counts as so many bytes; false, and counted, when it does not fit.
    mutating func append(_ element: Element, bytes size: Int) -> Bool {
        if elements.count >= capacity || bytes >= byteCapacity {
            overflowed += 1
            return false
        }
        elements.append(element)
        bytes += size
        return true
    }

    /// Whether the reader sleeps and has something to take; it counts as awake from now on.
    mutating func wakesReader() -> Bool {
        guard isReaderAsleep, !elements.isEmpty else { return false }
        isReaderAsleep = false
        return true
    }

    /// Takes everything there is. When there is nothing, the reader counts as asleep.
    mutating func take() -> [Element] {
        guard !elements.isEmpty else {
            isReaderAsleep = true
            return []
        }
        let taken = elements
        elements = []
        elements.reserveCapacity(min(taken.count, 1024))
        bytes = 0
        return taken
    }

    /// Takes nothing any more and forgets what it holds.
    mutating func end() {
        isEnded = true
        elements = []
        bytes = 0
    }
}
