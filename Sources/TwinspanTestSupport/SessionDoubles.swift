// Stand-ins for what surrounds a broker session: the inlet behind it, the observer of its steps, the outcomes of what
// it publishes, and the thread that runs it.
import Foundation
public import TwinspanConnections

/// An inlet whose commits the test decides.
public final class TestInlet: Inlet {
    /// What becomes of batches.
    public enum Mode: Sendable { case commit, hold, reject }

    /// A message as it came out of a batch.
    public struct Received: Equatable, Sendable {
        public var address: String
        public var payload: String
        public var source: Int
        public var qos: UInt8
        public var isRetained: Bool
        public var headers: [String: String]
        public var isBinary: Bool
    }

    public struct State: Sendable {
        public var mode: Mode
        public var received: [Received] = []
        public var batchSizes: [Int] = []
        public var acknowledged = 0
        public var givenBack = 0
        /// Messages dropped before any batch.
        public var dropped = 0
        /// The newest committed place of each partition.
        public var positions: [LogPosition] = []
        /// Whether `settlement` is being waited for.
        public var isHolding = false
    }

    public let state: Watched<State>
    public let batchLimits: (messages: Int, bytes: Int)

    public init(_ mode: Mode = .commit, batchLimits: (messages: Int, bytes: Int) = (400, 1 << 20)) {
        state = Watched(State(mode: mode))
        self.batchLimits = batchLimits
    }

    public func accept(_ batch: MessageBatch) -> Ticket {
        let messages = batch.messages.map { message in
            Received(
                address: batch.address(of: message),
                payload: String(decoding: batch.bytes[message.payload], as: UTF8.self), source: message.source,
                qos: message.qos, isRetained: message.isRetained,
                headers: Dictionary(message.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
                isBinary: message.isBinary)
        }
        return state.update { state in
            state.received += messages
            state.batchSizes.append(messages.count)
            return Ticket(sequence: Int64(state.received.count), epoch: 0)
        }
    }

    public func settlement(of ticket: Ticket, patience: Duration) -> Settlement {
        state.update { $0.isHolding = true }
        let seconds = Double(patience.components.seconds) + Double(patience.components.attoseconds) / 1e18
        _ = state.wait(seconds) { $0.mode != .hold }
        return state.update { state in
            switch state.mode {
            case .commit: return .committed
            case .hold: return .pending
            case .reject: return .rejected
            }
        }
    }

    public func settled(_ batch: MessageBatch, as settlement: Settlement) {
        state.update { state in
            state.isHolding = false
            if settlement == .committed {
                state.acknowledged += batch.count
                state.positions = batch.positions.reduce(into: state.positions) { known, place in
                    known.removeAll {
                        ($0.reader, $0.topic, $0.partition) == (place.reader, place.topic, place.partition)
                    }
                    known.append(place)
                }
            } else {
                state.givenBack += batch.count
            }
        }
    }

    public func dropped(_ count: Int, source: Int, reason: String) { state.update { $0.dropped += count } }

    public func positions(of reader: String) throws(BrokerFailure) -> [LogPosition] {
        state.current.positions.filter { $0.reader == reader }
    }

    /// The payloads received so far, in order.
    public var payloads: [String] { state.current.received.map(\.payload) }

    /// Waits until so many messages have been received.
    public func awaitCount(_ count: Int, within seconds: Double = 10) throws {
        try require(
            state.wait(seconds) { $0.received.count >= count }, "received \(payloads.count) of \(count) messages")
    }
}

/// Records what a session reports.
public final class TestObserver: SessionObserver {
    public struct State: Sendable {
        public var steps: [SessionStep] = []
        public var openings = 0
        public var warnings: [BrokerFailure] = []
        /// The present failure of each place that does not stand.
        public var places: [SessionPlace: BrokerFailure] = [:]
    }

    public let state = Watched(State())

    public init() {}
    public func began(_ step: SessionStep) { state.update { $0.steps.append(step) } }
    public func opened() { state.update { $0.openings += 1 } }
    public func warned(_ failure: BrokerFailure) { state.update { $0.warnings.append(failure) } }
    public func changed(_ place: SessionPlace, _ failure: BrokerFailure?) {
        state.update { $0.places[place] = failure }
    }
}

/// Records what became of published messages.
public final class TestOutcomes: PublishOutcomes {
    public struct State: Sendable {
        public var confirmed: [String] = []
        public var answers: [BrokerAnswer] = []
        public var refused: [(address: String, refusal: PublishRefusal)] = []
    }

    public let state = Watched(State())

    public init() {}
    public func confirmed(_ message: OutboundMessage) {
        state.update { $0.confirmed.append(String(decoding: message.payload, as: UTF8.self)) }
    }
    public func answered(_ message: OutboundMessage, with answer: BrokerAnswer) {
        state.update { state in
            state.answers.append(answer)
            if answer.isSuccess { state.confirmed.append(String(decoding: message.payload, as: UTF8.self)) }
        }
    }
    public func refused(_ message: OutboundMessage, _ refusal: PublishRefusal) {
        state.update { $0.refused.append((message.address, refusal)) }
    }
}

/// Runs a session on a thread of its own, as the supervisor does.
public final class SessionThread: Sendable {
    public let observer = TestObserver()
    private let session: any BrokerSession
    private let ending = Watched<SessionEnd?>(nil)

    /// Starts the session.
    public init(_ session: any BrokerSession) {
        self.session = session
        Thread.detachNewThread { [ending, observer] in
            let end = session.run(observer: observer)
            ending.update { $0 = end }
        }
    }

    /// Waits until the session is open.
    public func awaitOpen(within seconds: Double = 10) throws {
        let isOpen = observer.state.wait(seconds) { $0.openings > 0 }
        try require(isOpen, "the session did not open: \(String(describing: ending.current))")
    }

    /// Waits until the session has begun a step.
    public func awaitStep(_ step: SessionStep, within seconds: Double = 10) throws {
        try require(observer.state.wait(seconds) { $0.steps.contains(step) }, "the session did not reach \(step)")
    }

    /// Waits for the session's end.
    public func end(within seconds: Double = 10) throws -> SessionEnd {
        guard ending.wait(seconds, until: { $0 != nil }), let end = ending.current else {
            throw ScenarioFailure("the session did not end within \(seconds) s")
        }
        return end
    }

    /// The failure the session ends with.
    public func failure(within seconds: Double = 10) throws -> BrokerFailure {
        let end = try end(within: seconds)
        guard case .failed(let failure) = end else { throw ScenarioFailure("the session ended with \(end)") }
        return failure
    }

    /// Asks the session to stop and waits for its end, which must come within the grace and a moment: less than
    /// any time limit of the network, but long enough for a busy machine.
    @discardableResult
    public func stop(grace: Duration = .seconds(2)) throws -> SessionEnd {
        session.stop(grace: grace)
        let seconds = Double(grace.components.seconds) + Double(grace.components.attoseconds) / 1e18
        return try end(within: seconds + 2)
    }
}
