// A TLS server for tests: the `openssl` program, which greets and says what was agreed.
import Foundation

/// `openssl s_server` on a loopback port, ended with the object.
public final class TLSServer {
    public let port: Int
    private let child: ChildProcess
    private let logPath: String

    /// Starts a server and waits until it answers.
    /// - Parameter arguments: further ones of `s_server`, e.g. `-tls1_2`.
    public init(_ pair: TestCertificate.Pair, directory: String, _ arguments: [String] = []) throws {
        port = try LoopbackPort.free()
        logPath = "\(directory)/s_server-\(port).log"
        child = try ChildProcess(
            [
                "/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert", pair.certificatePath,
                "-cert_chain", pair.certificatePath, "-key", pair.keyPath, "-www",
            ] + arguments, logPath: logPath)
        for _ in 0..<500 where !LoopbackPort.answers(port) {
            guard child.isRunning else { break }
            usleep(10_000)
        }
        try require(child.isRunning, "openssl s_server did not start: \(log)")
    }

    /// What the server has written.
    // An unreadable log reads as empty: it only serves to explain failures.
    public var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }
}
