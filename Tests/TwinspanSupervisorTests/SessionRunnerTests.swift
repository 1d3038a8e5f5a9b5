import Glibc
import Logging
import Testing
import TwinspanConnections
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("SessionRunner")
struct SessionRunnerTests {
    /// A session that ends at once with what the test wants.
    private final class ScriptedSession: BrokerSession {
        let ends: Watched<[SessionEnd]>
        let runs = Watched(0)

        init(_ ends: [SessionEnd]) { self.ends = Watched(ends) }

        func run(observer: any SessionObserver) -> SessionEnd {
            runs.update { $0 += 1 }
            observer.opened()
            return ends.update { $0.isEmpty ? .stopped : $0.removeFirst() }
        }

        func stop(grace: Duration) {}
    }

    @Test("while something is in the way the status says what, and the session begins when it is gone")
    func obstacle() throws {
        let full = BrokerFailure(
            step: .serve, reaction: .awaitIntake, reason: "inbox-full", message: "Full.", hint: "Wait.")
        let obstacle = Watched<Obstacle?>(.told(full))
        let session = ScriptedSession([])
        let runner = SessionRunner(
            session: session, role: "consumer", isFailoverEnabled: true, clock: ManualClock(),
            counters: ConnectionCounters(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            obstacle: { obstacle.current })
        runner.start(name: "test")
        for _ in 0..<1_000 where runner.snapshot.failure == nil { usleep(2_000) }
        #expect(runner.snapshot.failure == full)
        #expect(runner.snapshot.state == .failed)
        #expect(session.runs.current == 0)
        obstacle.update { $0 = nil }
        #expect(session.runs.wait(10) { $0 == 1 })
        runner.stop(grace: .zero)
        runner.join()
        #expect(runner.snapshot.state == .closed)
    }

    /// A session that tells about its places and goes on until the test lets it.
    private final class PlacesSession: BrokerSession {
        let script: @Sendable (any SessionObserver) -> Void
        let mayEnd = Watched(false)

        init(_ script: @escaping @Sendable (any SessionObserver) -> Void) { self.script = script }

        func run(observer: any SessionObserver) -> SessionEnd {
            observer.opened()
            script(observer)
            _ = mayEnd.wait(20) { $0 }
            return .stopped
        }

        func stop(grace: Duration) { mayEnd.update { $0 = true } }
    }

    @Test("what ails a place is known until it stands again or the session ends, and told once per reason")
    func places() throws {
        let failure = BrokerFailure(step: .serve, reaction: .misconfigured, reason: "missing", message: "Missing.")
        var worded = failure
        worded.message = "Missing again."
        let (again, place, other) = (worded, SessionPlace.source(0, address: "q"), SessionPlace.target(1))
        let told = Watched<[String]>([])
        let session = PlacesSession { observer in
            observer.changed(other, failure)
            observer.changed(other, nil)
            observer.changed(place, failure)
            observer.changed(place, again)
            observer.warned(failure)
        }
        let runner = SessionRunner(
            session: session, role: "consumer", isFailoverEnabled: true, clock: ManualClock(),
            counters: ConnectionCounters(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), obstacle: { nil },
            onPlace: { place, failure in told.update { $0.append("\(place) \(failure?.reason ?? "stands")") } })
        runner.start(name: "test")
        for _ in 0..<1_000 where runner.snapshot.warning == nil { usleep(2_000) }
        let status = runner.snapshot
        #expect(status.state == .open)
        #expect(status.places.mapValues(\.failure) == [place: again])
        #expect(status.warning?.failure == failure)
        #expect(told.current == ["\(other) missing", "\(other) stands", "\(place) missing"])
        runner.stop(grace: .zero)
        runner.join()
        #expect(runner.snapshot.places.isEmpty)
        #expect(runner.snapshot.warning == nil)
    }
}
