// What one end-to-end test works with: a directory, a broker, connection files, and the process.
import Foundation
import TwinspanTestSupport

/// A test's own small plant. Everything in it is gone with it.
final class Workbench {
    let directory: String
    let broker: BrokerProcess
    /// Where the process listens; the same over restarts.
    let httpPort: Int
    private var runs = 0

    var data: String { directory + "/data" }
    var connections: String { directory + "/connections" }
    /// How often the process was started.
    var runCount: Int { runs }

    /// - Parameter name: of the directory, so that one that is left behind can be told.
    init(_ name: String) throws {
        directory = NSTemporaryDirectory() + "twinspan-e2e-\(name)-\(UUID().uuidString.prefix(8))"
        for part in ["/connections", "/mappers", "/policies", "/things", "/seed"] {
            try FileManager.default.createDirectory(atPath: directory + part, withIntermediateDirectories: true)
        }
        var settings = BrokerProcess.Settings()
        settings.isPersistent = true
        broker = try BrokerProcess(settings)
        httpPort = try LoopbackPort.free()
    }

    deinit {
        guard ProcessInfo.processInfo.environment["TWINSPAN_KEEP"] == nil else { return }
        try? FileManager.default.removeItem(atPath: directory)  // A directory left behind harms nobody.
    }

    /// Writes a connection file, or a script at `../mappers/` and the like, completely or not at all.
    func write(_ text: String, to name: String) throws {
        try text.write(toFile: connections + "/" + name, atomically: true, encoding: .utf8)
    }

    /// Telemetry in, with errors and answers to `replies/all`, and all events out to `events/<run>/<thing id>`.
    func writePlant(eventPort: Int? = nil) throws {
        try write(Plant.telemetryIn(port: broker.port), to: "telemetry-in.yaml")
        try write(Plant.eventsOut(port: eventPort ?? broker.port), to: "events-out.yaml")
    }

    /// Starts the process. Each run has its number in the environment, as TWINSPAN_RUN.
    func start(
        data: String? = nil, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> TwinspanProcess {
        runs += 1
        var environment = environment
        environment["TWINSPAN_RUN"] = String(runs)
        return try TwinspanProcess(
            data: data ?? self.data, httpPort: httpPort, arguments: ["--connections", connections] + arguments,
            environment: environment, logPath: directory + "/serve-\(runs).log")
    }
}

/// The connections most tests use.
enum Plant {
    /// The subject that may do everything; it also creates the things.
    static let gateway = "test:gateway"

    static func telemetryIn(port: Int) -> String {
        """
        id: telemetry-in
        connectionType: mqtt
        connectionStatus: open
        uri: tcp://127.0.0.1:\(port)
        sources:
          - addresses: [telemetry/#]
            qos: 1
            authorizationContext: ["\(gateway)"]
            replyTarget:
              address: replies/all
              headerMapping: { mqtt.qos: "1" }

        """
    }

    static func eventsOut(port: Int, options: String = "{ queue: 10000 }") -> String {
        """
        id: events-out
        connectionType: mqtt
        connectionStatus: open
        uri: tcp://127.0.0.1:\(port)
        targets:
          - address: "events/${TWINSPAN_RUN}/{{ thing:id }}"
            topics: ["_/_/things/twin/events"]
            qos: 1
            authorizationContext: ["\(gateway)"]
            twinspan: \(options)

        """
    }
}

/// Ditto Protocol messages as text.
enum Command {
    /// Creates a thing under a policy that exists, with `speed` 0.
    static func create(_ name: String, policy: String? = nil) -> String {
        let policyID = policy.map { #""policyId":"\#($0)","# } ?? ""
        return envelope(name, "create", "/", "{\(policyID)\(body)}", isAnswered: true)
    }

    /// Creates a thing with a policy, that lets everybody named do everything.
    static func create(_ name: String, makingPolicy policy: String, for subjects: [String]) -> String {
        let list = subjects.map { #""\#($0)":{"type":"test"}"# }.joined(separator: ",")
        let grant = #"{"grant":["READ","WRITE"],"revoke":[]}"#
        let entry = #"{"subjects":{\#(list)},"resources":{"thing:/":\#(grant),"policy:/":\#(grant)}}"#
        let inline = #""_policy":{"policyId":"\#(policy)","entries":{"all":\#(entry)}}"#
        return envelope(name, "create", "/", "{\(inline),\(body)}", isAnswered: true)
    }

    /// Sets the property the tests count with.
    static func setSpeed(_ name: String, _ value: Int, isAnswered: Bool = false) -> String {
        envelope(name, "modify", "/features/engine/properties/speed", "\(value)", isAnswered: isAnswered)
    }

    static func retrieve(_ name: String) -> String { envelope(name, "retrieve", "/", nil, isAnswered: true) }

    /// Any command of the thing `plant:<name>`; its correlation id is `<name>-<criterion>`.
    static func envelope(
        _ name: String, _ criterion: String, _ path: String, _ value: String?, isAnswered: Bool
    ) -> String {
        let headers = #"{"correlation-id":"\#(name)-\#(criterion)","response-required":\#(isAnswered)}"#
        let tail = value.map { #","value":\#($0)"# } ?? ""
        return #"{"topic":"plant/\#(name)/things/twin/commands/\#(criterion)","#
            + #""headers":\#(headers),"path":"\#(path)"\#(tail)}"#
    }

    private static let body =
        #""attributes":{"maker":"Example Works","serial":4711},"#
        + #""features":{"engine":{"properties":{"speed":0,"oil":{"pressure":3.5}}}}"#
}
