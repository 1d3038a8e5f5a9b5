// The pace of a simulated fleet: when the next message is due, and when it is enough.
import Glibc
import Synchronization
import TwinspanProtocol

/// A wish to end, from a signal.
final class Interrupt: Sendable {
    private let flag = Atomic<Bool>(false)
    func request() { flag.store(true, ordering: .releasing) }
    var isRequested: Bool { flag.load(ordering: .acquiring) }
}

/// Offers the fleet's messages to the publisher at a steady rate. Confined to the thread that runs it.
struct FleetFeed {
    let publisher: FleetPublisher
    let clock: SystemClock
    let topic: String
    let rate: Int
    let countLimit: Int?
    let secondsLimit: Double?
    /// Messages handed to the publisher, creations included.
    private(set) var published = 0
    private(set) var seconds = 0.0
    private var readings = 0

    init(
        publisher: FleetPublisher, clock: SystemClock, topic: String, rate: Int, countLimit: Int?, secondsLimit: Double?
    ) {
        self.publisher = publisher
        self.clock = clock
        self.topic = topic
        self.rate = rate
        self.countLimit = countLimit
        self.secondsLimit = secondsLimit
    }

    /// Publishes until a limit, a signal, or the end of the publisher.
    mutating func run(_ fleet: inout SimulatedFleet, until interrupt: Interrupt, progress: SimulationProgress) {
        let start = clock.monotonic
        defer { seconds = Double(clock.monotonic - start) / 1e9 }
        for creation in fleet.creations() where !offer(creation, interrupt) { return }
        var due = clock.monotonic
        let interval = UInt64(1_000_000_000 / rate)
        while !isOver(interrupt, start) {
            let now = clock.monotonic
            // What could not be sent in time is not made up for in a burst: a second behind starts anew.
            if now > due, now - due > 1_000_000_000 { due = now }
            while due <= now, countLimit.map({ readings < $0 }) ?? true {
                guard offer(fleet.reading(), interrupt) else { return }
                readings += 1
                due += interval
            }
            progress.show(published: published, tally: publisher.snapshot, now: now)
            usleep(UInt32(min(max((due > now ? due - now : 0) / 1000, 500), 20_000)))
        }
        waitForConfirmations(interrupt)
    }

    private func isOver(_ interrupt: Interrupt, _ start: UInt64) -> Bool {
        if interrupt.isRequested || publisher.snapshot.hasEnded { return true }
        if let countLimit, readings >= countLimit { return true }
        return secondsLimit.map { Double(clock.monotonic - start) / 1e9 >= $0 } ?? false
    }

    /// Waits while the queue is full; false when it is no use any more.
    private mutating func offer(_ message: (id: ThingID, payload: [UInt8]), _ interrupt: Interrupt) -> Bool {
        let topic = "\(topic)/\(message.id)"
        while !publisher.offer(topic: topic, payload: message.payload, at: clock.monotonic) {
            if interrupt.isRequested || publisher.snapshot.hasEnded { return false }
            usleep(1000)
        }
        published += 1
        return true
    }

    private func waitForConfirmations(_ interrupt: Interrupt) {
        let deadline = clock.monotonic + 10_000_000_000
        while clock.monotonic < deadline {
            let tally = publisher.snapshot
            if tally.confirmed + tally.refused >= published || tally.hasEnded { return }
            usleep(2000)
        }
    }
}
