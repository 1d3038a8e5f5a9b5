// A real Mosquitto for tests: own configuration, free loopback port, own directory, ended by its process id.
import Foundation

/// A Mosquitto broker started by a test.
public final class BrokerProcess: @unchecked Sendable {
    // Unchecked: used by one test at a time.
    /// What a broker is started with.
    public struct Settings: Sendable {
        /// User names and passwords; empty lets everybody in.
        public var users: [String: String] = [:]
        /// Whether sessions and queued messages survive a restart.
        public var isPersistent = false
        /// Host name of a certificate with which the broker speaks TLS; nil means it does not.
        public var tlsHost: String?
        /// Whether clients have to show a certificate of the same authority.
        public var requiresClientCertificate = false
        /// Whether that certificate was valid until yesterday.
        public var isCertificateExpired = false
        /// Further lines of the configuration file.
        public var lines: [String] = []
        public init() {}
    }

    /// Why brokers cannot be started here; nil if they can. For `.disabled(if:)`.
    public static let unavailableReason: String? =
        executable == nil ? "mosquitto is not installed (apt-get install mosquitto): broker tests are skipped" : nil

    public let port: Int
    public let directory: String
    /// The broker's certificates, if it speaks TLS.
    public let certificate: TestCertificate?
    private let executable: String
    private var child: ChildProcess?

    /// Starts a broker and waits until it answers.
    public init(_ settings: Settings = Settings()) throws {
        guard let executable = BrokerProcess.executable else {
            throw ScenarioFailure(BrokerProcess.unavailableReason ?? "")
        }
        self.executable = executable
        port = try LoopbackPort.free()
        directory = try BrokerProcess.makeDirectory()
        let directory = directory
        certificate = try settings.tlsHost.map {
            try TestCertificate(host: $0, directory: directory, isExpired: settings.isCertificateExpired)
        }
        var lines = [
            "listener \(port) 127.0.0.1", "allow_anonymous \(settings.users.isEmpty)", "max_queued_messages 0",
            "log_type all", "log_timestamp_format %H:%M:%S",
            // Started by root, the broker would become another user that may not write into this directory.
            "user \(NSUserName())",
        ]
        if let certificate {
            lines += ["certfile \(certificate.certificatePath)", "keyfile \(certificate.keyPath)"]
            if settings.requiresClientCertificate {
                lines += ["cafile \(certificate.authorityPath)", "require_certificate true"]
            }
        }
        if settings.isPersistent { lines += ["persistence true", "persistence_location \(directory)/"] }
        if !settings.users.isEmpty {
            lines.append("password_file \(try writePasswords(settings.users))")
        }
        lines += settings.lines
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: directory + "/mosquitto.conf", atomically: false, encoding: .utf8)
        try start()
    }

    deinit {
        child?.end(with: SIGKILL)
        try? FileManager.default.removeItem(atPath: directory)  // A directory left behind harms nobody.
    }

    /// Starts the broker again after `stop` or `kill`.
    public func start() throws {
        child = try ChildProcess([executable, "-c", directory + "/mosquitto.conf"], logPath: logPath)
        for _ in 0..<500 {
            if LoopbackPort.answers(port) { return }
            guard child?.isRunning == true else { break }
            usleep(10_000)
        }
        throw ScenarioFailure("the broker did not start: \(log)")
    }

    /// Ends the broker in order; a persistent one saves its sessions.
    public func stop() { child?.end(with: SIGTERM) }

    /// Ends the broker at once.
    public func kill() { child?.end(with: SIGKILL) }

    /// Freezes the broker: connections stay, and nobody answers.
    public func pause() { signal(SIGSTOP) }

    /// Lets a frozen broker go on.
    public func resume() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        guard let process = child?.process, process > 0 else { return }
        Foundation.kill(process, number)
    }

    /// Everything the broker has logged.
    // An unreadable log reads as empty: it only serves to explain failures.
    public var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    private var logPath: String { directory + "/mosquitto.log" }

    private static let executable: String? = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
        .first { access($0, X_OK) == 0 }

    private static func makeDirectory() throws -> String {
        let path = NSTemporaryDirectory() + "/twinspan-broker-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private func writePasswords(_ users: [String: String]) throws -> String {
        let path = directory + "/passwords"
        let text = users.map { "\($0.key):\($0.value)\n" }.joined()
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        // `-U` replaces the plain passwords of the file by hashes.
        let tool = try ChildProcess(["/usr/bin/mosquitto_passwd", "-U", path], logPath: logPath)
        for _ in 0..<500 where tool.isRunning { usleep(10_000) }
        return path
    }
}
