import Glibc
import Synchronization
import Testing
import TwinspanEngine
import TwinspanProtocol

@testable import TwinspanHTTP

/// A store whose commits wait, or fail, until the test lets them pass.
final class HeldStore: TwinStore {
    enum Mode: Sendable { case open, held, failing }

    let store: any TwinStore
    private let mode = Mutex(Mode.open)

    init(_ store: any TwinStore) { self.store = store }

    private var present: Mode { mode.withLock { $0 } }

    func set(_ mode: Mode) { self.mode.withLock { $0 = mode } }

    func commit(_ batch: CommitBatch) throws(StoreFailure) {
        while present == .held { sched_yield() }
        guard present == .open else {
            throw StoreFailure(kind: .full, description: "the disk is full", hint: "Free some space.")
        }
        try store.commit(batch)
    }

    func write(_ rows: RowBatch) throws(StoreFailure) { try store.write(rows) }

    func probe() throws(StoreFailure) {
        guard present == .open else {
            throw StoreFailure(kind: .full, description: "the disk is full", hint: "Free some space.")
        }
        try store.probe()
    }

    func open(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition {
        try store.open(discardingAfter: committed)
    }
    func close() { store.close() }
    func trimJournal(_ retention: JournalRetention, now: Timestamp, limit: Int) throws(StoreFailure) -> Int {
        try store.trimJournal(retention, now: now, limit: limit)
    }
    func maintain() throws(StoreFailure) { try store.maintain() }
    func thing(_ id: ThingID) throws(StoreFailure) -> ThingState? { try store.thing(id) }
    func policy(_ id: PolicyID) throws(StoreFailure) -> PolicyState? { try store.policy(id) }
    func policiesDue(
        before instant: Timestamp, after last: DuePolicy?, limit: Int
    ) throws(StoreFailure) -> [DuePolicy] {
        try store.policiesDue(before: instant, after: last, limit: limit)
    }
    func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] {
        try store.journal(after: sequence, limit: limit)
    }
    func measure() -> StoreMeasures { store.measure() }
    var records: any RecordStore { store.records }
}

/// Counts answers of several tasks.
private final class Answered: Sendable {
    private let number = Mutex(0)
    var count: Int { number.withLock { $0 } }
    func add() { number.withLock { $0 += 1 } }
}

@Suite("Waiting for commits")
struct CommitWaitsTests {
    /// A door whose store the test holds.
    private func withHeldDoor(_ way: Way, _ body: (Door, HeldStore) async throws -> Void) async throws {
        let held = Mutex<HeldStore?>(nil)
        try await withDoor(
            way,
            wrap: { store in
                let wrapped = HeldStore(store)
                held.withLock { $0 = wrapped }
                return wrapped
            }
        ) { door in
            let store = try #require(held.withLock { $0 })
            // The engine is stopped after the test, and that commits.
            defer { store.set(.open) }
            try await body(door, store)
        }
    }

    @Test("no answer leaves before the commit it depends on, a read of the new value included", arguments: Way.allCases)
    func holdsBack(_ way: Way) async throws {
        try await withHeldDoor(way) { door, store in
            _ = try await door(Ask("PUT", "/api/2/things/a:b", body: "{}"))
            store.set(.held)
            let answered = Answered()
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    let status = try await door(Ask("PUT", "/api/2/things/a:b/attributes/x", body: "1")).status
                    answered.add()
                    return status
                }
                // The read can only be said to depend on the write once the engine has it.
                while door.engine.executeIfLoaded(try Self.read("/attributes/x"), as: Self.context)?.isSuccess != true {
                    await Task.yield()
                }
                group.addTask {
                    let status = try await door(Ask("GET", "/api/2/things/a:b/attributes/x")).status
                    answered.add()
                    return status
                }
                // A request with a time limit proves that the two before it had their chance.
                let late = try await door(Ask("GET", "/api/2/things/a:b/attributes/x?timeout=200ms"))
                #expect(late.status == 408)
                #expect(late.code == "command.timeout")
                #expect(answered.count == 0)
                #expect(door.engine.gate.committed == 2)
                store.set(.open)
                var statuses: [Int] = []
                for try await status in group { statuses.append(status) }
                #expect(statuses.sorted() == [200, 201])
            }
        }
    }

    @Test("what could not be committed is answered with 503, and /ready says why", arguments: Way.allCases)
    func rejects(_ way: Way) async throws {
        try await withHeldDoor(way) { door, store in
            _ = try await door(Ask("PUT", "/api/2/things/a:b", body: "{}"))
            store.set(.failing)
            let answer = try await door(Ask("PUT", "/api/2/things/a:b/attributes/x", body: "1"))
            #expect(answer.status == 503)
            #expect(answer.code == "things:thing.unavailable")
            let ready = try await door(Ask("GET", "/ready", user: nil))
            #expect(ready.status == 503)
            #expect(ready.text.contains("the disk is full. Free some space."))
            #expect(try await door(Ask("GET", "/api/2/things/a:b")).status == 503)
            store.set(.open)
            while door.engine.condition != .open { await Task.yield() }
            #expect(try await door(Ask("GET", "/ready", user: nil)).status == 200)
            #expect(try await door(Ask("GET", "/api/2/things/a:b/attributes/x")).status == 404)
            #expect(try await door(Ask("PUT", "/api/2/things/a:b/attributes/x", body: "1")).status == 201)
        }
    }

    @Test("a request that is cancelled, as on shutdown, stops waiting")
    func cancelled() async throws {
        try await withHeldDoor(.memory) { door, store in
            store.set(.held)
            let request = Task { try await door(Ask("PUT", "/api/2/things/a:b", body: "{}")).status }
            while door.engine.executeIfLoaded(try Self.read(""), as: Self.context)?.isSuccess != true {
                await Task.yield()
            }
            request.cancel()
            #expect(try await request.value == 408)
        }
    }

    private static let context = AuthorizationContext(["nginx:ditto"])

    private static func read(_ path: String) throws -> ThingCommand {
        let route = try ThingRoute(RequestTarget("/api/2/things/a:b" + path), from: 3)
        return ThingCommand(thingID: try ThingID("a:b"), action: .retrieve, resource: try route.resource())
    }
}

extension Outcome {
    fileprivate var isSuccess: Bool {
        if case .success = result { true } else { false }
    }
}
