// A Kafka cluster for tests: the mock cluster of librdkafka in a process of its own, with clients that share no code
// with the adapter (Tests/Support/kafka-mock.c). Compiled once per test run, driven by lines over two named pipes,
// ended by its process id.
import Foundation
import Synchronization

/// A mock cluster started by a test.
public final class KafkaProcess: @unchecked Sendable {
    // Unchecked: used by one test at a time.

    /// A message as a collector sees it, or as it is to be sent.
    public struct Record: Equatable, Sendable {
        public var key: [UInt8]?
        /// Nil for a tombstone.
        public var value: [UInt8]?
        public var headers: [(name: String, value: String)]
        public var partition = 0
        public var offset: Int64 = 0

        public init(_ value: String?, key: String? = nil, headers: [(name: String, value: String)] = []) {
            self.value = value.map { Array($0.utf8) }
            self.key = key.map { Array($0.utf8) }
            self.headers = headers
        }

        /// The value as text; empty for a tombstone.
        public var text: String { String(decoding: value ?? [], as: UTF8.self) }
        /// The key as text.
        public var keyText: String? { key.map { String(decoding: $0, as: UTF8.self) } }
        /// The last value of a header.
        public func header(_ name: String) -> String? { headers.last { $0.name == name }?.value }

        public static func == (left: Record, right: Record) -> Bool {
            left.key == right.key && left.value == right.value && left.partition == right.partition
                && left.offset == right.offset && left.headers.map(\.name) == right.headers.map(\.name)
                && left.headers.map(\.value) == right.headers.map(\.value)
        }
    }

    /// Kinds of request, by the protocol's numbers.
    public enum Request: Int, Sendable {
        case produce = 0, fetch = 1, offsetCommit = 8, joinGroup = 11, heartbeat = 12
    }

    /// Why a cluster cannot be started here; nil if it can. For `.disabled(if:)`.
    public static let unavailableReason: String? = {
        guard access("/usr/bin/gcc", X_OK) == 0, access("/usr/include/librdkafka/rdkafka_mock.h", R_OK) == 0 else {
            return "gcc or librdkafka-dev is not installed (apt-get install gcc librdkafka-dev): "
                + "Kafka tests are skipped"
        }
        return nil
    }()

    /// `host:port` of each broker, with commas.
    public let bootstrapServers: String
    /// The port of the first broker.
    public let port: Int
    private let directory: TemporaryDirectory
    private let child: ChildProcess
    private let input: Int32
    private let output: Int32
    private let pending = Mutex<[UInt8]>([])
    private let turn = Mutex(())

    /// Compiles the program if that has not been done, starts a cluster of three brokers and waits for it.
    public init() throws {
        let program = try KafkaProcess.program.get()
        directory = try TemporaryDirectory()
        let (inputPath, outputPath) = (directory.path + "/in", directory.path + "/out")
        guard mkfifo(inputPath, 0o600) == 0, mkfifo(outputPath, 0o600) == 0 else {
            throw ScenarioFailure("no named pipe could be made")
        }
        // Opened for both directions, so that opening does not wait for the other end.
        input = open(inputPath, O_RDWR | O_CLOEXEC)
        output = open(outputPath, O_RDWR | O_CLOEXEC)
        child = try ChildProcess(
            ["/bin/sh", "-c", "exec \(program) < \(inputPath) > \(outputPath)"], logPath: directory.path + "/log")
        let words = try KafkaProcess.read(output, pending, within: 10).split(separator: " ")
        guard words.first == "bootstrap", words.count == 2 else { throw ScenarioFailure("the cluster did not start") }
        bootstrapServers = String(words[1])
        port = bootstrapServers.split(separator: ",").first?.split(separator: ":").last.flatMap { Int($0) } ?? 0
    }

    deinit {
        child.end(with: SIGKILL)
        close(input)
        close(output)
    }

    // MARK: The cluster

    /// Creates a topic.
    public func makeTopic(_ name: String, partitions: Int = 1) throws { try ask("topic \(name) \(partitions)") }
    /// Cuts all connections and refuses new ones.
    public func goDown() throws { try ask("down") }
    /// Serves again, with all it had.
    public func comeUp() throws { try ask("up") }
    /// Delays every answer.
    public func delay(milliseconds: Int) throws { try ask("rtt \(milliseconds)") }
    /// Answers the next requests of a kind with an error code of the protocol.
    public func fail(_ request: Request, times: Int = 1, code: Int) throws {
        try ask("err \(request.rawValue) \(times) \(code)")
    }
    /// Answers every question about a topic with an error code of the protocol; 0 ends it.
    public func failTopic(_ name: String, code: Int) throws { try ask("terr \(name) \(code)") }

    /// Ends the process at once.
    public func kill() { child.end(with: SIGKILL) }

    // MARK: Messages around the adapter

    /// Sends records and waits until they are stored.
    /// - Parameter partition: -1 leaves it to the key.
    public func send(_ records: [Record], to topic: String, partition: Int = -1) throws {
        for chunk in stride(from: 0, to: records.count, by: 1000) {
            let part = records[chunk..<min(chunk + 1000, records.count)]
            try ask((["send \(topic) \(partition) \(part.count)"] + part.map(Self.line)).joined(separator: "\n"))
        }
    }

