// The built binary, run as a user would run it.
import Foundation
import TwinspanJSON
import TwinspanTestSupport

/// A running `twinspan serve`. Used by one test at a time.
final class TwinspanProcess {
    /// The binary under test: TWINSPAN_BINARY, or the debug build of this package.
    static let binary: String =
        ProcessInfo.processInfo.environment["TWINSPAN_BINARY"] ?? packageRoot + "/.build/debug/twinspan"

    /// Why nothing can be tested; nil if it can.
    static let unavailableReason: String? =
        access(binary, X_OK) == 0
        ? BrokerProcess.unavailableReason
        : "\(binary) is missing (swift build, or set TWINSPAN_BINARY): end-to-end tests are skipped"

    /// Whether scripts can run. Without the library a connection with a script is refused; that is tested elsewhere.
    static let hasScriptEngine = ["x86_64", "aarch64"].contains { machine in
        access("/usr/lib/\(machine)-linux-gnu/libjavascriptcoregtk-4.1.so.0", R_OK) == 0
    }

    static let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    let httpPort: Int
    let data: String
    let logPath: String
    private let child: ChildProcess

    /// Starts it; `arguments` follow `serve`.
    init(
        data: String, httpPort: Int, arguments: [String], environment: [String: String], logPath: String
    ) throws {
        self.httpPort = httpPort
        self.data = data
        self.logPath = logPath
        // `env` becomes the binary, so the process id and the signals are its own. What is in the directory of this
        // package, such as policies, is not meant for the process.
        let directory = URL(fileURLWithPath: logPath).deletingLastPathComponent().path
        child = try ChildProcess(
            ["/usr/bin/env", "-C", directory] + environment.map { "\($0.key)=\($0.value)" }.sorted()
                + [Self.binary, "serve", "--data", data, "--http", "127.0.0.1:\(httpPort)"] + arguments,
            logPath: logPath)
    }

    var id: Int32 { child.process }
    var isRunning: Bool { child.isRunning }
    var exitCode: Int32? { child.exitCode }

    /// What it has written to stdout and stderr. Unreadable reads as empty: then the expectation says what is missing.
    var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    // MARK: Signals

    func signal(_ number: Int32) { if child.process > 0 { kill(child.process, number) } }

    /// Ends it at once and waits until it is gone.
    func kill9() {
        signal(SIGKILL)
        while child.isRunning { usleep(2_000) }
    }

    /// Waits for the end; returns the exit code, and throws after so many seconds.
    func waitForEnd(_ timeout: Double) throws -> Int32 {
        let end = Date(timeIntervalSinceNow: timeout)
        while child.isRunning {
            try require(Date() < end, "the process did not end within \(timeout) s; log: \(log.suffix(2000))")
            usleep(5_000)
        }
        return child.exitCode ?? -1
    }

    // MARK: State

    /// A client with the login of `user`, read from the credentials of the first start.
    func http(as user: String? = nil) throws -> HTTPClient {
        guard let user else { return HTTPClient(port: httpPort) }
        let lines = try String(contentsOfFile: data + "/credentials", encoding: .utf8).split(separator: "\n")
        guard let login = lines.first(where: { $0.hasPrefix("\(user):") }) else {
            throw ScenarioFailure("no user \(user) in the credentials file")
        }
        return HTTPClient(port: httpPort, login: String(login))
    }

    /// Waits until `/ready` answers 200.
    func waitUntilReady(_ timeout: Double = 20) throws {
        try waitForReadiness("200", timeout) { $0.status == 200 }
    }

    /// Waits for an answer of `/ready`, and returns it.
    @discardableResult
    func waitForReadiness(
        _ what: String, _ timeout: Double, _ isWanted: (HTTPClient.Answer) -> Bool
    ) throws -> HTTPClient.Answer {
        let end = Date(timeIntervalSinceNow: timeout)
        var last = "no answer"
        while Date() < end {
            try require(child.isRunning, "the process ended with \(child.exitCode ?? -1); log: \(log.suffix(2000))")
            // No answer is one of the states it is waiting through.
            if let answer = try? HTTPClient(port: httpPort).get("/ready") {
                if isWanted(answer) { return answer }
                last = "\(answer.status) \(answer.text)"
            }
            usleep(20_000)
        }
        throw ScenarioFailure("/ready never said \(what) within \(timeout) s, but \(last); log: \(log.suffix(2000))")
    }

    /// Waits for a line in the log.
    func waitForLog(_ timeout: Double, _ text: String) throws {
        let end = Date(timeIntervalSinceNow: timeout)
        while !log.contains(text) {
            try require(Date() < end, "'\(text)' is not in the log after \(timeout) s: \(log.suffix(2000))")
            usleep(20_000)
        }
    }

    /// A figure of `/proc/PID/status`, e.g. `VmRSS`, in kB.
    func memory(_ field: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(field):") }
        guard let figure = line?.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap({ Int($0) })
        else { throw ScenarioFailure("no \(field) in /proc/\(id)/status") }
        return figure
    }

    /// `/proc/PID/maps`: which files are mapped into the process.
    func mappedFiles() throws -> String {
        // A file of /proc has no size, so it is read until it ends.
        guard let file = FileHandle(forReadingAtPath: "/proc/\(id)/maps"), let maps = try file.readToEnd() else {
            throw ScenarioFailure("/proc/\(id)/maps cannot be read")
        }
        let text = String(decoding: maps, as: UTF8.self)
        try require(text.contains("libc.so"), "/proc/\(id)/maps is not complete")
        return text
    }
}
