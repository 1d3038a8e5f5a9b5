// Publishes the messages of a simulated fleet through the MQTT adapter's own publishing session, on a thread of its
// own, and connects again when the broker goes away.
import Glibc
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanMQTT
import TwinspanProtocol

/// The fleet's way to the broker.
final class FleetPublisher: SessionObserver, PublishOutcomes {
    /// What has happened so far.
    struct Tally: Sendable {
        var confirmed = 0
        var refused = 0
        var lastRefusal: String?
        var isOpen = false
        var wasOpen = false
        /// Why the connection is down.
        var failure: BrokerFailure?
        /// The session will not be tried again.
        var hasEnded = false
    }

    /// Messages that may wait. More means that the broker takes less than the rate asks for.
    static let queueCapacity = 2_000
    private static let pause = Duration.seconds(1)

    private let queue = OutboundQueue(capacity: FleetPublisher.queueCapacity, byteCapacity: 16 << 20)
    private let tally = Mutex(Tally())
    private let isStopping = Atomic<Bool>(false)
    private let doorbell = Doorbell()
    private let connection: Connection
    private let session = Mutex<(any BrokerSession)?>(nil)
    private let thread = Mutex<WorkerThread?>(nil)

    /// `name` becomes the client id's beginning.
    init(broker: ConnectionURI, name: String) throws(TwinspanError) {
        connection = Connection(
            id: try ConnectionID(name), type: .mqtt, isOpen: true, uri: broker, sources: [], targets: [])
    }

    var snapshot: Tally { tally.withLock { $0 } }

    func start() {
        let session = MQTTBrokerClient().publisher(for: connection, queue: queue, outcomes: self)
        self.session.withLock { $0 = session }
        thread.withLock { $0 = WorkerThread(name: "fleet") { [self] in run(session) } }
    }

    /// Queues a message with QoS 1; false when the queue is full.
    func offer(topic: String, payload: [UInt8], at monotonic: UInt64) -> Bool {
        queue.offer(
            OutboundMessage(address: topic, payload: payload, qos: 1, target: nil, queuedAt: monotonic))
    }

    /// Sends what is queued, says goodbye, and waits for the end.
    func stop(grace: Duration) {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        session.withLock { $0 }?.stop(grace: grace)
        thread.withLock { $0 }?.join()
    }

    private func run(_ session: any BrokerSession) {
        while !isStopping.load(ordering: .acquiring) {
            guard case .failed(let failure) = session.run(observer: self) else { break }
            let isLost = tally.withLock { tally -> Bool in
                tally.isOpen = false
                tally.failure = failure
                // A broker that was never reached is a wrong address rather than a passing trouble.
                return tally.wasOpen && failure.reaction != .fatal && failure.reaction != .misconfigured
            }
            guard isLost else { break }
            doorbell.wait(patience: Self.pause)
        }
        tally.withLock { tally in
            tally.isOpen = false
            tally.hasEnded = true
        }
    }

    // MARK: SessionObserver

    func began(_ step: SessionStep) {}

    func opened() {
        tally.withLock { tally in
            tally.isOpen = true
            tally.wasOpen = true
            tally.failure = nil
        }
    }

    func warned(_ failure: BrokerFailure) {}

    // MARK: PublishOutcomes

    func confirmed(_ message: OutboundMessage) {
        tally.withLock { $0.confirmed += 1 }
    }

    func answered(_ message: OutboundMessage, with answer: BrokerAnswer) { confirmed(message) }

    func refused(_ message: OutboundMessage, _ refusal: PublishRefusal) {
        tally.withLock { tally in
            tally.refused += 1
            tally.lastRefusal = "\(refusal.reason): \(refusal.detail)"
        }
    }
}
