// A real RabbitMQ for tests: own node, directories, ports and port mapper, ended by their process ids. It takes some
// seconds to start, so tests that neither stop nor freeze it share one.
import Foundation
import Synchronization

/// A RabbitMQ broker started by a test, with AMQP 0.9.1 and AMQP 1.0 on one port.
public final class RabbitMQProcess: @unchecked Sendable {
    // Unchecked: started, stopped and signalled by one test at a time; the rest is immutable, and every call to the
    // broker makes a connection of its own.
    /// What a broker is started with.
    public struct Settings: Sendable {
        /// Further users with their passwords; they may do everything in every virtual host. `guest` is always there.
        public var users: [String: String] = [:]
        /// Further virtual hosts; `/` is always there.
        public var vhosts: [String] = []
        /// Host name of a certificate with which the broker speaks TLS on `tlsPort`; nil means it does not.
        public var tlsHost: String?
        /// Whether that certificate was valid until yesterday.
        public var isCertificateExpired = false
        /// Further lines of `rabbitmq.conf`.
        public var lines: [String] = []
        public init() {}
    }

    /// Why brokers cannot be started here; nil if they can. For `.disabled(if:)`.
    public static let unavailableReason: String? =
        installation == nil ? "RabbitMQ is not installed (apt-get install rabbitmq-server): its tests are skipped" : nil

    /// The broker of all tests of this process that do not stop it: use names of your own (`unique`). Started by the
    /// first, ended when the process exits; a process that dies takes it along, as every `ChildProcess`.
    ///
    /// - Parameter group: the tests that share it; those of a serial suite may stop and start theirs.
    public static func shared(_ group: String = "") throws -> RabbitMQProcess {
        try running.withLock { running in
            if let broker = running[group] { return broker }
            // Exit handlers run on the thread that exits, when no test is running any more.
            if running.isEmpty { atexit { RabbitMQProcess.endAll() } }
            let broker = try RabbitMQProcess()
            running[group] = broker
            return broker
        }
    }

    private static let running = Mutex<[String: RabbitMQProcess]>([:])

    private static func endAll() {
        for broker in running.withLock({ Array($0.values) }) { broker.end() }
    }

    /// A name nobody else uses.
    public static func unique(_ prefix: String) -> String { "\(prefix)-\(UUID().uuidString.prefix(8))" }

    /// Where the broker listens: AMQP 0.9.1 and 1.0.
    public let port: Int
    /// The same with TLS; nil without `tlsHost`.
    public let tlsPort: Int?
    public let directory: String
    /// The broker's certificates, if it speaks TLS.
    public let certificate: TestCertificate?
    private let portMapperPort: Int
    private let distributionPort: Int
    private var portMapper: ChildProcess?
    private var child: ChildProcess?

    /// Starts a broker and waits until it answers.
    public init(_ settings: Settings = Settings()) throws {
        port = try LoopbackPort.free()
        portMapperPort = try LoopbackPort.free()
        distributionPort = try LoopbackPort.free()
        tlsPort = settings.tlsHost == nil ? nil : try LoopbackPort.free()
        directory = NSTemporaryDirectory() + "/twinspan-rabbit-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let directory = directory
        certificate = try settings.tlsHost.map {
            try TestCertificate(host: $0, directory: directory, isExpired: settings.isCertificateExpired)
        }
        try writeConfiguration(settings)
        try start()
    }

    deinit { end() }

    /// Ends everything and removes the directory.
    private func end() {
        child?.end(with: SIGKILL)
        portMapper?.end(with: SIGKILL)
        try? FileManager.default.removeItem(atPath: directory)  // A directory left behind harms nobody.
    }

    // MARK: Life

    /// Starts the broker, also again after `stop` or `kill`: on the same ports, with its durable queues and messages.
    public func start() throws {
        guard let installation = RabbitMQProcess.installation else {
            throw ScenarioFailure(RabbitMQProcess.unavailableReason ?? "")
        }
        if portMapper?.isRunning != true {
            // In the foreground and ours; else the virtual machine would leave one behind as a daemon.
            portMapper = try ChildProcess(
                ["/usr/bin/epmd", "-port", "\(portMapperPort)", "-address", "127.0.0.1"],
                logPath: directory + "/epmd.log")
            for _ in 0..<500 where !LoopbackPort.answers(portMapperPort) { usleep(10_000) }
        }
        // Every program of the chain becomes the next, so that the id of the first is that of the virtual machine.
        child = try ChildProcess(
            environment + ["RUNNING_UNDER_SYSTEMD=true", installation + "/sbin/rabbitmq-server"], logPath: logPath)
        for _ in 0..<6000 {
            // A connection tells more than an open port: RabbitMQ listens before it has read its queues.
            if LoopbackPort.answers(port), (try? client()) != nil { return }
            guard child?.isRunning == true else { break }
            usleep(10_000)
        }
        throw ScenarioFailure("RabbitMQ did not start: \(log)")
    }

    /// Ends the broker in order: it says goodbye to its clients.
    public func stop() { child?.end(with: SIGTERM) }

    /// Ends the broker at once. What it has confirmed is there when it starts again; so may be what was taken shortly
    /// before, for it does not hurry to write that down.
    public func kill() { child?.end(with: SIGKILL) }

    /// Freezes the broker: connections stay, and nobody answers.
    public func pause() { signal(SIGSTOP) }

