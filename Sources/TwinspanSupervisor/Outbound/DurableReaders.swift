// The durable targets of the process as readers of the journal: their names, where they begin, and whether anybody
// needs the headers of events in the journal.
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

extension Target {
    /// Under which name a durable target keeps its place in the journal: `<connection>/<name>`, and an id has no slash.
    /// Nil for a target that reads no journal.
    func readerName(of connection: ConnectionID) -> String? {
        guard delivery == .durable, let name, topics.contains(where: { $0.kind == .twinEvents }) else { return nil }
        return "\(connection)/\(name)"
    }
}

/// All durable targets. Safe from any thread.
final class DurableReaders: Sendable {
    private struct State {
        /// Those at work, and those that will be in a moment.
        var names: Set<String> = []
        var expected: Set<String> = []
        /// Connections that are being changed: one that is only restarted must not lose headers meanwhile.
        var held: Set<ConnectionID> = []

        var needsHeaders: Bool { !names.isEmpty || !expected.isEmpty || !held.isEmpty }
    }

    private let engine: TwinEngine
    private let state = Mutex(State())

    init(_ engine: TwinEngine) {
        self.engine = engine
    }

    /// Prepares for connections that will be started: from now on headers are kept, and a target that is new begins
    /// here, whatever is committed until it runs.
    func expect(_ connections: [Connection]) {
        let names = connections.filter(\.isOpen).flatMap { connection in
            connection.targets.compactMap { $0.readerName(of: connection.id) }
        }
        guard !names.isEmpty else { return }
        change { $0.expected.formUnion(names) }
        for name in names { _ = place(of: name) }
    }

    /// Everything that was expected is at work, or will not be.
    func forgetExpected() { change { $0.expected = [] } }

    /// Keeps headers on, if they are kept, until `letGo`.
    func hold(_ connection: ConnectionID) {
        change { if $0.needsHeaders { $0.held.insert(connection) } }
    }

    func letGo(_ connection: ConnectionID) { change { _ = $0.held.remove(connection) } }

    func claim(_ name: String) {
        engine.claimReader(name)
        change { _ = $0.names.insert(name) }
    }

    func release(_ name: String) {
        engine.releaseReader(name)
        change { _ = $0.names.remove(name) }
    }

    /// Where a reader goes on: its place, or the journal's present end, which is its place from now on. Nil when the
    /// store does not tell.
    func place(of name: String) -> Int64? {
        let end = engine.gate.committed
        do throws(StoreFailure) {
            // A place beyond the end comes from another store.
            if let place = try engine.cursors()[name] { return min(place, end) }
        } catch {
            return nil
        }
        let ticket = engine.keep([.cursorPut(name: name, sequence: end)])
        guard engine.commit(ticket, patience: .seconds(3)) == .committed else { return nil }
        return end
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            engine.keepsEventHeaders = state.needsHeaders
        }
    }
}
