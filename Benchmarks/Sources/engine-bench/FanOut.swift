import TwinspanEngine
import TwinspanProtocol

/// Events on their way to many subscribers that may all see everything of them.
final class FanOut {
    /// Who makes the bytes of an event.
    enum Writer {
        /// The first subscriber that asks, once for all.
        case change
        /// Every subscriber for itself: what it would cost without the sharing.
        case subscriber
    }

    private let twin: Twin
    private let messages = Workload.modifyProperty.messages
    private let subscribers: Int
    private var next = 0

    init(_ twin: Twin, subscribers: Int) {
        self.twin = twin
        self.subscribers = subscribers
    }

    /// The cost of one event, from the engine's part of the commit to the bytes in the hands of all subscribers.
    func measure(_ writer: Writer, milliseconds: Int) throws -> Figure {
        let subscriptions = subscribe()
        defer { unsubscribe(subscriptions) }
        var cost = Cost()
        var operations = 0
        var changes: [TwinChange] = []
        changes.reserveCapacity(CommandRun.batch)
        let end = Cost.now + UInt64(milliseconds) * 1_000_000
        repeat {
            let ticket = try queueBatch(CommandRun.batch)
            let bytes = try cost.add {
                try twin.commit(ticket)
                var bytes = 0
                for subscription in subscriptions {
                    Twin.take(CommandRun.batch, from: subscription, into: &changes)
                    for change in changes { bytes += Self.bytes(of: change, by: writer).count }
                    changes.removeAll(keepingCapacity: true)
                }
                return bytes
            }
            precondition(bytes > 0, "nothing was written")
            operations += CommandRun.batch
        } while Cost.now < end
        return cost.perOperation(operations)
    }

    /// How often the bytes of one event were made: the number of different buffers that the subscribers hold; the
    /// greatest of a batch.
    func serialisations() throws -> Int {
        let subscriptions = subscribe()
        defer { unsubscribe(subscriptions) }
        try twin.commit(try queueBatch(CommandRun.batch))
        // All are held until they are compared: freed memory could be given out again.
        var held = [[[UInt8]]](repeating: [], count: CommandRun.batch)
        for subscription in subscriptions {
            var changes: [TwinChange] = []
            Twin.take(CommandRun.batch, from: subscription, into: &changes)
            for (index, change) in changes.enumerated() { held[index].append(CommandRun.eventBytes(change)) }
        }
        let counts = held.map { Set($0.map { $0.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }).count }
        return counts.max() ?? 0
    }

    private func queueBatch(_ count: Int) throws -> CommitTicket {
        var ticket: CommitTicket?
        for _ in 0..<count {
            let outcome = twin.engine.execute(try twin.decode(messages[next]), as: twin.context)
            if case .failure(let error) = outcome.result {
                throw BenchFailure(description: "\(error.code): \(error.message)")
            }
            ticket = outcome.ticket
            next = (next + 1) % messages.count
        }
        guard let ticket else { throw BenchFailure(description: "an empty batch") }
        return ticket
    }

    private static func bytes(of change: TwinChange, by writer: Writer) -> [UInt8] {
        guard case .thing(let event, _) = change.content else { return [] }
        switch writer {
        case .change: return change.envelopeBytes(of: event)
        case .subscriber: return event.envelope(headers: change.eventHeaders).bytes
        }
    }

    private func subscribe() -> [EventSubscription] { (0..<subscribers).map { _ in twin.subscribe() } }

    private func unsubscribe(_ subscriptions: [EventSubscription]) {
        for subscription in subscriptions { twin.engine.hub.remove(subscription) }
    }
}
