// The programs a demo starts: in a process group of their own, so that Ctrl-C reaches the demo alone and it ends them
// in order, with their output in a log file. Used by the main thread only.
import Glibc

/// A running child.
final class ChildProcess {
    let name: String
    let logPath: String
    /// 0 once it has ended.
    private(set) var process: pid_t
    /// The wait status of the end.
    private(set) var status: Int32 = 0

    /// Starts a program. Throws the text of what went wrong.
    ///
    /// Where `setpriv` is installed it asks the kernel to end the child when this process dies without having done so.
    init(_ name: String, _ arguments: [String], logPath: String) throws(ChildFailure) {
        self.name = name
        self.logPath = logPath
        let guarded = access(Self.setpriv, X_OK) == 0 ? [Self.setpriv, "--pdeathsig", "TERM"] + arguments : arguments
        process = try Self.spawn(guarded, logPath: logPath)
    }

    private static let setpriv = "/usr/bin/setpriv"

    var isRunning: Bool {
        guard process > 0 else { return false }
        guard waitpid(process, &status, WNOHANG) == process else { return true }
        process = 0
        return false
    }

    /// Asks for the end and waits for it, insisting after `patience`.
    func end(patience: Duration) {
        guard isRunning else { return }
        kill(process, SIGTERM)
        let rounds = Int(patience / .milliseconds(10))
        for _ in 0..<rounds where isRunning { usleep(10_000) }
        guard isRunning else { return }
        kill(process, SIGKILL)
        waitpid(process, &status, 0)
        process = 0
    }

    /// Resident memory in bytes; nil when the system does not tell.
    var residentBytes: Int? {
        guard process > 0, let text = SmallFile.text(at: "/proc/\(process)/statm") else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * Int(getpagesize())
    }

    /// The last lines of the log.
    func logTail(lines: Int) -> String {
        let text = SmallFile.text(at: logPath) ?? ""
        return text.split(separator: "\n").suffix(lines).map { "    \($0)\n" }.joined()
    }

    private static func spawn(_ arguments: [String], logPath: String) throws(ChildFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, logPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        var process: pid_t = 0
        let program = arguments[0]
        let code = withStrings(arguments) { arguments in
            withStrings(environment) { environment in
                posix_spawn(&process, program, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else {
            throw ChildFailure(description: "cannot start \(program): \(SystemError.text(code))")
        }
        return process
    }

    /// Through /proc, because `environ` is not safe to read in Swift.
    private static var environment: [String] {
        (SmallFile.text(at: "/proc/self/environ") ?? "").split(separator: "\0").map { String($0) }
    }

    private static func withStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}

/// Why a program could not be started.
struct ChildFailure: Error, CustomStringConvertible {
    let description: String
}

/// Errors of the system in words.
enum SystemError {
    static func text(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}

/// Reads files whole.
enum SmallFile {
    static func bytes(at path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    static func text(at path: String) -> String? {
        bytes(at: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
