// The newest entries of a connection's log: a ring per address, stage and outcome, so that a flood of one kind does not
// push out the others (spec/connectivity.md §8.6).
public import TwinspanProtocol

/// One entry of a connection's log.
public struct ConnectionLogEntry: Sendable, Equatable {
    public var timestamp: Timestamp
    public var category: RecordedCategory
    public var stage: RecordedStage
    public var isFailure: Bool
    public var message: String
    public var correlationID: String?
    /// Of the source or target, as configured; nil for the connection itself.
    public var address: String?
    public var entityType: String?
    public var entityID: String?

    public init(
        timestamp: Timestamp, category: RecordedCategory, stage: RecordedStage, isFailure: Bool, message: String,
        correlationID: String? = nil, address: String? = nil, entityType: String? = nil, entityID: String? = nil
    ) {
        self.timestamp = timestamp
        self.category = category
        self.stage = stage
        self.isFailure = isFailure
        self.message = message
        self.correlationID = correlationID
        self.address = address
        self.entityType = entityType
        self.entityID = entityID
    }

    /// About what it costs to keep.
    var cost: Int {
        192 + message.utf8.count + (correlationID?.utf8.count ?? 0) + (address?.utf8.count ?? 0)
            + (entityID?.utf8.count ?? 0)
    }
}

/// The log of a connection at one moment.
public struct ConnectionLogs: Sendable, Equatable {
    /// In the order of their times.
    public var entries: [ConnectionLogEntry]
    /// Since when and until when successes are logged; nil when they are not.
    public var enabledSince: Timestamp?
    public var enabledUntil: Timestamp?

    public init(entries: [ConnectionLogEntry], enabledSince: Timestamp? = nil, enabledUntil: Timestamp? = nil) {
        self.entries = entries
        self.enabledSince = enabledSince
        self.enabledUntil = enabledUntil
    }
}

/// The rings of one connection. Not safe from several threads.
struct LogRings {
    private struct Stored {
        var sequence: UInt64
        var entry: ConnectionLogEntry
    }

    private struct Key: Hashable {
        var slot: Int
        var stage: RecordedStage
        var isFailure: Bool
    }

    let capacity: Int
    let byteCapacity: Int
    /// Oldest first; at most `capacity` each.
    private var rings: [Key: [Stored]] = [:]
    private var sequence: UInt64 = 0
    private(set) var bytes = 0

    init(capacity: Int, byteCapacity: Int) {
        self.capacity = capacity
        self.byteCapacity = byteCapacity
    }

    mutating func add(_ entry: ConnectionLogEntry, slot: Int) {
        let key = Key(slot: slot, stage: entry.stage, isFailure: entry.isFailure)
        sequence += 1
        bytes += entry.cost
        rings[key, default: []].append(Stored(sequence: sequence, entry: entry))
        if rings[key, default: []].count > capacity { removeOldest(of: key) }
        while bytes > byteCapacity, makeRoom() {}
    }

    /// All entries by time; those of the same time in the order in which they came.
    var entries: [ConnectionLogEntry] {
        rings.values.joined().sorted {
            ($0.entry.timestamp, $0.sequence) < ($1.entry.timestamp, $1.sequence)
        }.map(\.entry)
    }

    mutating func removeAll() {
        rings = [:]
        bytes = 0
    }

    mutating func removeSuccesses() {
        rings = rings.filter { $0.key.isFailure }
        bytes = rings.values.joined().reduce(0) { $0 + $1.entry.cost }
    }

    private mutating func removeOldest(of key: Key) {
        guard let oldest = rings[key]?.removeFirst() else { return }
        bytes -= oldest.entry.cost
        if rings[key]?.isEmpty == true { rings[key] = nil }
    }

    /// Removes the oldest success, or when there is none the oldest failure: those are what somebody will look for.
    private mutating func makeRoom() -> Bool {
        func oldest(_ isFailure: Bool) -> Key? {
            rings.filter { $0.key.isFailure == isFailure }
                .min { ($0.value.first?.sequence ?? 0) < ($1.value.first?.sequence ?? 0) }?.key
        }
        guard let key = oldest(false) ?? oldest(true) else { return false }
        removeOldest(of: key)
        return true
    }
}

extension String {
    /// The text itself when it has at most `count` bytes, else its beginning with an ellipsis.
    func cut(to count: Int) -> String {
        guard utf8.count > count else { return self }
        var end = utf8.index(startIndex, offsetBy: count)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end]) + "…"
    }
}
