// What happens in a connection, as its users ask for it: counted in windows (spec/connectivity.md §8.5), logged in
// rings (§8.6), and streamed to whoever taps it. The pipelines call it; everything about form and bounds is behind it.
import Synchronization
public import TwinspanProtocol

/// Records what happens in one connection. Safe from any thread.
///
/// Its locks are leaves: they are held for a moment, and nothing is called while they are.
public final class ConnectionRecorder: Sendable {
    private struct Log {
        var rings = LogRings(capacity: ringCapacity, byteCapacity: logByteMaximum)
        var enabledSince: Timestamp?
        var enabledUntil: Timestamp?
        /// Whether it was turned off on purpose, so that reading it does not turn it on.
        var isOff = true
    }

    /// Successes of one place and stage that a ring holds: of a batch, only so many of the last are worth a note.
    public static let ringCapacity = 10
    /// How long successes are logged after opening, enabling or retrieving (`logDuration`).
    public static let logDuration = Duration.seconds(3600)
    /// About the bytes of all log entries of a connection.
    static let logByteMaximum = 512 << 10
    /// Bytes of a message in the log; what is longer is cut. Ids may have less.
    static let messageByteMaximum = 4096
    static let idByteMaximum = 512
    /// Taps of one connection at a time.
    public static let tapMaximum = 16

    private let id: ConnectionID
    private let now: @Sendable () -> Timestamp
    private let monotonic: @Sendable () -> UInt64
    private let addresses: RecordedAddresses
    private let metricWindows: Mutex<MetricWindows>
    private let log = Mutex(Log())
    /// Monotonic nanoseconds until which successes are logged; 0 when they are not.
    private let successesUntil = Atomic<UInt64>(0)
    private let taps = Mutex<[TapQueue]>([])
    private let tapCount = Atomic<Int>(0)

    /// A recorder with empty windows; it logs successes from the start when the connection is to be open.
    ///
    /// - Parameters:
    ///   - now: the time of day, to be shown.
    ///   - monotonic: nanoseconds of a clock that never goes back, for windows and durations; nil derives it from
    ///     `now`.
    public init(
        connection: Connection, now: @escaping @Sendable () -> Timestamp,
        monotonic: (@Sendable () -> UInt64)? = nil
    ) {
        id = connection.id
        self.now = now
        self.monotonic = monotonic ?? { UInt64(max(now().milliseconds, 0)) * 1_000_000 }
        addresses = RecordedAddresses(connection)
        metricWindows = Mutex(MetricWindows(slotCount: addresses.slots.count))
        if connection.isOpen { enableLogs() }
    }

    deinit {
        for tap in taps.withLock({ $0 }) { tap.end(Self.endOfTap) }
    }

    // MARK: What the pipelines tell

    /// Counts in the windows of §8.5. Meant to be called once per batch and stage.
    ///
    /// - Parameter address: one of several addresses of a source; anything else counts under the source's first.
    public func count(
        _ place: RecordedPlace, _ stage: RecordedStage, isFailure: Bool = false, _ count: Int = 1,
        address: String? = nil
    ) {
        guard count > 0 else { return }
        let slot = addresses.slot(of: place, address: address)
        let (second, now) = (Int64(monotonic() / 1_000_000_000), now())
        metricWindows.withLock {
            $0.add(count, slot: slot, stage, isFailure: isFailure, second: second, at: now)
        }
    }

    /// Whether anybody taps: then every note is wanted.
    public var isTapped: Bool { tapCount.load(ordering: .relaxed) != 0 }

    /// Whether successes are logged at the moment (§8.6: for an hour after opening, retrieving or enabling).
    public var logsSuccesses: Bool {
        let until = successesUntil.load(ordering: .relaxed)
        return until != 0 && monotonic() < until
    }

    /// Whether notes of successes are wanted at all: asked once per batch, before they are made.
    public var wantsSuccesses: Bool { isTapped || logsSuccesses }

    /// Logs and taps a note; failures are always logged. Does not count. The note is always made: for successes ask
    /// `wantsSuccesses` first, or call `noteSuccess`.
    public func note(_ note: @autoclosure () -> StageNote) {
        record(note())
    }

    /// Logs and taps the note of a success, which is made only when somebody wants it.
    public func noteSuccess(_ note: @autoclosure () -> StageNote) {
        if wantsSuccesses { record(note()) }
    }

    private func record(_ note: StageNote) {
        let time = now()
        if note.isFailure || logsSuccesses { logEntry(note, at: time) }
        guard isTapped else { return }
        let open = taps.withLock { $0 }
        var line: [UInt8]?
        for tap in open where tap.filter.admits(note) {
            let slot = addresses.slot(of: note.place, address: note.address)
            let bytes =
                line
                ?? TapLine.bytes(note, connection: id, address: addresses.slots[slot].address, at: time)
            line = bytes
            tap.offer(bytes)
        }
    }

