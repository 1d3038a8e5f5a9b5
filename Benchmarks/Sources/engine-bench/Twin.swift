import Glibc
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Why the benchmark cannot go on.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

/// A running engine on a store in memory, with a fleet of things that are all hot.
final class Twin {
    static let gateway = "bench:gateway"

    let engine: TwinEngine
    let context = AuthorizationContext([Twin.gateway])
    private var scratch: [UInt8] = []

    init() throws {
        engine = TwinEngine(store: MemoryStore(), clock: MachineClock(), settings: EngineSettings())
        try engine.start()
        for thing in 0..<Workload.things {
            let outcome = engine.execute(try decode(Workload.creation(thing: thing)), as: context)
            if case .failure(let error) = outcome.result {
                throw BenchFailure(description: "thing \(thing) was not made: \(error.code): \(error.message)")
            }
            try commit(outcome.ticket)
        }
    }

    /// From bytes to a command, in the steps of a connection's source.
    func decode(_ bytes: [UInt8]) throws -> ThingCommand {
        var envelope = try bytes.withUnsafeBytes { try Envelope.parse($0, scratch: &scratch) }
        envelope.headers = envelope.headers.acceptedFromOutside()
        return try ThingCommand(envelope)
    }

    /// Commits on this thread, as a connection's session does.
    func commit(_ ticket: CommitTicket) throws {
        let outcome = engine.commit(ticket, patience: .seconds(20))
        guard outcome == .committed else { throw BenchFailure(description: "a commit is \(outcome)") }
    }

    /// A subscription to every event; to be removed from the hub.
    func subscribe() -> EventSubscription {
        let subscription = EventSubscription(
            namespaces: [], excludedOrigin: nil, capacity: 100_000, byteCapacity: 1 << 30, wake: { _ in },
            onOverflow: { _ in })
        engine.hub.add(subscription)
        return subscription
    }

    /// Takes exactly `count` changes. They are there unless the committer's own thread has done this commit and is
    /// still handing them out.
    static func take(_ count: Int, from subscription: EventSubscription, into changes: inout [TwinChange]) {
        while true {
            changes.append(contentsOf: subscription.take())
            if changes.count >= count { return }
            sched_yield()
        }
    }
}

/// The clocks that the product reads.
struct MachineClock: EngineClock {
    var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    var monotonic: UInt64 { Cost.now }
}
