// The shared adapter suite: what every adapter must do against its real broker, as a list of scenarios that take a
// harness.
import TwinspanConnections

/// One scenario of the shared suite.
public struct AdapterScenario: Sendable, CustomStringConvertible {
    /// What the scenario shows, a clause.
    public let description: String
    private let body: @Sendable (any AdapterHarness) throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (any AdapterHarness) throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Runs the scenario. Throws `ScenarioFailure` where something is not as it must be.
    public func run(_ harness: any AdapterHarness) throws { try body(harness) }

    /// Every scenario.
    public static let all: [AdapterScenario] = lifecycle + inbound + outbound

    /// Those for adapters that only send.
    public static let sending: [AdapterScenario] = outbound
}

extension AdapterHarness {
    /// A consumer of the harness's broker.
    func consumer(id: String, reading address: String, inlet: any Inlet) throws -> any BrokerSession {
        adapter.consumer(for: try connection(id: id, reading: address, host: nil, port: nil), inlet: inlet)
    }

    /// A publisher to the harness's broker.
    func publisher(id: String, queue: OutboundQueue, outcomes: any PublishOutcomes) throws -> any BrokerSession {
        adapter.publisher(
            for: try connection(id: id, reading: nil, host: nil, port: nil), queue: queue, outcomes: outcomes)
    }
}

extension OutboundQueue {
    /// Offers a message with the given text; fails if the queue is full.
    func offer(_ payload: String, to address: String, qos: UInt8 = 1) throws {
        let message = OutboundMessage(
            address: address, payload: Array(payload.utf8), qos: qos, target: 0, queuedAt: 0)
        try require(offer(message), "the queue is full")
    }
}

/// `m0`, `m1` … in order.
func numbered(_ range: Range<Int>) -> [String] { range.map { "m\($0)" } }
