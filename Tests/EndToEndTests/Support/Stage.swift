// A running service with a collector and a generator at its broker: what most tests of connections begin with.
import Foundation
import TwinspanJSON
import TwinspanTestSupport

/// One service and its peers. Used by one test.
final class Stage {
    let bench: Workbench
    let collector: EventCollector
    let generator: LoadGenerator
    private(set) var process: TwinspanProcess
    private let arguments: [String]

    /// Starts the service and waits until it is ready.
    /// - Parameters:
    ///   - files: connection files by their names, made for the broker's port.
    ///   - collecting: topic filters of what the test wants to see.
    init(
        _ name: String, collecting: [String], _ arguments: [String] = [], files: (Int) -> [String: String]
    ) throws {
        bench = try Workbench(name)
        self.arguments = arguments
        for (name, text) in files(bench.broker.port) { try bench.write(text, to: name) }
        collector = try EventCollector(port: bench.broker.port, collecting)
        generator = LoadGenerator(port: bench.broker.port)
        process = try bench.start(arguments)
        try process.waitUntilReady()
    }

    deinit {
        collector.stop()
        generator.stop()
    }

    /// Starts the service again after it was killed or has ended.
    func restart() throws {
        process = try bench.start(arguments)
        try process.waitUntilReady()
    }

    /// Publishes one message.
    func send(_ topic: String, _ text: String) { generator.send([.init(topic, text)]) }

    /// Makes things with a policy that lets the subjects do everything.
    func create(_ names: [String], at topic: String, for subjects: [String]) throws {
        for name in names {
            send(topic, Signals.creation(name, for: subjects))
            try wait("the creation of \(name)") {
                $0.correlationID == "\(name)-create" && $0.json.value(at: ["status"])?.int64 == 201
            }
        }
    }

    @discardableResult
    func wait(
        _ what: String, _ timeout: Double = 10, _ isWanted: @escaping (EventCollector.Message) -> Bool
    ) throws -> EventCollector.Message {
        do {
            return try collector.wait(timeout, for: what, isWanted)
        } catch {
            let seen = collector.messages.suffix(8).map { "\($0.topic): \($0.text.prefix(300))" }
            throw ScenarioFailure("\(error); seen: \(seen.joined(separator: "\n")); log: \(process.log.suffix(1500))")
        }
    }

    /// Waits for figures of `/metrics`.
    @discardableResult
    func balance(_ what: String, _ timeout: Double = 10, _ isWanted: (Balance) -> Bool) throws -> Balance {
        try Balance.wait(process, timeout, for: what, isWanted)
    }

    /// Starts a tool that asks this service; its output is in the file `log`.
    func tool(_ arguments: [String]) throws -> (process: ChildProcess, log: String) {
        let log = bench.directory + "/tool-\(UUID().uuidString.prefix(8)).log"
        let process = try ChildProcess(
            [TwinspanProcess.binary] + arguments
                + ["--url", "http://127.0.0.1:\(bench.httpPort)", "--data", bench.data], logPath: log)
        return (process, log)
    }

    /// Runs a tool to its end; returns what it has written. Throws when it fails.
    func run(_ arguments: String...) throws -> String {
        let (process, log) = try tool(arguments)
        let end = Date(timeIntervalSinceNow: 15)
        while process.isRunning {
            try require(Date() < end, "\(arguments) did not end")
            usleep(5_000)
        }
        let text = try String(contentsOfFile: log, encoding: .utf8)
        try require(process.exitCode == 0, "\(arguments) ended with \(process.exitCode ?? -1): \(text)")
        return text
    }

    /// Everything adds up, and the service ends in order.
    func end() throws {
        try Balance.settle(process)
        process.signal(SIGTERM)
        let code = try process.waitForEnd(10)
        try require(code == 0, "the service ended with \(code): \(process.log.suffix(2000))")
    }
}

extension EventCollector.Message {
    var correlationID: String? { json.value(at: ["headers", "correlation-id"])?.string }
    var status: Int64? { json.value(at: ["status"])?.int64 }
    /// The topic of the Ditto Protocol.
    var dittoTopic: String? { json.value(at: ["topic"])?.string }
    /// The code of an error.
    var error: String? { json.value(at: ["value", "error"])?.string }
}

/// Ditto Protocol text of any kind.
enum Signals {
    /// Creates `plant:<name>` with a policy that lets the subjects do everything, with messages too.
    static func creation(_ name: String, for subjects: [String]) -> String {
        let list = subjects.map { #""\#($0)":{"type":"test"}"# }.joined(separator: ",")
        let grant = #"{"grant":["READ","WRITE"],"revoke":[]}"#
        let resources = ["thing:/", "policy:/", "message:/"].map { #""\#($0)":\#(grant)"# }.joined(separator: ",")
        let policy = #"{"entries":{"all":{"subjects":{\#(list)},"resources":{\#(resources)}}}}"#
        return envelope(
            "plant/\(name)/things/twin/commands/create", "/", #""correlation-id":"\#(name)-create""#,
            value: #"{"_policy":\#(policy),"attributes":{"maker":"Example Works"},"#
                + #""features":{"engine":{"properties":{"speed":0}}}}"#)
    }

    /// An envelope with headers as JSON members, e.g. `"timeout":"1s"`.
    static func envelope(
        _ topic: String, _ path: String = "/", _ headers: String = "", value: String? = nil, status: Int? = nil
    ) -> String {
        let tail = (value.map { #","value":\#($0)"# } ?? "") + (status.map { #","status":\#($0)"# } ?? "")
        return #"{"topic":"\#(topic)","headers":{\#(headers)},"path":"\#(path)"\#(tail)}"#
    }
}
