// All connections of the process: those of the files, and those that were made over HTTP and live in the store. A new
// set of files is compared with what runs: only connections that changed are stopped and started, everything else goes
// on undisturbed. What can be done with a single connection stands in the extensions beside this file.
import Glibc
import Logging
import Synchronization
public import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
public import TwinspanProtocol

/// The running connections.
public final class ConnectionFleet: ConnectionRegistry {
    let environment: SupervisorEnvironment
    let state = Mutex(State())
    /// Applied one after the other; a reload may come while another is under way.
    private let applying = Mutex<Void>(())

    /// One connection of the fleet.
    struct Member {
        /// As it is wanted at present.
        var connection: Connection
        var definition: ConnectionDefinition
        var supervisor: ConnectionSupervisor
        /// When it was closed by a command or started closed; nil for one that never was open.
        var closedAt: Timestamp?
        /// What somebody should know of it beside its state.
        var notes: [String] = []

        var isFromFile: Bool { definition.file != nil }
    }

    /// A connection that was made over HTTP, as the store has it.
    struct Stored {
        var connection: Connection
        var definition: ConnectionDefinition
        /// Why it cannot run as it is stored.
        var problem: BrokerFailure?
    }

    struct State {
        var members: [ConnectionID: Member] = [:]
        /// Everything made over HTTP, also what a file keeps from running.
        var stored: [ConnectionID: Stored] = [:]
        /// Connections that a command or a reload is changing.
        var busy: Set<ConnectionID> = []
        /// Commands on these that wait for a broker shall end: a reload needs the connection.
        var interrupted: Set<ConnectionID> = []
        /// Connections that will be started in a moment: until then they count as connecting, so that nobody takes the
        /// service for ready before it has begun.
        var announced: [Connection] = []
        /// Whether it was said that secrets are stored as they are.
        var hasWarnedOfPlainSecrets = false
        /// Changes of connections from files since the start of the process.
        var fileRevisions: [ConnectionID: (revision: Int64, created: Timestamp)] = [:]
        var hasBegun = false
        var isStopped = false
    }

    public init(environment: SupervisorEnvironment) {
        self.environment = environment
    }

    /// Announces the connections that the first `apply` will start.
    public func announce(_ connections: [Connection]) {
        state.withLock { state in
            let named = Set(connections.map(\.id))
            let others = state.stored.values.map(\.connection).filter { !named.contains($0.id) }
            state.announced = connections + others
        }
        environment.readers.expect(state.withLock { $0.announced })
    }

    /// What a new configuration changed.
    public struct Changes: Sendable, Equatable {
        public var started: [ConnectionID] = []
        public var stopped: [ConnectionID] = []
    }

