// One membership in a group, from the subscription to its end. Confined to the session's thread.
//
// Settlement: a batch goes to the store together with the places it ends at, so effect and place are one commit. Only
// then are the places given to the library, which tells the group now and then, for operators and other instances.
// What was not committed is read again by the next run, which begins at the committed places.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Serves a connected consumer handle.
final class KafkaConsumerLink {
    let handle: KafkaHandle
    let fields: KafkaFields
    let inlet: any Inlet
    let observer: any SessionObserver
    let timing: KafkaBrokerClient.Timing
    let control: SessionControl
    let intake: KafkaIntake
    private let wake: WakeSignal

    /// Set where the failure is found, which may be inside a callback of the library.
    var end: SessionEnd?
    /// Whether the group has given us partitions once, if only none.
    var hasJoined = false
    /// Places that the group does not know yet, where reading has begun.
    var unstored: [(KafkaHandle.Partition, Int64)] = []
    /// Partitions whose next offset the broker does not have.
    var lostPlaces: [KafkaHandle.Partition] = []
    var health: ClusterHealth
    private var isOpen = false
    private var joinDeadline = Deadline.never
    /// Whether the library may have more for us, although its descriptor is not readable any more.
    private var mayHaveMore = false
    private var uncommitted = 0
    private var nextCommit = Deadline.never

    init(
        handle: KafkaHandle, fields: KafkaFields, inlet: any Inlet, observer: any SessionObserver,
        timing: KafkaBrokerClient.Timing, control: SessionControl, wake: WakeSignal
    ) {
        self.handle = handle
        self.fields = fields
        self.inlet = inlet
        self.observer = observer
        self.timing = timing
        self.control = control
        self.wake = wake
        health = ClusterHealth(
            places: fields.topics.enumerated().flatMap { source, topics in
                topics.map { (SessionPlace.source(source, address: $0), $0) }
            })
        intake = KafkaIntake(
            topics: fields.topics, reader: fields.groupID, limits: inlet.batchLimits, now: wallClockMilliseconds)
    }

    /// Subscribes and serves until a stop or a failure.
    func serve() -> SessionEnd {
        observer.began(.subscribe)
        if let failure = subscribe() { return .failed(failure) }
        while true {
            if let deadline = control.stopDeadline {
                sayGoodbye(until: deadline)
                return .stopped
            }
            if let end = turn() {
                // Without a goodbye the group would wait for us until our session has timed out.
                sayGoodbye(until: min(.after(.seconds(1)), control.stopDeadline ?? .never))
                return end
            }
        }
    }

    /// Topics that are not there fail their place; a connection none of whose topics is there does not open.
    private func subscribe() -> BrokerFailure? {
        let topics = Set(fields.topics.joined())
        var failures: [BrokerFailure] = []
        for topic in topics.sorted() {
            let code = handle.ask(about: topic, patience: .seconds(5))
            guard code.isUnknownTopic || code.isDenied else { continue }
            let source = fields.topics.firstIndex { $0.contains(topic) }
            let failure = KafkaFailure.subscription(topic, code, source: source)
            failures.append(failure)
            health.fail(topic: topic, failure, observer)
        }
        if let first = failures.first, failures.count == topics.count { return first }
        handle.onRebalance = { [unowned self] change in rebalance(change) }
        let code = handle.subscribe(topics.sorted())
        guard code == .success else { return KafkaFailure.group(fields.groupID, code) }
        joinDeadline = .after(timing.join)
        return nil
    }

    private func open() {
        isOpen = true
        observer.began(.serve)
        observer.opened()
        if !hasJoined { observer.warned(KafkaFailure.waiting(fields.groupID)) }
    }

    // MARK: One turn

    private func turn() -> SessionEnd? {
        sleep()
        drain()
        if let end { return end }
        readNotices()
        tellExpired()
        if let end { return end }
        if !intake.batch.isEmpty, let end = settle(until: nil) { return end }
        if intake.hasMoved { remember(intake.takeMoved()) }
        restartLostPlaces()
        storeBeginnings()
        if uncommitted >= commitEvery || nextCommit.hasPassed { commit() }
        if !isOpen, hasJoined || joinDeadline.hasPassed { open() }
        return end
    }

    /// Messages after which the group is told at once.
    private let commitEvery = 1000
    /// The longest the group is left untold. Also how long a turn sleeps at most: the library wants to be polled.
    private let commitInterval: Duration = .seconds(1)

