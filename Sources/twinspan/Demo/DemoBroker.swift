// The broker of the demo: the one that already answers, or a Mosquitto of the demo's own.
import Glibc

/// Where the demo's messages go.
struct DemoBroker {
    /// The child, when the demo had to start one.
    let child: ChildProcess?
    /// For people.
    let description: String

    /// Uses what answers at the port, or starts Mosquitto there with a configuration in `directory`.
    init(port: Int, directory: String) throws(ChildFailure) {
        let client = PlainHTTPClient(host: "127.0.0.1", port: port)
        if client.isAnswering {
            child = nil
            description = "on 127.0.0.1:\(port) (was running already)"
            return
        }
        guard let program = Self.programs.first(where: { access($0, X_OK) == 0 }) else {
            throw ChildFailure(
                description: "no broker answers on 127.0.0.1:\(port) and mosquitto is not installed.\n"
                    + "  → apt-get install mosquitto, or `make run`, which does it")
        }
        let configuration = "\(directory)/mosquitto.conf"
        // No limit, because a broker drops what exceeds its queue without telling anybody. The user stays as it is
        // (only root could change it): with another one the kernel would forget to end the child with this process.
        let text =
            "listener \(port) 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nuser root\n"
        guard SmallFile.write(text, to: configuration) else {
            throw ChildFailure(description: "cannot write \(configuration): \(SystemError.text(errno))")
        }
        let child = try ChildProcess(
            "mosquitto", [program, "-c", configuration], logPath: "\(directory)/mosquitto.log")
        for _ in 0..<500 where child.isRunning && !client.isAnswering { usleep(10_000) }
        guard child.isRunning, client.isAnswering else {
            child.end(patience: .seconds(1))
            throw ChildFailure(description: "mosquitto did not start:\n\(child.logTail(lines: 5))")
        }
        self.child = child
        description = "mosquitto \(Self.version(of: child)) on 127.0.0.1:\(port) (started by this demo)"
    }

    /// From the log's line "mosquitto version 2.0.11 starting", which may come a moment after the first answer.
    private static func version(of child: ChildProcess) -> Substring {
        for _ in 0..<50 {
            let words = child.logTail(lines: 50).split(separator: " ")
            if let word = words.firstIndex(of: "version"), word + 1 < words.count { return words[word + 1] }
            usleep(10_000)
        }
        return "broker"
    }

    /// Debian puts it where only root's PATH looks.
    private static let programs = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
}

extension SmallFile {
    /// Writes a file anew; false when it cannot be written.
    static func write(_ text: String, to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
    }
}
