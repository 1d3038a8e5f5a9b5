// What the committer does for records: their commit, retention of dead letters, and readers that nobody claims.
import Synchronization
import TwinspanProtocol

extension TwinEngine {
    /// When the committer last did what can wait, in nanoseconds of the monotonic clock.
    struct Upkeep {
        var lastTrim: UInt64 = 0
        var lastDeadLetters: UInt64
        var lastClaims: UInt64

        /// Nothing is forgotten right after the start: the targets have to claim their readers first.
        init(startedAt now: UInt64) {
            lastDeadLetters = now
            lastClaims = now
        }
    }

    /// Sizes and times of the upkeep.
    private enum RecordPace {
        /// Dead letters one transaction removes.
        static let letterLimit = 256
        /// How often their age is looked at.
        static let letterNanoseconds: UInt64 = 5_000_000_000
        /// How often the claims of readers are written down.
        static let claimNanoseconds: UInt64 = 600_000_000_000
        /// Up to how many times the size of the journal readers hold it back.
        static let readerAllowance: Int64 = 2
        /// Longer than anything is kept.
        static let unlimitedAge = Duration.seconds(1 << 40)
    }

    /// Commits a batch that has records in it.
    func commitRecords(_ batch: inout CommitBatch) throws(StoreFailure) {
        let expired = store.records.loads.deadLettersExpired
        batch.time = clock.now
        batch.deadLetterBytes = settings.deadLetters.bytes
        try store.commit(batch)
        metrics.deadLettersExpired(store.records.loads.deadLettersExpired - expired)
    }

    /// Deletes what retention no longer keeps from the journal's start, as far as readers let it; returns how many
    /// records went.
    func trimJournal() throws(StoreFailure) -> Int {
        let limit = Pace.trimLimit
        guard let oldest = store.records.loads.cursors.values.min() else {
            return try store.trimJournal(settings.retention, now: clock.now, limit: limit)
        }
        var retention = settings.retention
        retention.keepAbove = min(retention.keepAbove, oldest)
        let count = try store.trimJournal(retention, now: clock.now, limit: limit)
        guard count == 0 else { return count }
        let (most, isBeyond) = retention.bytes.multipliedReportingOverflow(by: RecordPace.readerAllowance)
        guard !isBeyond else { return 0 }
        return try store.trimJournal(
            JournalRetention(
                bytes: most, age: RecordPace.unlimitedAge, keepAbove: settings.retention.keepAbove),
            now: clock.now, limit: limit)
    }

    /// Removes dead letters and orphaned readers; returns whether there is more to remove.
    func tidyRecords(_ upkeep: inout Upkeep) throws(StoreFailure) -> Bool {
        let now = clock.monotonic
        if now &- upkeep.lastClaims > RecordPace.claimNanoseconds {
            upkeep.lastClaims = now
            try tidyReaders()
        }
        guard now &- upkeep.lastDeadLetters > RecordPace.letterNanoseconds else { return false }
        let hasMore = try trimDeadLetters()
        if !hasMore { upkeep.lastDeadLetters = now }
        return hasMore
    }

    private func tidyReaders() throws(StoreFailure) {
        let now = clock.now
        let age = Int64(settings.orphanedReaderAge / .milliseconds(1))
        let deadline = Timestamp(milliseconds: now.milliseconds - age)
        let loads = store.records.loads
        var count = 0
        if !loads.cursors.isEmpty {
            count += try store.records.noteClaims(of: readerClaims.withLock { $0 }, now: now, deadline: deadline)
        }
        if !loads.positionOwners.isEmpty {
            count += try store.records.noteClaims(
                ofPositions: positionClaims.withLock { $0 }, now: now, deadline: deadline)
        }
        metrics.readersForgotten(count)
    }

    private func trimDeadLetters() throws(StoreFailure) -> Bool {
        let loads = store.records.loads.deadLetters
        guard !loads.isEmpty else { return false }
        let retention = settings.deadLetters
        let now = clock.now
        let oldest = now.milliseconds - Int64(retention.age / .milliseconds(1))
        let isDue =
            loads.values.reduce(0) { $0 + $1.bytes } > retention.bytes
            || loads.values.contains { $0.oldest.map { $0.milliseconds < oldest } ?? false }
        guard isDue else { return false }
        let count = try store.records.trimDeadLetters(retention, now: now, limit: RecordPace.letterLimit)
        metrics.deadLettersExpired(count)
        return count == RecordPace.letterLimit
    }
}
