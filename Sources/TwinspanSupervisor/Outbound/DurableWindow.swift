// What a durable target has under way, in the order of the journal: how far everything is over, and what is not.
import TwinspanProtocol

/// The signals of one durable target between its place in the journal and what it has read. A value; whoever shares it
/// locks it.
struct DurableWindow: Sendable {
    private enum Fate { case underWay, over, again }

    private struct Entry {
        /// What is over when this is: its own sequence and those behind it that became no message.
        var through: Int64
        var bytes: Int
        var time: Timestamp
        var fate = Fate.underWay
    }

    /// Everything up to this sequence is over: confirmed by the broker, or ended otherwise with a count.
    private(set) var cursor: Int64
    /// Whether the cursor went past a record of the journal since it was last kept.
    var isCursorNews = false
    private var entries: [Entry] = []
    private var head = 0
    /// The number of the entry at `head`.
    private var firstNumber = 0
    private var countUnderWay = 0
    /// Bytes of the messages under way.
    private(set) var bytes = 0
    /// Whether something has to be sent again: it waits for everything else that is under way.
    private(set) var needsRepetition = false

    init(cursor: Int64) { self.cursor = cursor }

    /// Signals between the cursor and the position.
    var count: Int { entries.count - head }
    /// How far the journal has been read.
    var position: Int64 { count > 0 ? entries[entries.count - 1].through : cursor }
    /// When the oldest event under way happened.
    var oldest: Timestamp? { count > 0 ? entries[head].time : nil }
    var isQuiet: Bool { countUnderWay == 0 }

    /// Goes past sequences that become no message.
    /// - Parameter isRecord: false for a gap in the sequences, which is not worth keeping the place.
    mutating func pass(_ sequence: Int64, isRecord: Bool) {
        guard sequence > position else { return }
        if count > 0 {
            entries[entries.count - 1].through = sequence
        } else {
            cursor = sequence
            if isRecord { isCursorNews = true }
        }
    }

    /// Notes a signal whose messages go out; returns the number with which it is settled.
    mutating func add(_ sequence: Int64, bytes: Int, time: Timestamp) -> Int {
        entries.append(Entry(through: sequence, bytes: bytes, time: time))
        self.bytes += bytes
        countUnderWay += 1
        return firstNumber + count - 1
    }

    /// Ends a signal, or notes that it has to be sent again. A number from before the last repetition means nothing.
    mutating func settle(_ number: Int, isOver: Bool) {
        let index = head + number - firstNumber
        guard number >= firstNumber, index < entries.count, entries[index].fate == .underWay else { return }
        entries[index].fate = isOver ? .over : .again
        bytes -= entries[index].bytes
        countUnderWay -= 1
        if !isOver { needsRepetition = true }
        while head < entries.count, entries[head].fate == .over {
            cursor = entries[head].through
            isCursorNews = true
            head += 1
            firstNumber += 1
        }
        // Moving the rest down only when half is spent keeps this O(1) on average.
        if head == entries.count {
            entries.removeAll(keepingCapacity: true)
            head = 0
        } else if head > entries.count / 2 {
            entries.removeSubrange(..<head)
            head = 0
        }
    }

    /// Forgets what is behind the cursor: it is read again.
    mutating func repeatFromCursor() {
        firstNumber += count
        entries.removeAll(keepingCapacity: true)
        (head, bytes, countUnderWay, needsRepetition) = (0, 0, 0, false)
    }
}
