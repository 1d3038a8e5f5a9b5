// Keeps one session of a connection alive: runs it on a thread of its own, and after a failure waits as the policy says
// and runs it again. The only place that reacts to failures; adapters only classify them.
import Glibc
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine

/// What keeps a session from being started.
enum Obstacle {
    /// Something that says so itself, as the store does.
    case known
    /// The connection's status says what it is.
    case told(BrokerFailure)
}

/// What is known of a session.
struct SessionStatus: Sendable {
    var state: ConnectionState
    /// Monotonic nanoseconds of the last change of `state`.
    var since: UInt64
    var failure: BrokerFailure?
    /// Monotonic nanoseconds of the next attempt.
    var nextAttemptAt: UInt64?
    var attempts = 0
    /// What ails single places of the session, with monotonic nanoseconds.
    var places: [SessionPlace: (failure: BrokerFailure, since: UInt64)] = [:]
    /// The newest trouble that has not ended the session.
    var warning: (failure: BrokerFailure, since: UInt64)?
}

/// Runs one session until it is stopped.
final class SessionRunner: SessionObserver {
    private let session: any BrokerSession
    private let role: String
    private let isFailoverEnabled: Bool
    private let clock: any EngineClock
    private let counters: ConnectionCounters
    private let logger: Logger
    /// What keeps a session from being started, nil when nothing does; a consumer waits here while the store is closed
    /// or its inbox is full.
    private let obstacle: @Sendable () -> Obstacle?
    /// Called on the session's thread whenever it has opened.
    private let whenOpen: @Sendable () -> Void
    private let status: Mutex<SessionStatus>
    private let isStopping = Atomic<Bool>(false)
    private let doorbell = Doorbell()
    private let thread = Mutex<WorkerThread?>(nil)
    /// Called after each change of the state, on the session's thread.
    private let onChange: @Sendable () -> Void
    /// Called when a place fails, fails for another reason, or stands again; on the session's thread, of the tunnel
    /// on the tunnel's.
    private let onPlace: @Sendable (SessionPlace, BrokerFailure?) -> Void

    init(
        session: any BrokerSession, role: String, isFailoverEnabled: Bool, clock: any EngineClock,
        counters: ConnectionCounters, logger: Logger, obstacle: @escaping @Sendable () -> Obstacle?,
        whenOpen: @escaping @Sendable () -> Void = {}, onChange: @escaping @Sendable () -> Void = {},
        onPlace: @escaping @Sendable (SessionPlace, BrokerFailure?) -> Void = { _, _ in }
    ) {
        self.whenOpen = whenOpen
        self.onChange = onChange
        self.onPlace = onPlace
        self.session = session
        self.role = role
        self.isFailoverEnabled = isFailoverEnabled
        self.clock = clock
        self.counters = counters
        var logger = logger
        logger[metadataKey: "session"] = "\(role)"
        self.logger = logger
        self.obstacle = obstacle
        status = Mutex(SessionStatus(state: .connecting, since: clock.monotonic))
    }

    var snapshot: SessionStatus { status.withLock { $0 } }

