// The way in for a consumer's batches: each message goes through the stages into the engine (spec/connectivity.md
// §3.1), and the batch is settled at the broker when everything it depends on is committed: changes, the records of
// messages that wait in the inbox, dead letters. Whatever happens to a message is counted once, with its reason.
//
// What becomes a dead letter: whatever ends a message for good, with its original bytes and in the commit of its batch,
// unless the sender was told what he had asked (the error of a query that is answered), or there is nothing in it to be
// done later (acknowledgements and answers of devices). 304 and 412 are successes of a precondition.
import Logging
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// The inlet of one connection's consumer. Confined to the session's thread, except `settlement`.
final class SourcePipeline: Inlet, @unchecked Sendable {
    // Mutable state is touched by `accept` and `settled` only, which the session calls on its own thread.
    private let engine: TwinEngine
    private let accounts: InboundAccounts
    private let inbox: ConnectionInbox
    private let carrier: InboundCarrier
    /// Of the batch whose commit is awaited.
    private var tally: BatchTally
    private var successes = SuccessBudget()
    /// Why that batch is refused, when it is.
    private var refusal = Refusal.store

    /// Why a batch goes back to the broker.
    private enum Refusal: String { case store, inboxFull = "inbox-full" }

    init(_ carrier: InboundCarrier) {
        self.carrier = carrier
        engine = carrier.engine
        accounts = carrier.accounts
        inbox = carrier.inbox
        tally = BatchTally(sources: carrier.stages.sources.count)
    }

    var batchLimits: (messages: Int, bytes: Int) { (400, 4 << 20) }

    func accept(_ batch: MessageBatch) -> Ticket {
        accounts.counters.add(.received, batch.count)
        accounts.counters.setInFlight(batch.count)
        tally.reset()
        refusal = .store
        if inbox.isFull {
            refusal = .inboxFull
            tally.isRefused = true
            return Self.refused
        }
        let isTapped = accounts.recorder.isTapped
        let firstLogged =
            accounts.recorder.logsSuccesses
            ? batch.count - successes.take(batch.count, at: carrier.clock.monotonic) : batch.count
        if batch.positions.isEmpty {
            batch.bytes.withUnsafeBytes { bytes in
                for index in batch.messages.indices where !tally.isRefused {
                    carrier.carry(
                        batch.messages[index], batch, bytes, isTold: isTapped || index >= firstLogged,
                        isTapped: isTapped, &tally)
                }
            }
        } else {
            carryToPositions(batch, firstLogged: firstLogged, isTapped: isTapped)
        }
        // While the store is closed nothing was judged: the whole batch goes back to the broker.
        if tally.isRefused {
            inbox.withdraw(tally.held)
            return Self.refused
        }
        tally.record(in: accounts.recorder)
        return Ticket(sequence: tally.sequence, epoch: tally.epoch ?? engine.gate.epoch)
    }

    /// Carries a batch of a log, in one transaction with the place it was read up to. The mappers have done their work
    /// before that begins, because nobody else's changes are committed until it ends.
    private func carryToPositions(_ batch: MessageBatch, firstLogged: Int, isTapped: Bool) {
        batch.bytes.withUnsafeBytes { bytes in
            let mapped = batch.messages.indices.map { index in
                carrier.map(
                    batch.messages[index], batch, bytes, isTold: isTapped || index >= firstLogged, isTapped: isTapped)
            }
            guard let group = engine.openGroup() else {
                tally.isRefused = true
                return
            }
            for turn in mapped where !tally.isRefused { carrier.carry(turn, &tally) }
            if tally.isRefused { return engine.abandon(group, because: Self.partOfBatch) }
            let connection = carrier.stages.connectionID
            let ticket = engine.close(
                group, keeping: batch.positions.map { .positionPut(StoredPosition($0, of: connection)) })
            if ticket == .refused { tally.isRefused = true } else { tally.note(ticket) }
        }
    }

    /// Why the engine refuses what it has taken of a batch that it could not take as a whole.
    private static let partOfBatch = StoreFailure(
        kind: .other, description: "a batch of a log could only be taken in part, so nothing of it was kept",
        hint: "see what was reported of the store before")

    func positions(of reader: String) throws(BrokerFailure) -> [LogPosition] {
        do throws(StoreFailure) {
            return try engine.positions(
                of: carrier.stages.connectionID, reader: reader, patience: Self.positionPatience
            ).map { LogPosition(reader: $0.reader, topic: $0.topic, partition: $0.partition, offset: $0.offset) }
        } catch {
            throw BrokerFailure(
                step: .subscribe, reaction: engine.condition == .open ? .backOff : .awaitIntake,
                reason: "store-unreadable",
                message: "The place to go on from could not be read: \(error.description).",
                hint: error.hint ?? "see why the store is not ready")
        }
    }

    /// How long a session waits for what was read before it.
    private static let positionPatience = Duration.seconds(5)

    private static let refused = Ticket(sequence: .max, epoch: -1)

    func settlement(of ticket: Ticket, patience: Duration) -> Settlement {
        switch engine.commit(CommitTicket(sequence: ticket.sequence, epoch: ticket.epoch), patience: patience) {
        case .committed: .committed
        case .pending: .pending
        case .rejected: .rejected
        }
    }

    func settled(_ batch: MessageBatch, as settlement: Settlement) {
        let counters = accounts.counters
        counters.setInFlight(0)
        switch settlement {
        case .committed:
            counters.add(tally.counts)
            counters.add(.effective, tally.effective)
            counters.add(.empty, tally.empty)
            counters.add(.dead, tally.dead)
            counters.add(.acknowledged, batch.count)
            recordAcknowledged(batch)
        case .rejected, .pending:
            counters.add(.retried, .inbound, reason: refusal.rawValue, batch.count)
        }
    }

    func dropped(_ count: Int, source: Int, reason: String) {
        let counters = accounts.counters
        counters.add(.received, count)
        counters.add(.unmapped, count)
        counters.add(.dropped, .inbound, reason: reason, count)
        counters.add(.empty, count)
        counters.add(.acknowledged, count)
        accounts.recorder.count(.source(source), .acknowledged, count)
    }

    private func recordAcknowledged(_ batch: MessageBatch) {
        let recorder = accounts.recorder
        var start = 0
        while start < batch.count {
            // Nearly always a batch is of one source.
            let source = batch.messages[start].source
            var end = start + 1
            while end < batch.count, batch.messages[end].source == source { end += 1 }
            recorder.count(.source(source), .acknowledged, end - start)
            start = end
        }
        for told in tally.told {
            recorder.note(
                StageNote(
                    .source(told.source), .acknowledged, "Message was acknowledged.",
                    correlationID: told.correlationID))
        }
    }
}

extension StoredPosition {
    fileprivate init(_ position: LogPosition, of connection: ConnectionID) {
        self.init(
            connection: connection, reader: position.reader, topic: position.topic, partition: position.partition,
            offset: position.offset)
    }
}
