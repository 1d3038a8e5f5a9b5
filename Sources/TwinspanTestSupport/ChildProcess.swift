// A process a test has started. It is ended by its id, and also when the test process dies without doing so: a small
// shell waits for the end of a pipe that only the test process holds.
import Glibc

/// A running child process. Ended at the latest with the last reference.
public final class ChildProcess: @unchecked Sendable {
    // Unchecked: used by one test at a time; `process` changes only in `end`.
    /// The child's process id; 0 once it has ended.
    public private(set) var process: Int32 = 0
    /// How the child ended: its exit code, or 128 and the number of the signal; nil while it runs.
    public private(set) var exitCode: Int32?
    private var watchdog: pid_t = 0
    private var watchdogPipe: Int32 = -1

    /// Starts a program; output goes to `logPath`.
    public init(_ arguments: [String], logPath: String) throws {
        process = try ChildProcess.spawn(arguments, input: nil, logPath: logPath)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // Without a watchdog the child still ends with this object.
        watchdog =
            (try? ChildProcess.spawn(
                ["/bin/sh", "-c", "read line; kill -9 \(process)"], input: ends[0], logPath: "/dev/null")) ?? 0
        close(ends[0])
        watchdogPipe = ends[1]
    }

    deinit { end(with: SIGKILL) }

    /// Whether the process is still there.
    public var isRunning: Bool {
        guard process > 0 else { return false }
        var status: Int32 = 0
        guard waitpid(process, &status, WNOHANG) == process else { return true }
        ended(with: status)
        return false
    }

    /// Sends a signal and waits for the end, at most five seconds before it insists.
    public func end(with signal: Int32) {
        // The watchdog goes first, so that it can never hit a later process with the same id.
        if watchdog > 0 {
            kill(watchdog, SIGKILL)
            waitpid(watchdog, nil, 0)
            close(watchdogPipe)
            watchdog = 0
        }
        guard process > 0 else { return }
        kill(process, signal)
        for _ in 0..<500 where isRunning { usleep(10_000) }
        guard process > 0 else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        ended(with: status)
    }

    private func ended(with status: Int32) {
        let signal = status & 0x7F
        exitCode = signal == 0 ? status >> 8 & 0xFF : 128 + signal
        process = 0
    }

    private static func spawn(_ arguments: [String], input: Int32?, logPath: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input { posix_spawn_file_actions_adddup2(&actions, input, 0) }
        posix_spawn_file_actions_addopen(&actions, 1, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Threads of a pool block most signals, and a child inherits that: it would never hear SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let texts = arguments.map { strdup($0) } + [nil]
        defer { for text in texts { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, arguments[0], &actions, &attributes, texts, environ)
        guard code == 0 else { throw ScenarioFailure("cannot start \(arguments[0]): error \(code)") }
        return process
    }
}