    /// Begins to collect what is sent to a topic from now on, or from its start.
    public func collect(_ topic: String, fromStart: Bool = false) throws -> KafkaCollector {
        let words = try ask("collect \(topic)" + (fromStart ? " start" : ""))
        guard let number = words.first.flatMap({ Int($0) }) else { throw ScenarioFailure("no collector") }
        return KafkaCollector(cluster: self, number: number)
    }

    /// A group's places in the first partitions of a topic; nil where it has none.
    public func committed(group: String, topic: String, partitions: Int = 1) throws -> [Int64?] {
        try ask("committed \(group) \(topic) \(partitions)").map { Int64($0).flatMap { $0 < 0 ? nil : $0 } }
    }

    /// The offset of the next message of a partition.
    public func end(of topic: String, partition: Int = 0) throws -> Int64 {
        try ask("end \(topic) \(partition)").first.flatMap { Int64($0) } ?? -1
    }

    fileprivate func next(_ number: Int, milliseconds: Int) throws -> Record? {
        let words = try ask("next \(number) \(milliseconds)")
        guard words.count >= 4 else { return nil }
        var record = Record(nil)
        record.partition = Int(words[0]) ?? -1
        record.offset = Int64(words[1]) ?? -1
        record.key = Self.bytes(words[2])
        record.value = Self.bytes(words[3])
        record.headers = words.dropFirst(4).map { pair in
            let parts = pair.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            func text(_ index: Int) -> String { String(decoding: Self.bytes(parts[index]) ?? [], as: UTF8.self) }
            return (text(0), parts.count > 1 ? text(1) : "")
        }
        return record
    }

    // MARK: Lines

    /// Sends a command and returns the words of its answer behind `ok`; none for `none`.
    @discardableResult
    private func ask(_ command: String) throws -> [String] {
        // One at a time, for answers have no names.
        try turn.withLock { _ in try askNow(command) }
    }

    private func askNow(_ command: String) throws -> [String] {
        try pending.withLock { _ in
            var bytes = Array((command + "\n").utf8)[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
                guard count > 0 else { throw ScenarioFailure("the cluster takes no commands") }
                bytes = bytes.dropFirst(count)
            }
        }
        let answer = try KafkaProcess.read(output, pending, within: 30)
        let words = answer.split(separator: " ").map(String.init)
        if words.first == "ok" { return Array(words.dropFirst()) }
        if words.first == "none" { return [] }
        throw ScenarioFailure("the cluster says '\(answer)' to '\(command.prefix(60))'")
    }

    private static func read(_ descriptor: Int32, _ pending: borrowing Mutex<[UInt8]>, within seconds: Double) throws
        -> String
    {
        let limit = Date(timeIntervalSinceNow: seconds)
        return try pending.withLock { bytes in
            while true {
                if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { bytes.removeSubrange(...end) }
                    return String(decoding: bytes[..<end], as: UTF8.self)
                }
                var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&ready, 1, Int32(max(0, limit.timeIntervalSinceNow * 1000))) > 0 else {
                    throw ScenarioFailure("the cluster does not answer")
                }
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = Foundation.read(descriptor, &buffer, buffer.count)
                guard count > 0 else { throw ScenarioFailure("the cluster has ended") }
                bytes += buffer[..<count]
            }
        }
    }

    private static func line(_ record: Record) -> String {
        let headers = record.headers.map { " \(hex(Array($0.name.utf8)))=\(hex(Array($0.value.utf8)))" }
        return "\(hex(record.key)) \(hex(record.value))" + headers.joined()
    }

    private static func hex(_ bytes: [UInt8]?) -> String {
        guard let bytes else { return "-" }
        if bytes.isEmpty { return "." }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        guard text != "-" else { return nil }
        if text == "." { return [] }
        let digits = text.utf8.map { $0 > 57 ? $0 - 87 : $0 - 48 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    // MARK: The program

    private static let program: Result<String, ScenarioFailure> = {
        if let reason = unavailableReason { return .failure(ScenarioFailure(reason)) }
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Tests/Support/kafka-mock.c").path
        let path = NSTemporaryDirectory() + "/twinspan-kafka-mock-\(getpid())"
        let log = path + ".log"
        defer { unlink(log) }
        do {
            let compiler = try ChildProcess(
                ["/usr/bin/gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-o", path, source, "-lrdkafka"],
                logPath: log)
            for _ in 0..<6000 where compiler.isRunning { usleep(10_000) }
            guard compiler.exitCode == 0 else {
                // An unreadable log only makes the message shorter.
                let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                return .failure(ScenarioFailure("kafka-mock.c does not compile: \(text)"))
            }
        } catch {
            return .failure(ScenarioFailure("kafka-mock.c does not compile: \(error)"))
        }
        atexit { unlink(NSTemporaryDirectory() + "/twinspan-kafka-mock-\(getpid())") }
        return .success(path)
    }()
}

/// Collects messages on the far side of the cluster.
public struct KafkaCollector: MessageCollector {
    let cluster: KafkaProcess
    let number: Int

    /// The next record; nil if none comes in time.
    public func record(within milliseconds: Int = 10_000) throws -> KafkaProcess.Record? {
        try cluster.next(number, milliseconds: milliseconds)
    }

    public func next() throws -> String {
        guard let record = try record() else { throw ScenarioFailure("no message came") }
        return record.text
    }
}
