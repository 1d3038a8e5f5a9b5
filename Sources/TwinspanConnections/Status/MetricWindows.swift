// Counters over the last minute, hour and day (spec/connectivity.md §8.5). Rings of buckets that are addressed by a
// clock that never goes back; the time of day is only kept to be shown, so setting it harms nothing.
public import TwinspanProtocol

/// What the windows show.
public struct ConnectionMetrics: Sendable {
    /// A number over each window.
    public struct Count: Sendable, Equatable {
        public var lastMinute: Int64 = 0
        public var lastHour: Int64 = 0
        public var lastDay: Int64 = 0
        /// When it was counted last; nil when it never was since the last reset.
        public var lastMessageAt: Timestamp?
        public init(lastMinute: Int64 = 0, lastHour: Int64 = 0, lastDay: Int64 = 0, lastMessageAt: Timestamp? = nil) {
            self.lastMinute = lastMinute
            self.lastHour = lastHour
            self.lastDay = lastDay
            self.lastMessageAt = lastMessageAt
        }
    }

    /// What became of the messages at one stage.
    public struct Measurement: Sendable, Equatable {
        public var stage: RecordedStage
        public var success: Count
        public var failure: Count
        public init(stage: RecordedStage, success: Count = Count(), failure: Count = Count()) {
            self.stage = stage
            self.success = success
            self.failure = failure
        }
    }

    /// All stages of one address.
    public struct AddressMetrics: Sendable, Equatable {
        public var address: String
        public var measurements: [Measurement]
        public init(address: String, measurements: [Measurement]) {
            self.address = address
            self.measurements = measurements
        }
    }

    public var sources: [AddressMetrics]
    /// The targets', and those of `_responses`.
    public var targets: [AddressMetrics]

    public init(sources: [AddressMetrics], targets: [AddressMetrics]) {
        self.sources = sources
        self.targets = targets
    }
}

/// The counters of one connection. Not safe from several threads.
struct MetricWindows {
    private struct Window {
        var seconds: Int64
        var buckets: Int
        var offset: Int
    }

    private static let windows = [
        Window(seconds: 10, buckets: 6, offset: 0), Window(seconds: 60, buckets: 60, offset: 6),
        Window(seconds: 3600, buckets: 24, offset: 66),
    ]
    private static let bucketCount = 90
    private static let stageCount = RecordedStage.allCases.count

    /// For each slot, stage and outcome the index of its counter, or -1: most are never used.
    private var indices: [Int32]
    private var buckets: [Int64] = []
    /// Per counter the second in which it was counted last.
    private var seconds: [Int64] = []
    private var lastMessageAt: [Timestamp] = []

    init(slotCount: Int) {
        indices = Array(repeating: -1, count: slotCount * Self.stageCount * 2)
    }

    private static func position(_ slot: Int, _ stage: RecordedStage, _ isFailure: Bool) -> Int {
        (slot * stageCount + stage.ordinal) * 2 + (isFailure ? 1 : 0)
    }

    /// Counts. `second` is of a clock that does not go back; should it, the newest second known counts.
    mutating func add(
        _ count: Int, slot: Int, _ stage: RecordedStage, isFailure: Bool, second: Int64, at now: Timestamp
    ) {
        let position = Self.position(slot, stage, isFailure)
        var index = Int(indices[position])
        if index < 0 {
            index = seconds.count
            indices[position] = Int32(index)
            buckets.append(contentsOf: repeatElement(0, count: Self.bucketCount))
            seconds.append(second)
            lastMessageAt.append(now)
        }
        let last = seconds[index]
        let second = max(second, last)
        for window in Self.windows {
            let base = index * Self.bucketCount + window.offset
            let (old, new) = (last / window.seconds, second / window.seconds)
            if new > old {
                // Buckets that were skipped hold what is older than the window.
                for tick in max(old + 1, new - Int64(window.buckets) + 1)...new {
                    buckets[base + Int(tick % Int64(window.buckets))] = 0
                }
            }
            buckets[base + Int(new % Int64(window.buckets))] &+= Int64(count)
        }
        seconds[index] = second
        lastMessageAt[index] = now
    }

    /// What was counted in the windows that end at `second`.
    func count(slot: Int, _ stage: RecordedStage, isFailure: Bool, second: Int64) -> ConnectionMetrics.Count {
        let index = Int(indices[Self.position(slot, stage, isFailure)])
        guard index >= 0 else { return ConnectionMetrics.Count() }
        let last = seconds[index]
        let second = max(second, last)
        let sums = Self.windows.map { window in
            let base = index * Self.bucketCount + window.offset
            let (old, new) = (last / window.seconds, second / window.seconds)
            // The newest bucket is `old`; those before it still count as far as the window reaches back from `new`.
            let kept = Int64(window.buckets) - min(new - old, Int64(window.buckets))
            return (0..<kept).reduce(Int64(0)) { sum, back in
                let tick = old - back
                return tick < 0 ? sum : sum + buckets[base + Int(tick % Int64(window.buckets))]
            }
        }
        return ConnectionMetrics.Count(
            lastMinute: sums[0], lastHour: sums[1], lastDay: sums[2], lastMessageAt: lastMessageAt[index])
    }

    mutating func reset() {
        self = MetricWindows(slotCount: indices.count / Self.stageCount / 2)
    }

    func measurements(slot: Int, _ stages: [RecordedStage], second: Int64) -> [ConnectionMetrics.Measurement] {
        stages.map { stage in
            ConnectionMetrics.Measurement(
                stage: stage, success: count(slot: slot, stage, isFailure: false, second: second),
                failure: count(slot: slot, stage, isFailure: true, second: second))
        }
    }
}