    private func sleep() {
        guard !mayHaveMore else { return }
        let deadline = min(.after(commitInterval), nextCommit, control.stopDeadline ?? .never)
        withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            descriptors[0] = pollfd(fd: handle.descriptor, events: Int16(POLLIN), revents: 0)
            descriptors[1] = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            poll(descriptors.baseAddress, 2, control.isStopping ? 0 : deadline.pollTimeout)
            if descriptors[1].revents != 0 { wake.drain() }
        }
    }

    /// Takes what the library has until there is nothing left or the batch is full.
    func drain() {
        handle.drainDescriptor()
        var polls = 0
        mayHaveMore = false
        while end == nil {
            if intake.isFull || polls >= pollsMax {
                mayHaveMore = true
                return
            }
            polls += 1
            switch handle.poll(intake.receive) {
            case .nothing: return
            case .record: health.isAlive(observer)
            case .problem(let code, let text, let partition): note(code, text, partition)
            }
        }
    }

    /// Problems and dropped records fill no batch, and may not keep a turn from ending.
    private let pollsMax = 4096

    // MARK: Settlement

    /// Hands the batch on, waits for its commit, at most until `limit`, and remembers where it ends. Nil: go on.
    func settle(until limit: Deadline?) -> SessionEnd? {
        let generation = intake.generation
        let batch = intake.take()
        let places = batch.positions
        defer { intake.giveBack(batch) }
        let ticket = inlet.accept(batch)
        switch hold(ticket, until: limit) {
        case .committed:
            inlet.settled(batch, as: .committed)
            // Of partitions that were revoked meanwhile only our store knows.
            guard generation == intake.generation else { return nil }
            remember(places.map { (KafkaHandle.Partition(topic: $0.topic, number: $0.partition), $0.offset) })
            uncommitted += batch.count
            return nil
        case .failed(let failure):
            inlet.settled(batch, as: .rejected)
            return .failed(failure)
        case .stopped:
            inlet.settled(batch, as: .rejected)
            return .stopped
        }
    }

    private enum HoldEnd {
        case committed, stopped
        case failed(BrokerFailure)
    }

    /// Waits for the commit. A long wait pauses reading and goes on polling, or the group would take us for dead.
    private func hold(_ ticket: Ticket, until end: Deadline?) -> HoldEnd {
        let limit = min(.after(timing.hold), end ?? .never)
        let pauseTime = end == nil ? Deadline.after(timing.pollInterval / 2) : .never
        var isPaused = false
        defer { if isPaused { handle.pause(intake.partitions, false) } }
        while true {
            let slice = min(control.stopDeadline ?? .never, limit, .after(holdSlice))
            switch inlet.settlement(of: ticket, patience: slice.remaining) {
            case .committed: return .committed
            case .rejected: return .failed(BrokerFailure.batchNotTaken)
            case .pending: break
            }
            if let deadline = control.stopDeadline, deadline.hasPassed { return .stopped }
            if limit.hasPassed { return .failed(BrokerFailure.storeStalled(after: timing.hold)) }
            guard pauseTime.hasPassed else { continue }
            if !isPaused {
                isPaused = true
                handle.pause(intake.partitions, true)
            }
            // What still comes is of the time before the pause and goes into the next batch.
            drain()
        }
    }

    /// A stop cannot wake a thread that waits for a commit, so it looks up this often. Commits take milliseconds; this
    /// is only felt when the store is stuck.
    private let holdSlice: Duration = .milliseconds(100)

    /// Gives the library places to tell the group of.
    func remember(_ places: [(KafkaHandle.Partition, Int64)]) {
        guard !places.isEmpty else { return }
        let code = handle.store(places)
        // A place that comes too late is of a partition that is not ours any more.
        if code != .success, !code.isLateCommit { health.warn(code, code.phrase, observer) }
        if nextCommit == .never { nextCommit = .after(commitInterval) }
    }

    private func commit() {
        told()
        handle.commit()
    }

    /// Whether the group may not know yet how far we have come.
    var isUntold: Bool { nextCommit != .never || handle.commitsUnderWay > 0 }

    /// Nothing is left to tell the group of, as far as it is ours to tell.
    func told() {
        uncommitted = 0
        nextCommit = .never
    }

    /// The group shall know where we have begun: what comes while we are down would be lost otherwise.
    private func storeBeginnings() {
        guard !unstored.isEmpty else { return }
        let untouched = unstored.filter { intake.next(of: $0.0) == $0.1 }
        if untouched.isEmpty || handle.store(untouched) == .success {
            unstored = []
            if nextCommit == .never { nextCommit = .now }
        }
    }

    /// Tells the group of the places that are committed here, and leaves it.
    private func sayGoodbye(until deadline: Deadline) {
        // Both are worth a moment even when the time is over: else the group waits for us, and reads again.
        if uncommitted > 0 || nextCommit != .never {
            let code = handle.commit(until: max(.after(deadline.remaining / 2), .after(.milliseconds(200))))
            if code.isLateCommit { tellUntold(code) }
        }
        handle.leave(until: max(deadline, .after(.milliseconds(200))))
    }

    // MARK: News

    private func readNotices() {
        health.read(handle.takeNotices(), fields: fields, observer)
        health.probe(handle, observer)
        if let code = handle.commitTrouble.take() {
            // The places are still stored, so that the next commit tells of them.
            if nextCommit == .never { nextCommit = .after(commitInterval) }
            if !code.isLateCommit { health.warn(code, "a place could not be committed: \(code.phrase)", observer) }
        }
    }

    private func tellExpired() {
        for dropped in intake.takeExpired() {
            inlet.dropped(dropped.count, source: dropped.source, reason: "expired")
            health.warnOnce("expired", KafkaFailure.expired(dropped.count, topic: dropped.topic), observer)
        }
    }

    /// A message of the library in place of a record.
    private func note(_ code: KafkaCode, _ text: String, _ partition: KafkaHandle.Partition?) {
        switch code {
        case .partitionEnd: return
        case .offsetReset:
            if let partition, !lostPlaces.contains(partition) { lostPlaces.append(partition) }
        case .pollExceeded: health.warn(code, text, observer)
        case _ where code.isUnknownTopic || code == .topicDenied:
            guard let topic = partition?.topic else { return }
            let source = fields.topics.firstIndex { $0.contains(topic) }
            health.fail(topic: topic, KafkaFailure.subscription(topic, code, source: source), observer)
        case .groupDenied: end = .failed(KafkaFailure.group(fields.groupID, code))
        case .fatal: end = .failed(KafkaFailure.fatal(text))
        default: health.warn(code, text, observer)
        }
    }
}

/// Milliseconds since 1970, for the age of records.
private func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
