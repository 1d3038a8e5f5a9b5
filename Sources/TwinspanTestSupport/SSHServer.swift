// A real OpenSSH server for tests: own host key, own configuration, a free loopback port, ended by its process id. It
// lets in the user who runs the tests, by key; passwords would need a user of the system.
import Foundation

/// An `sshd` started by a test.
public final class SSHServer: @unchecked Sendable {
    // Unchecked: used by one test at a time.
    /// Why servers cannot be started here; nil if they can. For `.disabled(if:)`.
    public static let unavailableReason: String? =
        access(program, X_OK) == 0
        ? nil : "sshd is not installed (apt-get install openssh-server): tunnel tests are skipped"

    public let port: Int
    /// The user that is let in.
    public let user = NSUserName()
    /// The user's key as OpenSSH writes it; `pkcs8Key` is the same as PKCS #8.
    public let key: String
    public let pkcs8Key: String
    private let directory: String
    private var child: ChildProcess?

    /// Starts a server and waits until it answers.
    /// - Parameters:
    ///   - kind: of the user's key, e.g. `rsa`, `ed25519`, `ecdsa`.
    ///   - lines: further lines of the configuration, e.g. `AllowTcpForwarding no`.
    public init(kind: String = "rsa", lines: [String] = []) throws {
        port = try LoopbackPort.free()
        // The server refuses key files below a directory that others may write to.
        directory = NSTemporaryDirectory() + "/twinspan-sshd-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try FileManager.default.createDirectory(atPath: "/run/sshd", withIntermediateDirectories: true)
        try Self.run(["-q", "-t", "ed25519", "-N", "", "-f", directory + "/host"], directory)
        let arguments = ["-q", "-t", kind, "-N", "", "-f", directory + "/user"]
        try Self.run(arguments, directory)
        key = try String(contentsOfFile: directory + "/user", encoding: .utf8)
        try FileManager.default.copyItem(atPath: directory + "/user", toPath: directory + "/pkcs8")
        // OpenSSH knows no PKCS #8 for Ed25519 and leaves the key as it is.
        try? Self.run(["-q", "-p", "-N", "", "-m", "PKCS8", "-f", directory + "/pkcs8"], directory)
        pkcs8Key = try String(contentsOfFile: directory + "/pkcs8", encoding: .utf8)
        let settings = [
            "Port \(port)", "ListenAddress 127.0.0.1", "HostKey \(directory)/host", "PidFile none", "UsePAM no",
            "AuthorizedKeysFile \(directory)/user.pub", "StrictModes no", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "LogLevel VERBOSE",
        ]
        try ((lines + settings).joined(separator: "\n") + "\n").write(
            toFile: directory + "/sshd_config", atomically: true, encoding: .utf8)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: directory)  // A directory left behind harms nobody.
    }

    /// Starts the server again after `kill`.
    public func start() throws {
        child = try ChildProcess(
            [Self.program, "-D", "-e", "-f", directory + "/sshd_config"], logPath: directory + "/sshd.log")
        for _ in 0..<500 {
            if LoopbackPort.answers(port) { return }
            guard child?.isRunning == true else { break }
            usleep(10_000)
        }
        throw ScenarioFailure("sshd did not start: \(log)")
    }

    /// Ends the server and every connection to it.
    public func kill() {
        signal(SIGKILL)
        child?.end(with: SIGKILL)
    }

    /// Freezes the connections: they stay, and nobody answers. New ones still wait at the port.
    public func pause() { signal(SIGSTOP) }

    /// Lets them go on.
    public func resume() { signal(SIGCONT) }

    /// The fingerprint of the host's key, as `ssh-keygen -l` prints it.
    /// - Parameter algorithm: e.g. `md5`, `sha256`.
    public func fingerprint(_ algorithm: String = "sha256") throws -> String {
        let path = directory + "/fingerprint-\(algorithm)"
        let child = try ChildProcess(
            ["/usr/bin/ssh-keygen", "-l", "-E", algorithm, "-f", directory + "/host.pub"], logPath: path)
        for _ in 0..<500 where child.isRunning { usleep(10_000) }
        let words = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ")
        try require(words.count > 1, "ssh-keygen printed no fingerprint")
        return String(words[1])
    }

    /// Everything the server has logged.
    // An unreadable log reads as empty: it only serves to explain failures.
    public var log: String { (try? String(contentsOfFile: directory + "/sshd.log", encoding: .utf8)) ?? "" }

    /// Signals the processes of the server's connections, and theirs.
    private func signal(_ number: Int32) {
        guard let server = child?.process, server > 0 else { return }
        for process in Self.descendants(of: server) { Foundation.kill(process, number) }
    }

    private static func descendants(of process: Int32) -> [Int32] {
        let path = "/proc/\(process)/task/\(process)/children"
        // A process that has ended meanwhile has none.
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: " ").compactMap { Int32($0) }.flatMap { [$0] + descendants(of: $0) }
    }

    private static func run(_ arguments: [String], _ directory: String) throws {
        let child = try ChildProcess(["/usr/bin/ssh-keygen"] + arguments, logPath: directory + "/keygen.log")
        for _ in 0..<1000 where child.isRunning { usleep(10_000) }
        try require(child.exitCode == 0, "ssh-keygen failed: see \(directory)/keygen.log")
    }

    private static let program = "/usr/sbin/sshd"
}
