// A plain thread of our own. The data plane blocks in poll, in condition variables and in the disk, which must never
// happen on the cooperative pool.
import Glibc
import Synchronization

/// A named thread that runs one body.
public final class WorkerThread: Sendable {
    private let thread: pthread_t
    private let isJoined = Atomic<Bool>(false)

    /// Starts a thread. `name` is cut to 15 bytes, as Linux asks. `stackBytes` bounds its memory; the default has room
    /// for scripts, and costs only what is used of it.
    public init(name: String, stackBytes: Int = 2 << 20, _ body: @escaping @Sendable () -> Void) {
        thread = startThread(WorkerStart(name: name, body: body), stackBytes: stackBytes)
    }

    /// Waits for the body's end.
    public func join() {
        guard !isJoined.exchange(true, ordering: .acquiringAndReleasing) else { return }
        pthread_join(thread, nil)
    }

    deinit {
        if !isJoined.load(ordering: .acquiring) { pthread_detach(thread) }
    }
}

/// What a new thread needs to begin.
private final class WorkerStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func startThread(_ start: WorkerStart, stackBytes: Int) -> pthread_t {
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, stackBytes)
    let code = pthread_create(&thread, &attributes, runThread, Unmanaged.passRetained(start).toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(code == 0, "the system refuses another thread (code \(code))")
    return thread
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    // Consumes the retain that was made for this thread.
    let start = Unmanaged<WorkerStart>.fromOpaque(context).takeRetainedValue()
    nameCurrentThread(start.name)
    start.body()
    return nil
}

/// Names the calling thread for tools like `top -H`. Through /proc, because the GNU function is not imported.
private func nameCurrentThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY)
    guard file >= 0 else { return }
    _ = name.withCString { write(file, $0, min(strlen($0), 15)) }
    _ = close(file)
}
