// SIGTERM and SIGINT ask for an orderly end, a second one ends at once; SIGHUP reloads the connections.
import Glibc
import Synchronization
import TwinspanEngine

/// What the handlers share with the thread that acts. Handlers may only touch this and call functions that are safe in
/// signal handlers.
private let terminations = Atomic<Int>(0)
private let pipeEnd = Atomic<Int32>(-1)

enum ProcessSignal: UInt8, Sendable {
    case terminate = 1
    case reload = 2
}

/// Delivers signals to a closure on a thread of its own.
enum ProcessSignals {
    /// Installs the handlers. `handle` is called for the first SIGTERM or SIGINT and for every SIGHUP.
    static func install(_ handle: @escaping @Sendable (ProcessSignal) -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnd.store(ends[1], ordering: .releasing)
        signal(SIGPIPE, SIG_IGN)
        let terminate: @convention(c) (Int32) -> Void = { _ in
            if terminations.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
            var byte = ProcessSignal.terminate.rawValue
            write(pipeEnd.load(ordering: .relaxed), &byte, 1)
        }
        let reload: @convention(c) (Int32) -> Void = { _ in
            var byte = ProcessSignal.reload.rawValue
            write(pipeEnd.load(ordering: .relaxed), &byte, 1)
        }
        signal(SIGTERM, terminate)
        signal(SIGINT, terminate)
        signal(SIGHUP, reload)
        // Whoever started this process may have blocked them, and that is inherited.
        var wanted = sigset_t()
        sigemptyset(&wanted)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&wanted, number) }
        pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
        let reader = ends[0]
        _ = WorkerThread(name: "signals") {
            var byte: UInt8 = 0
            while true {
                let count = read(reader, &byte, 1)
                if count < 0, errno == EINTR { continue }
                guard count == 1 else { return }
                if let signal = ProcessSignal(rawValue: byte) { handle(signal) }
            }
        }
    }
}