    private func logEntry(_ note: StageNote, at time: Timestamp) {
        let index = addresses.slot(of: note.place, address: note.address)
        let slot = addresses.slots[index]
        var message = note.message
        // The log names the address as configured; of a failure one wants to know where it really was.
        if note.isFailure, let address = note.address, address != slot.address { message += " Address: \(address)." }
        let entry = ConnectionLogEntry(
            timestamp: time, category: slot.category, stage: note.stage, isFailure: note.isFailure,
            message: message.cut(to: Self.messageByteMaximum),
            correlationID: note.correlationID?.cut(to: Self.idByteMaximum), address: slot.address,
            entityType: note.entityType, entityID: note.entityID?.cut(to: Self.idByteMaximum))
        log.withLock { $0.rings.add(entry, slot: index) }
    }

    // MARK: Metrics

    /// What the windows show now.
    public var metrics: ConnectionMetrics {
        let second = Int64(monotonic() / 1_000_000_000)
        return metricWindows.withLock { windows in
            var metrics = ConnectionMetrics(sources: [], targets: [])
            for (index, slot) in addresses.slots.enumerated() {
                guard let address = slot.address else { continue }
                let isInbound = slot.category == .source
                let measurements = windows.measurements(
                    slot: index, isInbound ? RecordedStage.inbound : RecordedStage.outbound, second: second)
                let entry = ConnectionMetrics.AddressMetrics(address: address, measurements: measurements)
                if isInbound { metrics.sources.append(entry) } else { metrics.targets.append(entry) }
            }
            return metrics
        }
    }

    /// `resetConnectionMetrics`.
    public func resetMetrics() {
        metricWindows.withLock { $0.reset() }
    }

    // MARK: Logs

    /// `enableConnectionLogs`, and what opening does: successes are logged for an hour from now.
    public func enableLogs() {
        let (time, until) = (now(), monotonic() &+ UInt64(Self.logDuration / .nanoseconds(1)))
        let wasEnabled = logsSuccesses
        log.withLock { log in
            if !wasEnabled {
                log.rings.removeSuccesses()
                log.enabledSince = time
            }
            log.enabledUntil = Timestamp(
                milliseconds: time.milliseconds + Int64(Self.logDuration / .milliseconds(1)))
            log.isOff = false
        }
        successesUntil.store(until, ordering: .relaxed)
    }

    /// Stops the logging of successes, and forgets them; failures stay.
    public func disableLogs() {
        successesUntil.store(0, ordering: .relaxed)
        log.withLock { log in
            log.rings.removeSuccesses()
            (log.enabledSince, log.enabledUntil, log.isOff) = (nil, nil, true)
        }
    }

    /// `retrieveConnectionLogs`: the log, and another hour of successes unless they were turned off.
    public func retrieveLogs() -> ConnectionLogs {
        if !log.withLock({ $0.isOff }) { enableLogs() }
        return log.withLock {
            ConnectionLogs(
                entries: $0.rings.entries, enabledSince: $0.enabledSince, enabledUntil: $0.enabledUntil)
        }
    }

    /// `resetConnectionLogs`: forgets everything, and logs that it did.
    public func resetLogs() {
        let entry = ConnectionLogEntry(
            timestamp: now(), category: .connection, stage: .other, isFailure: false,
            message: "The logs were reset.")
        let slot = addresses.slot(of: .connection)
        log.withLock { log in
            log.rings.removeAll()
            log.rings.add(entry, slot: slot)
        }
    }

    // MARK: Taps

    /// Opens a tap; nil when there are `tapMaximum` already. It ends when the value goes away.
    public func tap(_ filter: TapFilter) -> MessageTap? {
        let queue = TapQueue(filter: filter, connection: id, now: now)
        let isOpen = taps.withLock { taps -> Bool in
            guard taps.count < Self.tapMaximum else { return false }
            taps.append(queue)
            tapCount.store(taps.count, ordering: .relaxed)
            return true
        }
        guard isOpen else { return nil }
        return MessageTap(queue: queue) { [weak self] queue in self?.remove(queue) }
    }

    /// Ends all taps, because the connection ends: its configuration was changed or removed.
    public func endTaps() {
        let ended = taps.withLock { taps in
            defer { taps = [] }
            tapCount.store(0, ordering: .relaxed)
            return taps
        }
        for tap in ended { tap.end(Self.endOfTap) }
    }

    private static let endOfTap = "The tap ends: the connection was stopped, changed or removed."

    private func remove(_ queue: TapQueue) {
        taps.withLock { taps in
            taps.removeAll { $0 === queue }
            tapCount.store(taps.count, ordering: .relaxed)
        }
    }
}
