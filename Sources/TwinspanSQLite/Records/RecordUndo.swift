// A commit that the engine was told had failed may have reached the disk all the same. Its events are discarded by
// their sequence; records replace and remove what was there before, so that has to be remembered until the next commit
// says that this one counts. In memory only: after a crash nobody was told anything, and what is on the disk counts.
import TwinspanEngine
import TwinspanProtocol

/// How far records have come.
struct RecordPosition: Equatable {
    /// The newest sequence records have used.
    var newestSequence: Int64 = 0
    /// How many sequences they have used.
    var count: Int64 = 0
    /// The journal is trimmed up to this sequence.
    var trimmed: Int64 = 0
    /// How many of its records were trimmed.
    var trimmedCount: Int64 = 0
    /// The greatest id of an inbox message or dead letter.
    var newestID: Int64 = 0
}

/// What the newest commits have replaced. Confined to the committer's thread.
final class RecordUndo {
    /// What restores the state before a record, in the order of the records.
    private(set) var inverses: [(sequence: Int64, record: StoreRecord)] = []
    /// Where records stood before each commit.
    private(set) var positions: [(firstSequence: Int64, before: RecordPosition)] = []

    /// The time of the newest commit with records.
    var time = Timestamp(milliseconds: 0)

    func add(_ inverse: StoreRecord, _ sequence: Int64) {
        inverses.append((sequence, inverse))
    }

    func add(_ position: RecordPosition, before firstSequence: Int64) {
        positions.append((firstSequence, position))
    }

    /// Everything before this sequence counts.
    func confirm(before sequence: Int64) {
        guard !positions.isEmpty else { return }
        inverses.removeAll { $0.sequence < sequence }
        positions.removeAll { $0.firstSequence < sequence }
    }

    /// Everything was restored.
    func clear() {
        inverses = []
        positions = []
    }
}
