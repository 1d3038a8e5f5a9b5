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
        batch.bytes.withUnsafeBytes { bytes in
            for index in batch.messages.indices where !tally.isRefused {
                carrier.carry(
                    batch.messages[index], batch, bytes, isTold: isTapped || index >= firstLogged, isTapped: isTapped,
                    &tally)
            }
        }
        // While the store is closed nothing was judged: the whole batch goes back to the broker.
        if tally.isRefused {
            inbox.withdraw(tally.held)
            return Self.refused
        }
        tally.record(in: accounts.recorder)
        return Ticket(sequence: tally.sequence, epoch: tally.epoch ?? engine.gate.epoch)
    }

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
