// All connections of the process. A new configuration is compared with what runs: only connections that changed are
// stopped and started, everything else goes on undisturbed.
import Logging
import Synchronization
public import TwinspanConnections
import TwinspanEngine
public import TwinspanProtocol

/// The running connections.
public final class ConnectionFleet: ConnectionDirectory {
    private let environment: SupervisorEnvironment
    private let running = Mutex<[ConnectionID: ConnectionSupervisor]>([:])
    /// Applied one after the other; a reload may come while another is under way.
    private let applying = Mutex<Void>(())

    public init(environment: SupervisorEnvironment) {
        self.environment = environment
    }

    /// Connections that will be started in a moment: until then they count as connecting, so that nobody takes the
    /// service for ready before it has begun.
    private let announced = Mutex<[Connection]>([])

    /// Announces the connections that the first `apply` will start.
    public func announce(_ connections: [Connection]) {
        announced.withLock { $0 = connections }
        environment.readers.expect(connections)
    }

    /// What a new configuration changed.
    public struct Changes: Sendable, Equatable {
        public var started: [ConnectionID] = []
        public var stopped: [ConnectionID] = []
    }

    /// Makes the given connections the running ones. Blocks until those that go have ended, at most `grace` each.
    @discardableResult
    public func apply(_ connections: [Connection], grace: Duration) -> Changes {
        applying.withLock { _ in
            environment.readers.expect(connections)
            return environment.readers.whileChanging { change(to: connections, grace: grace) }
        }
    }

    private func change(to connections: [Connection], grace: Duration) -> Changes {
        var changes = Changes()
        let wanted = Dictionary(connections.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let leaving = running.withLock { running in
            running.values.filter { supervisor in
                let next = wanted[supervisor.connection.id]
                return next == nil || next?.origin?.fingerprint != supervisor.connection.origin?.fingerprint
            }
        }
        end(leaving, grace: grace)
        for supervisor in leaving {
            _ = running.withLock { $0.removeValue(forKey: supervisor.connection.id) }
            changes.stopped.append(supervisor.connection.id)
        }
        for connection in connections where running.withLock({ $0[connection.id] == nil }) {
            let supervisor = ConnectionSupervisor(connection, environment: environment)
            running.withLock { $0[connection.id] = supervisor }
            changes.started.append(connection.id)
        }
        announced.withLock { $0 = [] }
        return changes
    }

    /// Ends everything in the order that loses nothing: intake first, then what is committed goes out.
    public func stop(grace: Duration) {
        applying.withLock { _ in
            let all = running.withLock { Array($0.values) }
            end(all, grace: grace)
        }
    }

    private func end(_ supervisors: [ConnectionSupervisor], grace: Duration) {
        for supervisor in supervisors { supervisor.stopConsumer(grace: grace) }
        for supervisor in supervisors { supervisor.joinConsumer() }
        for supervisor in supervisors { supervisor.stopPublisher(grace: grace) }
        for supervisor in supervisors { supervisor.joinPublisher() }
    }

    public func snapshots() -> [ConnectionSnapshot] {
        let all = running.withLock { $0 }
        let coming = announced.withLock { $0 }.filter { all[$0.id] == nil }.map { connection in
            ConnectionSnapshot(
                id: connection.id, type: connection.type, uri: connection.uri.display,
                state: connection.isOpen ? .connecting : .closed, stateAgeSeconds: 0, failure: nil,
                nextAttemptSeconds: nil, isRequired: connection.isRequired && connection.isOpen,
                sourceCount: connection.sources.count, targetCount: connection.targets.count, counters: [],
                inFlight: 0, queueDepth: 0, queueBytes: 0, queueAgeSeconds: 0)
        }
        return (all.values.map(\.snapshot) + coming).sorted { $0.id < $1.id }
    }
}
