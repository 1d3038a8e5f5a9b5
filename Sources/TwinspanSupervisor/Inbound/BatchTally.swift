// What a batch comes to while it is carried: which commit it waits for, what its messages and signals ended as, and how
// many passed each stage. Used again for the next batch, so that counting allocates nothing.
import TwinspanConnections
import TwinspanEngine

/// The tally of one batch.
struct BatchTally {
    /// Stages whose successes are counted per source, once per batch.
    enum Stage: Int, CaseIterable {
        case consumed, mapped, enforced, dropped

        var recorded: RecordedStage {
            switch self {
            case .consumed: .consumed
            case .mapped: .mapped
            case .enforced: .enforced
            case .dropped: .dropped
            }
        }
    }

    /// What the signals ended as.
    var counts = ConnectionCounters.Tally()
    /// What the messages ended as.
    var effective = 0
    var empty = 0
    var dead = 0
    /// Messages that were put into the inbox.
    var held: [Int64] = []
    /// Messages whose successes are told, to be told of as acknowledged.
    var told: [(source: Int, correlationID: String?)] = []
    private(set) var sequence: Int64 = 0
    /// The epoch of all tickets; nil while there is none.
    private(set) var epoch: Int64?
    /// Whether something of it was not judged or not kept: then the whole batch goes back to the broker.
    var isRefused = false
    private var passed: [Int]

    init(sources: Int) {
        passed = [Int](repeating: 0, count: sources * Stage.allCases.count)
    }

    /// Begins the next batch.
    mutating func reset() {
        counts = ConnectionCounters.Tally()
        effective = 0
        empty = 0
        dead = 0
        held.removeAll(keepingCapacity: true)
        told.removeAll(keepingCapacity: true)
        sequence = 0
        epoch = nil
        isRefused = false
        for index in passed.indices { passed[index] = 0 }
    }

    /// A commit that failed between two messages has rejected the first, though the second may be committed with
    /// the same sequence: then the batch goes back as a whole.
    mutating func note(_ ticket: CommitTicket) {
        if let epoch, epoch != ticket.epoch { isRefused = true }
        epoch = ticket.epoch
        sequence = max(sequence, ticket.sequence)
    }

    mutating func note(_ stage: Stage, _ source: Int) {
        passed[source * Stage.allCases.count + stage.rawValue] += 1
    }

    /// Counts in the connection's windows what passed the stages.
    func record(in recorder: ConnectionRecorder) {
        for (index, count) in passed.enumerated() where count > 0 {
            let (source, stage) = index.quotientAndRemainder(dividingBy: Stage.allCases.count)
            recorder.count(.source(source), Stage.allCases[stage].recorded, count)
        }
    }
}