    func start(name: String) {
        let worker = WorkerThread(name: name) { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Asks the session to end within `grace`; `join` waits for it.
    func stop(grace: Duration) {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        session.stop(grace: grace)
    }

    func join() {
        thread.withLock { $0 }?.join()
    }

    // MARK: The loop

    private func run() {
        var policy = ReconnectPolicy()
        while !isStopping.load(ordering: .acquiring) {
            if let obstacle = obstacle() {
                if case .told(let failure) = obstacle { fail(failure, next: nil) }
                doorbell.wait(patience: .milliseconds(200))
                continue
            }
            enter(.connecting)
            let end = session.run(observer: self)
            // What hangs on a session has no failures of its own once that has ended.
            status.withLock { status in
                // But of the tunnel it is told again when it stands.
                status.places = status.places.filter { $0.key == .tunnel }
                status.warning = nil
            }
            guard case .failed(let failure) = end else { break }
            let openFor = status.withLock { status -> Duration? in
                status.state == .open ? .nanoseconds(Int64(clock.monotonic &- status.since)) : nil
            }
            counters.add(.reconnects, role == "consumer" ? .inbound : .outbound, reason: failure.reason)
            let delay = policy.delay(
                after: failure.reaction, openFor: openFor, jitter: Double.random(in: 0...1))
            guard let delay, isFailoverEnabled else {
                fail(failure, next: nil)
                doorbell.wait(patience: .seconds(3600))
                continue
            }
            fail(failure, next: delay)
            wait(delay)
        }
        status.withLock { $0.places = [:] }
        enter(.closed)
    }

    private func wait(_ delay: Duration) {
        let deadline = clock.monotonic + UInt64(max(delay / .nanoseconds(1), 0))
        while !isStopping.load(ordering: .acquiring), clock.monotonic < deadline {
            doorbell.wait(patience: .nanoseconds(Int64(deadline &- clock.monotonic)))
        }
    }

    private func enter(_ state: ConnectionState) {
        status.withLock { status in
            // While it is tried again, a failed connection stays failed for the observer until it is open.
            if state == .connecting, status.failure != nil { return status.attempts += 1 }
            status.state = state
            status.since = clock.monotonic
            status.nextAttemptAt = nil
        }
    }

    private func fail(_ failure: BrokerFailure, next: Duration?) {
        let now = clock.monotonic
        let isNews = status.withLock { status -> Bool in
            let isNews = status.failure?.reason != failure.reason || status.state == .open
            let state: ConnectionState = failure.reaction == .misconfigured ? .misconfigured : .failed
            if status.state != state { status.since = now }
            status.state = state
            status.failure = failure
            status.nextAttemptAt = next.map { now + UInt64(max($0 / .nanoseconds(1), 0)) }
            return isNews
        }
        onChange()
        // State changes are logged once, not with every attempt.
        guard isNews else { return }
        var facts: Logger.Metadata = ["step": "\(failure.step.rawValue)", "error": "\(failure.message)"]
        if let hint = failure.hint { facts["hint"] = "\(hint)" }
        if let next { facts["next_try"] = "\(next)" }
        logger.warning("connection failed", metadata: facts)
    }

    // MARK: SessionObserver

    func began(_ step: SessionStep) {
        logger.debug("session step", metadata: ["step": "\(step.rawValue)"])
    }

    func opened() {
        let attempts = status.withLock { status -> Int in
            status.state = .open
            status.since = clock.monotonic
            status.failure = nil
            status.nextAttemptAt = nil
            defer { status.attempts = 0 }
            return status.attempts
        }
        onChange()
        logger.info("connection open", metadata: attempts > 0 ? ["attempts": "\(attempts + 1)"] : [:])
        whenOpen()
    }

    func changed(_ place: SessionPlace, _ failure: BrokerFailure?) {
        let now = clock.monotonic
        let isNews = status.withLock { status -> Bool in
            let before = status.places[place]
            status.places[place] = failure.map { ($0, $0 == before?.failure ? before?.since ?? now : now) }
            return before?.failure.reason != failure?.reason
        }
        guard isNews else { return }
        onChange()
        onPlace(place, failure)
        guard let failure else { return logger.info("place works again", metadata: place.metadata) }
        var facts = place.metadata
        facts["reason"] = "\(failure.reason)"
        facts["error"] = "\(failure.message)"
        if let hint = failure.hint { facts["hint"] = "\(hint)" }
        logger.warning("place failed", metadata: facts)
    }

    func warned(_ failure: BrokerFailure) {
        status.withLock { $0.warning = (failure, clock.monotonic) }
        var facts: Logger.Metadata = ["reason": "\(failure.reason)", "error": "\(failure.message)"]
        if let hint = failure.hint { facts["hint"] = "\(hint)" }
        logger.warning("connection trouble", metadata: facts)
    }
}

extension SessionPlace {
    fileprivate var metadata: Logger.Metadata {
        switch self {
        case .source(let index, let address): ["source": "\(index)", "address": "\(address.prefix(120))"]
        case .target(let index): ["target": "\(index)"]
        case .tunnel: ["place": "tunnel"]
        }
    }
}