    /// Lets a frozen broker go on.
    public func resume() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        guard let process = child?.process, process > 0 else { return }
        Foundation.kill(process, number)
    }

    /// Runs `rabbitmqctl`; takes about a second.
    public func control(_ arguments: String...) throws {
        guard let installation = RabbitMQProcess.installation else { return }
        let output = directory + "/control.log"
        let tool = try ChildProcess(
            environment + [installation + "/sbin/rabbitmqctl"] + arguments, logPath: output)
        for _ in 0..<3000 where tool.isRunning { usleep(10_000) }
        let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""  // It only explains a failure.
        try require(tool.exitCode == 0, "rabbitmqctl \(arguments.joined(separator: " ")): \(text)")
    }

    /// Raises or clears the memory alarm: while it lasts, RabbitMQ reads nothing from connections that publish.
    public func setMemoryAlarm(_ isRaised: Bool) throws {
        try control("set_vm_memory_high_watermark", isRaised ? "0.0001" : "0.6")
    }

    /// Everything the broker has logged.
    // An unreadable log reads as empty: it only serves to explain failures.
    public var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    // MARK: Content, each by a connection of its own

    /// A connection for more than one call.
    public func client(vhost: String = "/") throws -> RawAMQP091Client {
        try RawAMQP091Client(port: port, vhost: vhost)
    }

    /// Declares a durable queue.
    public func declareQueue(_ name: String, arguments: [(name: String, value: AMQP091Value)] = []) throws {
        try client().declareQueue(name, arguments: arguments)
    }

    public func deleteQueue(_ name: String) throws { try client().deleteQueue(name) }

    /// Declares a durable exchange.
    public func declareExchange(_ name: String, type: String = "direct") throws {
        try client().declareExchange(name, type: type)
    }

    public func deleteExchange(_ name: String) throws { try client().deleteExchange(name) }

    /// Binds a queue to an exchange.
    public func bind(queue: String, exchange: String, key: String) throws {
        try client().bind(queue: queue, exchange: exchange, key: key)
    }

    /// Publishes persistent messages and waits until the broker has confirmed them.
    public func publish(_ messages: [RawAMQP091Client.Message], exchange: String = "", key: String) throws {
        try client().publish(messages, exchange: exchange, key: key)
    }

    /// Takes a message out of a queue, waiting for one at most `patience` seconds; nil if none came.
    public func get(_ queue: String, patience: Double = 0) throws -> RawAMQP091Client.Message? {
        let client = try client()
        let limit = Date(timeIntervalSinceNow: patience)
        while true {
            if let message = try client.get(queue) { return message }
            guard Date() < limit else { return nil }
            usleep(10_000)
        }
    }

    /// The number of messages that are ready in a queue.
    public func messageCount(_ queue: String) throws -> Int { try client().messageCount(queue) }

    /// Removes the messages that are ready.
    public func purge(_ queue: String) throws { try client().purge(queue) }

    // MARK: Files

    private var logPath: String { directory + "/rabbit.log" }

    /// The newest version that is installed, past the wrapper that wants to become the user `rabbitmq`.
    private static let installation: String? = {
        let parent = "/usr/lib/rabbitmq/lib"
        // No such directory reads as no installation.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        return names.filter { $0.hasPrefix("rabbitmq_server-") }.sorted().map { "\(parent)/\($0)" }
            .last { access($0 + "/sbin/rabbitmq-server", X_OK) == 0 && access("/usr/bin/epmd", X_OK) == 0 }
    }()

    /// A command that starts another with an environment of its own.
    private var environment: [String] {
        [
            "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=\(directory)",
            "ERL_EPMD_PORT=\(portMapperPort)", "ERL_EPMD_ADDRESS=127.0.0.1",
            "RABBITMQ_NODENAME=twinspan\(port)@localhost", "RABBITMQ_DIST_PORT=\(distributionPort)",
            "RABBITMQ_MNESIA_BASE=\(directory)/mnesia", "RABBITMQ_LOG_BASE=\(directory)/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE=\(directory)/enabled_plugins",
            "RABBITMQ_CONFIG_FILE=\(directory)/rabbitmq.conf",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        ]
    }

    private func writeConfiguration(_ settings: Settings) throws {
        var lines = [
            "listeners.tcp.1 = 127.0.0.1:\(port)", "load_definitions = \(directory)/definitions.json",
            "log.file = false", "log.console = true", "log.console.level = warning", "disk_free_limit.absolute = 1MB",
        ]
        if let certificate, let tlsPort {
            lines += [
                "listeners.ssl.1 = 127.0.0.1:\(tlsPort)", "ssl_options.cacertfile = \(directory)/ca.pem",
                "ssl_options.certfile = \(certificate.certificatePath)",
                "ssl_options.keyfile = \(certificate.keyPath)", "ssl_options.verify = verify_none",
            ]
        }
        try write((lines + settings.lines).joined(separator: "\n") + "\n", to: "rabbitmq.conf")
        try write("[rabbitmq_amqp1_0].\n", to: "enabled_plugins")
        let users = settings.users.merging(["guest": "guest"]) { _, guest in guest }
        let vhosts = ["/"] + settings.vhosts
        let definitions: [String: Any] = [
            "users": users.map { ["name": $0.key, "password": $0.value, "tags": "administrator"] },
            "vhosts": vhosts.map { ["name": $0] },
            "permissions": users.keys.flatMap { user in
                vhosts.map { ["user": user, "vhost": $0, "configure": ".*", "write": ".*", "read": ".*"] }
            },
        ]
        try JSONSerialization.data(withJSONObject: definitions).write(
            to: URL(fileURLWithPath: directory + "/definitions.json"))
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: directory + "/" + name, atomically: false, encoding: .utf8)
    }
}
