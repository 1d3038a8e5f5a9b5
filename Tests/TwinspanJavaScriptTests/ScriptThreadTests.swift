import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanJavaScript

@Suite("threads of scripts")
struct ScriptThreadTests {
    @Test("threads may use a mapper in turn, whatever signals they block")
    func turns() throws {
        let rig = try ScriptRig(
            incoming: "var count = 0, kept = [];\n"
                + ScriptRig.sending("(kept = Array.from({ length: 20000 }, (x, i) => ({ i })), ++count)"))
        let results = Mutex<[String]>([])
        for _ in 0..<4 {
            let turn = Turn {
                // Collections of garbage stop this thread and those before it.
                for _ in 0..<5 {
                    // A failure is missed below.
                    let text = (try? rig.value(of: ""))??.text
                    results.withLock { $0.append(text ?? "nothing") }
                }
            }
            turn.run()
        }
        #expect(results.withLock { $0 } == (1...20).map { "\($0)" })
    }

    @Test("a thread that has hardly run yet may use a script")
    func newThread() throws {
        let rig = try ScriptRig(incoming: ScriptRig.sending("t"))
        _ = try rig.value(of: "first")
        let results = Mutex<[String]>([])
        for number in 0..<3 {
            let turn = Turn {
                // A failure is missed below.
                let text = (try? rig.value(of: "\(number)"))??.string
                results.withLock { $0.append(text ?? "nothing") }
            }
            turn.run()
        }
        #expect(results.withLock { $0 } == ["0", "1", "2"])
    }

    @Test("mappers on threads of their own do not meet")
    func parallel() throws {
        let failures = Atomic<Int>(0)
        let turns = try (0..<4).map { number in
            let rig = try ScriptRig(incoming: ScriptRig.sending("t + \(number)"))
            return Turn {
                for index in 0..<2_000 {
                    // A failure is counted.
                    let text = (try? rig.value(of: "\(index)-"))??.string
                    if text != "\(index)-\(number)" { failures.add(1, ordering: .relaxed) }
                }
            }
        }
        for turn in turns { turn.start() }
        for turn in turns { turn.join() }
        #expect(failures.load(ordering: .relaxed) == 0)
    }
}

/// A thread that blocks all signals but those of faults, as the threads of the concurrency runtime do.
///
/// Unchecked: `thread` is used by the test's thread only.
private final class Turn: @unchecked Sendable {
    private var thread: pthread_t?
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func run() {
        start()
        join()
    }

    func start() {
        var thread: pthread_t = 0
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                withUnsafeTemporaryAllocation(of: sigset_t.self, capacity: 1) { signals in
                    guard let all = signals.baseAddress else { return }
                    sigfillset(all)
                    for fault in [SIGILL, SIGTRAP, SIGFPE, SIGBUS, SIGSEGV] { sigdelset(all, fault) }
                    pthread_sigmask(SIG_BLOCK, all, nil)
                }
                Unmanaged<Turn>.fromOpaque(context).takeUnretainedValue().body()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        if code == 0 { self.thread = thread }
    }

    func join() {
        if let thread { pthread_join(thread, nil) }
        thread = nil
    }
}
