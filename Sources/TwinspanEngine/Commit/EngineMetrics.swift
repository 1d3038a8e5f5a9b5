// What the engine counts. Written where it happens, read by whoever serves /metrics.
import Synchronization

/// Counters of the engine.
public final class EngineMetrics: Sendable {
    /// Upper bounds of the latency buckets in microseconds; the last bucket has none.
    public static let latencyBounds: [Int64] = [
        100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400,
    ]

    /// A snapshot.
    public struct Snapshot: Sendable {
        /// Commits whose change waited less than the bound of the same index; one more for the rest.
        public var latencyBuckets: [Int64]
        public var latencySumMicroseconds: Int64
        public var commits: Int64
        public var changes: Int64
        public var failedCommits: Int64
        public var rowsWritten: Int64
        public var trimmed: Int64
        public var rowsCursor: Int64
        /// Requests whose time ran out before their commit, answer or acknowledgements came.
        public var expiredRequests: Int64 = 0
        /// Answers and acknowledgements that nobody waited for, or not any more.
        public var lateAnswers: Int64 = 0
        /// Dead letters that went because of their retention, or were too large to be kept.
        public var deadLettersExpired: Int64 = 0
        /// Places in the journal that were forgotten because nobody claimed them.
        public var readersForgotten: Int64 = 0

        /// Subjects of policies that were removed at their expiry.
        public var expiredSubjects: Int64 = 0
        /// Announcements that somebody has taken, repetitions included.
        public var announcementsPublished: Int64 = 0
        /// Announcements whose requested acknowledgements have all come.
        public var announcementsAcknowledged: Int64 = 0
        /// Announcements that were refused, or that nobody has acknowledged in time.
        public var announcementsAbandoned: Int64 = 0

        /// The time in milliseconds within which this share (0…1) of the commits since `earlier`, or of all, was
        /// durable, interpolated in its bucket; nil when there were none.
        public func commitMilliseconds(percentile: Double, since earlier: Snapshot? = nil) -> Double? {
            let counts = latencyBuckets.enumerated().map { $1 - (earlier?.latencyBuckets[$0] ?? 0) }
            let total = counts.reduce(0, +)
            guard total > 0 else { return nil }
            let rank = Double(total) * percentile
            var (lower, before) = (0.0, 0.0)
            for (bound, count) in zip(EngineMetrics.latencyBounds, counts) {
                if count > 0, before + Double(count) >= rank {
                    return (lower + (Double(bound) - lower) * (rank - before) / Double(count)) / 1000
                }
                (lower, before) = (Double(bound), before + Double(count))
            }
            return lower / 1000
        }
    }

    private let state = Mutex(
        Snapshot(
            latencyBuckets: Array(repeating: 0, count: latencyBounds.count + 1), latencySumMicroseconds: 0,
            commits: 0, changes: 0, failedCommits: 0, rowsWritten: 0, trimmed: 0, rowsCursor: 0))

    init() {}

    public var snapshot: Snapshot { state.withLock { $0 } }

    /// A commit of `changes`, the oldest of which had waited for `microseconds` when it was durable.
    func committed(changes: Int, oldestWaited microseconds: Int64) {
        state.withLock { state in
            state.commits += 1
            state.changes += Int64(changes)
            let bucket = Self.latencyBounds.firstIndex { microseconds <= $0 } ?? Self.latencyBounds.count
            state.latencyBuckets[bucket] += 1
            state.latencySumMicroseconds += microseconds
        }
    }

    func rowsWritten(_ count: Int, cursor: Int64) {
        state.withLock { state in
            state.rowsWritten += Int64(count)
            state.rowsCursor = cursor
        }
    }

    func commitFailed() { state.withLock { $0.failedCommits += 1 } }
    func trimmed(_ count: Int) { state.withLock { $0.trimmed += Int64(count) } }
    func expired(_ count: Int) { state.withLock { $0.expiredRequests += Int64(count) } }
    func deadLettersExpired(_ count: Int) { state.withLock { $0.deadLettersExpired += Int64(count) } }
    func readersForgotten(_ count: Int) { state.withLock { $0.readersForgotten += Int64(count) } }
    func subjectsExpired(_ count: Int) { state.withLock { $0.expiredSubjects += Int64(count) } }
    func announcementPublished() { state.withLock { $0.announcementsPublished += 1 } }
    func announcementAcknowledged() { state.withLock { $0.announcementsAcknowledged += 1 } }
    func announcementAbandoned() { state.withLock { $0.announcementsAbandoned += 1 } }
    func answerCameLate() { state.withLock { $0.lateAnswers += 1 } }
}
