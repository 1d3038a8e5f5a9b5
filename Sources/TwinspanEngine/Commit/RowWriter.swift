// Writes rows behind the journal, on a thread of its own and into a file of their own, so that no commit waits for a
// row. What it has not written yet is rebuilt from the journal after a crash.
import Synchronization
import TwinspanProtocol

/// The thread that keeps the rows at most two seconds behind the journal.
final class RowWriter: Sendable {
    /// Rows gather this long, so that several changes of an entity become one row.
    static let gathering = Duration.milliseconds(1800)
    /// With this many waiting rows the writer does not wait longer.
    static let rowsWaiting = 10_000

    private let store: any TwinStore
    private let backlog: RowBacklog
    private let metrics: EngineMetrics
    private let doorbell = Doorbell()
    private let isStopping = Atomic<Bool>(false)
    private let thread = Mutex<WorkerThread?>(nil)
    /// Held while rows are written; whoever closes the store takes it first.
    private let access = Mutex<Bool>(true)
    private let failure = Mutex<StoreFailure?>(nil)

    init(store: any TwinStore, backlog: RowBacklog, metrics: EngineMetrics) {
        self.store = store
        self.backlog = backlog
        self.metrics = metrics
    }

    func start() {
        let worker = WorkerThread(name: "rows") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Rows have gathered.
    func ring() { doorbell.ring() }

    /// Why the last writing failed; the committer then closes the intake. Cleared by `resume`.
    var trouble: StoreFailure? { failure.withLock { $0 } }

    /// Runs a body while no rows are written.
    func withoutWriting<Result>(_ body: () throws(StoreFailure) -> Result) throws(StoreFailure) -> Result {
        try access.withLock { _ throws(StoreFailure) -> Result in try body() }
    }

    /// The store is open again.
    func resume() {
        failure.withLock { $0 = nil }
        doorbell.ring()
    }

    /// Writes everything that waits and ends the thread.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        while true {
            let isLast = isStopping.load(ordering: .acquiring)
            if backlog.count == 0 {
                if isLast { return }
                doorbell.wait(patience: .seconds(60))
                continue
            }
            if !isLast, backlog.count < Self.rowsWaiting { gather() }
            write()
            if trouble != nil {
                // What could not be written is in the journal; the next start rebuilds it.
                if isLast || isStopping.load(ordering: .acquiring) { return }
                doorbell.wait(patience: .seconds(1))
            }
        }
    }

    private func gather() {
        // A ring cuts the time short only when there is much to write or the end has come.
        for _ in 0..<6 {
            doorbell.wait(patience: Self.gathering / 6)
            if isStopping.load(ordering: .acquiring) || backlog.count >= Self.rowsWaiting { return }
        }
    }

    private func write() {
        guard trouble == nil, let rows = backlog.nextRows() else { return }
        do throws(StoreFailure) {
            try withoutWriting { () throws(StoreFailure) in try store.write(rows) }
            backlog.written()
            metrics.rowsWritten(rows.count, cursor: rows.cursor)
        } catch {
            failure.withLock { $0 = error }
        }
    }
}
