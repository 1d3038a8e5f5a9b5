// Where polled records go: they are matched with the sources that read their topic and copied into the batch, with the
// headers of the binding (spec/connectivity-bindings.md §4.2). Keeps the next offset of each partition that is ours;
// what lies before it has been read already and is skipped. Confined to the consumer's thread.
import TwinspanConnections

/// Fills the batches of a consumer.
final class KafkaIntake {
    private struct Slot {
        var partition: KafkaHandle.Partition
        /// The next offset to take; negative while nobody knows.
        var next: Int64
        /// Whether the present batch has moved it.
        var isTouched = false
    }

    /// The batch of the present turn. Two are used in turn, because records may come while one is held.
    private(set) var batch = MessageBatch()
    private var spare: MessageBatch? = MessageBatch()
    /// Grows with each assignment: a batch of an older one cannot move our places any more.
    private(set) var generation = 0
    /// Records dropped because their time to live was over, since they were last taken, by topic.
    private var expired: [(source: Int, topic: String, count: Int)] = []
    /// The clock of the wall in milliseconds since 1970.
    private let now: () -> Int64
    private let sources: [String: [Int]]
    private let limits: (messages: Int, bytes: Int)
    private let reader: String
    private var slots: [Slot] = []
    private var latest = 0
    private var batchBytes = 0

    init(
        topics: [[String]], reader: String, limits: (messages: Int, bytes: Int), now: @escaping () -> Int64
    ) {
        var sources: [String: [Int]] = [:]
        for (index, names) in topics.enumerated() {
            for name in names where sources[name]?.contains(index) != true { sources[name, default: []].append(index) }
        }
        self.sources = sources
        self.reader = reader
        self.limits = limits
        self.now = now
    }

    /// Whether reading has to stop until the batch is settled.
    var isFull: Bool { batch.count >= limits.messages || batchBytes >= limits.bytes }
    /// Whether records have moved a place since the last batch.
    var hasMoved: Bool { slots.contains { $0.isTouched } }
    /// The partitions that are ours.
    var partitions: [KafkaHandle.Partition] { slots.map(\.partition) }

    /// Takes over what the group has given us.
    func assign(_ places: [(KafkaHandle.Partition, Int64)]) {
        generation += 1
        slots = places.map { Slot(partition: $0.0, next: $0.1) }
        latest = 0
    }

    /// Forgets the partitions, which are somebody else's now. With `dropping` also what was read of them.
    func revoke(dropping: Bool) {
        generation += 1
        slots = []
        if dropping {
            batch.removeAll()
            batchBytes = 0
        }
    }

    /// The next offset of a partition; nil if it is not ours.
    func next(of partition: KafkaHandle.Partition) -> Int64? {
        slots.first { $0.partition == partition }?.next
    }

    /// Goes on elsewhere in a partition.
    func move(_ partition: KafkaHandle.Partition, to offset: Int64) {
        guard let index = slots.firstIndex(where: { $0.partition == partition }) else { return }
        slots[index].next = offset
    }

    /// Takes a record for every source that reads its topic.
    func receive(_ record: KafkaHandle.Record) {
        guard let slot = slot(of: record.partition), record.offset >= slots[slot].next else { return }
        slots[slot].next = record.offset + 1
        slots[slot].isTouched = true
        guard let readers = sources[record.partition.topic] else { return }
        if isExpired(record) {
            for source in readers { noteExpired(source, record.partition.topic) }
            return
        }
        let headers = KafkaHeaders.inbound(record)
        var topic = record.partition.topic
        topic.withUTF8 { name in
            for source in readers {
                batch.append(
                    address: UnsafeRawBufferPointer(name), payload: record.payload, source: source, qos: 1,
                    isRetained: false, headers: headers)
            }
        }
        batchBytes += record.payload.count + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }

    /// Closes the batch, with the places it ends at, and begins the next one. The caller gives it back.
    func take() -> MessageBatch {
        let taken = batch
        taken.positions = takeMoved().map {
            LogPosition(reader: reader, topic: $0.0.topic, partition: $0.0.number, offset: $0.1)
        }
        batch = spare.take() ?? MessageBatch()
        batchBytes = 0
        return taken
    }

    /// The places that have moved since the last batch.
    func takeMoved() -> [(KafkaHandle.Partition, Int64)] {
        var moved: [(KafkaHandle.Partition, Int64)] = []
        for index in slots.indices where slots[index].isTouched {
            slots[index].isTouched = false
            moved.append((slots[index].partition, slots[index].next))
        }
        return moved
    }

    /// Returns a batch that has been settled.
    func giveBack(_ batch: MessageBatch) {
        batch.removeAll()
        spare = batch
    }

    /// The records dropped since the last call.
    func takeExpired() -> [(source: Int, topic: String, count: Int)] {
        defer { expired = [] }
        return expired
    }

    private func slot(of partition: KafkaHandle.Partition) -> Int? {
        // Records come in runs of one partition.
        if latest < slots.count, slots[latest].partition.number == partition.number,
            slots[latest].partition.topic == partition.topic
        {
            return latest
        }
        guard let index = slots.firstIndex(where: { $0.partition == partition }) else { return nil }
        latest = index
        return index
    }

    private func isExpired(_ record: KafkaHandle.Record) -> Bool {
        guard !record.headers.isEmpty else { return false }
        return KafkaHeaders.isExpired(record.headers, now: now)
    }

    private func noteExpired(_ source: Int, _ topic: String) {
        if let index = expired.firstIndex(where: { $0.source == source && $0.topic == topic }) {
            expired[index].count += 1
        } else {
            expired.append((source, topic, 1))
        }
    }
}
