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
}