    /// Makes the given connections, those of the files, the running ones beside those made over HTTP. Blocks until
    /// those that go have ended, at most `grace` each.
    @discardableResult
    public func apply(_ connections: [Connection], grace: Duration) -> Changes {
        applying.withLock { _ in
            var changes = Changes()
            let wanted = Dictionary(connections.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            let claimed = claimForApplying(wanted)
            defer { for id in claimed { release(id) } }
            environment.readers.expect(connections)
            defer { environment.readers.forgetExpected() }
            let leaving = state.withLock { state in
                state.members.values.filter { Self.leaves($0, wanted: wanted[$0.connection.id]) }
            }
            end(leaving.map(\.supervisor), grace: grace)
            for member in leaving {
                member.supervisor.recorder.endTaps()
                state.withLock { _ = $0.members.removeValue(forKey: member.connection.id) }
                changes.stopped.append(member.connection.id)
            }
            for connection in connections where startFromFile(connection) { changes.started.append(connection.id) }
            let others = state.withLock { state in
                state.hasBegun = true
                return state.stored.values.filter { state.members[$0.connection.id] == nil }
                    .sorted { $0.connection.id < $1.connection.id }
            }
            for stored in others where install(stored.connection, stored.definition, problem: stored.problem) {
                changes.started.append(stored.connection.id)
            }
            reportConflicts(wanted)
            state.withLock { $0.announced = [] }
            return changes
        }
    }

    /// Whether a member has to end for these files: its file is gone or says something else, or a file took its id.
    private static func leaves(_ member: Member, wanted: Connection?) -> Bool {
        guard member.isFromFile else { return wanted != nil }
        return wanted == nil || wanted?.origin?.fingerprint != member.connection.origin?.fingerprint
    }

    /// Waits until no command changes the members that will go, and keeps commands away from them.
    private func claimForApplying(_ wanted: [ConnectionID: Connection]) -> [ConnectionID] {
        let ids = state.withLock { state in
            state.members.values.filter { Self.leaves($0, wanted: wanted[$0.connection.id]) }.map(\.connection.id)
                + wanted.keys.filter { state.members[$0] == nil }
        }
        state.withLock { $0.interrupted.formUnion(ids) }
        for id in ids {
            while !state.withLock({ $0.busy.insert(id).inserted }) { usleep(5_000) }
            environment.readers.hold(id)
        }
        state.withLock { $0.interrupted.subtract(ids) }
        return ids
    }

    private func startFromFile(_ connection: Connection) -> Bool {
        guard state.withLock({ $0.members[connection.id] == nil }) else { return false }
        let now = environment.clock.now
        let place = connection.origin.map { "\($0.file):\($0.line)" } ?? "a file"
        let (revision, created) = state.withLock { state in
            let before = state.fileRevisions[connection.id]
            let next = (revision: (before?.revision ?? 0) + 1, created: before?.created ?? now)
            state.fileRevisions[connection.id] = next
            return next
        }
        let definition = ConnectionDefinition(
            id: connection.id, json: environment.reading.write(connection), revision: revision, created: created,
            modified: now, file: place)
        return install(connection, definition)
    }

    /// Starts a connection and makes it a member; does nothing once the fleet is stopped.
    @discardableResult
    func install(
        _ connection: Connection, _ definition: ConnectionDefinition, keeping recorder: ConnectionRecorder? = nil,
        problem: BrokerFailure? = nil, closedAt: Timestamp? = nil
    ) -> Bool {
        guard !state.withLock({ $0.isStopped }) else { return false }
        let supervisor = ConnectionSupervisor(
            connection, environment: environment, keeping: recorder, problem: problem)
        let isStopped = state.withLock { state -> Bool in
            state.members[connection.id] = Member(
                connection: connection, definition: definition, supervisor: supervisor, closedAt: closedAt)
            return state.isStopped
        }
        // The end of the process has come meanwhile, and has not seen it.
        if isStopped { end([supervisor], grace: .zero) }
        return true
    }

    /// An id that stands in a file and was made over HTTP too: the file counts, and everybody is told.
    private func reportConflicts(_ wanted: [ConnectionID: Connection]) {
        let conflicts = state.withLock { state in
            state.stored.keys.filter { wanted[$0] != nil }.compactMap { id -> (ConnectionID, String)? in
                let file = state.members[id]?.definition.file ?? "a file"
                let note =
                    "The connection '\(id)' is defined in \(file) and was made over HTTP too; the file counts. "
                    + "Rename one of them, or delete the one made over HTTP: take it out of the file first."
                state.members[id]?.notes = [note]
                return (id, file)
            }
        }
        for (id, file) in conflicts.sorted(by: { $0.0 < $1.0 }) {
            environment.logger.error(
                "a connection is defined in a file and was made over HTTP too; the file counts",
                metadata: ["connection": "\(id)", "file": "\(file)"])
        }
    }

    /// Ends everything in the order that loses nothing: intake first, then what is committed goes out.
    public func stop(grace: Duration) {
        applying.withLock { _ in
            let all = state.withLock { state in
                state.isStopped = true
                state.interrupted.formUnion(state.members.keys)
                return state.members.values.map(\.supervisor)
            }
            end(all, grace: grace)
            for supervisor in all { supervisor.recorder.endTaps() }
        }
    }

    func end(_ supervisors: [ConnectionSupervisor], grace: Duration) {
        for supervisor in supervisors { supervisor.stopConsumer(grace: grace) }
        for supervisor in supervisors { supervisor.joinConsumer() }
        for supervisor in supervisors { supervisor.stopPublisher(grace: grace) }
        for supervisor in supervisors { supervisor.joinPublisher() }
    }

    public func snapshots() -> [ConnectionSnapshot] {
        let (members, announced) = state.withLock { (Array($0.members.values), $0.announced) }
        let ids = Set(members.map(\.connection.id))
        let coming = announced.filter { !ids.contains($0.id) }.map { connection in
            ConnectionSnapshot(
                id: connection.id, type: connection.type, uri: connection.uri.display,
                state: connection.isOpen ? .connecting : .closed, stateAgeSeconds: 0, failure: nil,
                nextAttemptSeconds: nil, isRequired: connection.isRequired && connection.isOpen,
                sourceCount: connection.sources.count, targetCount: connection.targets.count, counters: [],
                inFlight: 0, queueDepth: 0, queueBytes: 0, queueAgeSeconds: 0)
        }
        let running = members.map { member in
            var snapshot = member.supervisor.snapshot
            snapshot.notes = member.notes
            return snapshot
        }
        return (running + coming).sorted { $0.id < $1.id }
    }
}
