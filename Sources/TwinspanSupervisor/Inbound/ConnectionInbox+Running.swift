// The inbox's thread: carries messages out again when they are due. It starts with the first message that is, and reads
// what an earlier process has left behind.
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

extension ConnectionInbox {
    /// Takes up what an earlier process, or an earlier run of the connection, has left in the store.
    func start() {
        let left = engine.inboxLoad[connectionID]
        guard let left, left.count > 0 else { return }
        let firstOwn = engine.makeRecordID()
        state.withLock { state in
            state.firstOwnID = firstOwn
            state.unloadedBytes = Int(clamping: left.bytes)
        }
        wake()
    }

    /// Ends the thread. What is not done stays in the store.
    func stop() {
        let thread = state.withLock { state in
            state.isStopped = true
            return state.thread
        }
        doorbell.ring()
        thread?.join()
    }

    /// Lets the thread look for its work; starts it with the first.
    func wake() {
        let isFirst = state.withLock { state in
            guard state.thread == nil, !state.isStopped, !state.isStarting else { return false }
            state.isStarting = true
            return true
        }
        guard isFirst else { return doorbell.ring() }
        let thread = WorkerThread(name: "inbox \(connectionID)") { [self] in run() }
        let isStopped = state.withLock { state in
            state.thread = thread
            return state.isStopped
        }
        // A stop in this moment has found no thread to wait for.
        if isStopped { thread.join() }
    }

    private func run() {
        var carrier: InboundCarrier?
        while !state.withLock({ $0.isStopped }) {
            guard engine.condition == .open, takeUp() else {
                doorbell.wait(patience: .milliseconds(200))
                continue
            }
            let (messages, records) = takeDue()
            for (id, records) in records { leave(id, records) }
            for message in messages {
                do throws(TwinspanError) {
                    if carrier == nil { carrier = try makeCarrier(self) }
                    if let carrier { carry(message, carrier) }
                } catch {
                    // The same mappers were made when the connection started, so this is not for long.
                    conclude(message.id, .interrupted)
                }
            }
            let first = state.withLock { $0.deadlines.first }
            let now = clock.monotonic
            let wait = first.map { $0 > now ? $0 - now : 0 } ?? 3_600_000_000_000
            doorbell.wait(patience: .nanoseconds(Int64(min(max(wait, 1_000_000), 3_600_000_000_000))))
        }
    }

    private func carry(_ message: InboxMessage, _ carrier: InboundCarrier) {
        guard message.message.source < carrier.stages.sources.count else {
            var verdict = MessageVerdict()
            let error = ConnectivityErrorTable.configurationInvalid.error(
                "The connection has no source \(message.message.source + 1) any more.")
            verdict.take(.dead(error), .redelivery, correlationID: nil)
            return conclude(message.id, verdict)
        }
        accounts.counters.add(.rerun)
        carrier.carry(message)
    }

    /// What is due: messages to be carried out, which count as waiting from now on, and records to be tried again.
    private func takeDue() -> (messages: [InboxMessage], records: [(Int64, [StoreRecord])]) {
        var messages: [InboxMessage] = []
        var records: [(Int64, [StoreRecord])] = []
        let now = clock.monotonic
        state.withLock { state in
            while let number = state.deadlines.takeDue(now) {
                let id = Int64(bitPattern: number)
                // What has left meanwhile, or was put off, is still in the heap.
                guard var entry = state.entries[id], entry.dueAt <= now else { continue }
                entry.dueAt = .max
                switch entry.phase {
                case .waiting: continue
                case .leaving(let last): records.append((id, last))
                case .due:
                    entry.phase = .waiting
                    entry.message.attempts += 1
                    messages.append(entry.message)
                }
                state.entries[id] = entry
            }
        }
        return (messages, records)
    }

    /// Reads what was left behind, once; false when the store cannot be read now.
    private func takeUp() -> Bool {
        guard state.withLock({ $0.unloadedBytes }) != nil else { return true }
        let left: [InboxMessage]
        do throws(StoreFailure) {
            left = try engine.inbox(of: connectionID)
        } catch {
            accounts.trouble.warn("inbox cannot be read", reason: "inbox-unread", ["error": "\(error)"])
            return false
        }
        let now = clock.now
        let monotonic = clock.monotonic
        state.withLock { state in
            state.unloadedBytes = nil
            for message in left where message.id < state.firstOwnID && state.entries[message.id] == nil {
                // What waited when the process ended has lost its answers: it runs again at once.
                let wait = max((message.nextAttemptAt ?? now).milliseconds - now.milliseconds, 0)
                var entry = Entry(message: message, since: message.message.receivedAt, phase: .due)
                state.bytes += message.message.byteCount
                state.makeDue(&entry, at: monotonic + UInt64(wait) * 1_000_000)
            }
        }
        return true
    }
}
