import Glibc
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanSupervisor

/// A fleet over a real store, with brokers that do what their host's name says: `good` opens, `refused` fails,
/// `silent` never answers.
final class FleetRig: Sendable {
    let rig: EngineRig
    let fleet: ConnectionFleet

    init(_ directory: TemporaryDirectory, secrets: SecretsAtRest? = nil, files: [Connection] = []) throws {
        rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os))
        var environment = SupervisorEnvironment(
            engine: rig.engine, clock: rig.clock, adapters: [NamedBrokers()],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        environment.secrets = secrets
        environment.instance = "here"
        var limits = ConnectionLimits()
        limits.servedTypes = [.mqtt, .mqtt5]
        let rules = ReadingRules(limits: limits)
        environment.reading = ConnectionReading(
            read: { document, id in
                do throws(TwinspanError) {
                    return .success(try ConnectionJSON.read(.object(document), id: id, rules: rules))
                } catch {
                    return .failure(error)
                }
            }, write: { $0.json(.shown) }, store: { $0.json(.stored) })
        fleet = ConnectionFleet(environment: environment)
        try fleet.loadStored()
        fleet.apply(files, grace: .seconds(1))
    }

    /// Ends everything, so that another rig can have the directory.
    func stop() {
        fleet.stop(grace: .seconds(1))
        rig.engine.stop()
    }

    deinit { stop() }

    /// Uses a fleet and lets go of the directory, as a process does that ends.
    static func run<Result>(_ directory: TemporaryDirectory, _ body: (FleetRig) throws -> Result) throws -> Result {
        let rig = try FleetRig(directory)
        defer { rig.stop() }
        return try body(rig)
    }

    /// A definition for a broker of this name.
    static func document(
        _ host: String = "good", status: String = "open", type: String = "mqtt", password: String? = nil,
        label: String? = nil
    ) throws -> JSONObject {
        let login = password.map { "user:\($0)@" } ?? ""
        let acks = label.map { #","declaredAcks":["\#($0)"]"# } ?? ""
        let text = #"""
            {"connectionType":"\#(type)","connectionStatus":"\#(status)","uri":"tcp://\#(login)\#(host):1883",
             "sources":[{"addresses":["in/#"],"qos":1,"authorizationContext":["a:b"],
                         "replyTarget":{"enabled":false}\#(acks)}]}
            """#
        return try JSONValue.parse(text).object ?? JSONObject()
    }

    /// A connection as a file has it.
    static func file(_ id: String, host: String = "good", fingerprint: UInt64 = 1) throws -> Connection {
        var connection = try ConnectionJSON.read(.object(try document(host)), id: try ConnectionID(id))
        connection.origin = ConfigurationOrigin(file: "plant.yaml", line: 3, fingerprint: fingerprint)
        return connection
    }

    @discardableResult
    func create(_ id: String, _ document: JSONObject) throws -> ConnectionDefinition {
        try fleet.create(document, id: try ConnectionID(id), check: anyRevision)
    }

    func modify(_ id: String, _ document: JSONObject, mayChangeType: Bool = false) throws {
        try fleet.modify(
            document, id: try ConnectionID(id), mayChangeType: mayChangeType, patience: .seconds(10), check: anyRevision
        )
    }

    func status(_ id: String) throws -> JSONObject { try fleet.status(of: try ConnectionID(id)) }
    func word(_ id: String, _ member: String) throws -> String? { try status(id)[member]?.string }

    /// Waits for the state of a connection.
    func await(_ id: String, _ state: ConnectionState) throws {
        for _ in 0..<2_000 {
            if fleet.snapshots().contains(where: { $0.id.text == id && $0.state == state }) { return }
            usleep(5_000)
        }
        throw ScenarioFailure("'\(id)' is not \(state)")
    }
}

let anyRevision: RevisionCheck = { (_: Int64?) throws(TwinspanError) in }

/// The error that a body throws.
func error(_ body: () throws -> Void) -> TwinspanError? {
    do {
        try body()
        return nil
    } catch let error as TwinspanError {
        return error
    } catch {
        return nil
    }
}

private struct NamedBrokers: BrokerAdapter {
    let types: [ConnectionType] = [.mqtt, .mqtt5]

    func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession {
        NamedSession(host: connection.uri.host)
    }

    func publisher(
        for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes
    ) -> any BrokerSession {
        NamedSession(host: connection.uri.host)
    }

    func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        connection.uri.host == "good" ? .stopped : .failed(NamedSession.failure(connection.uri.host))
    }
}

private final class NamedSession: BrokerSession {
    private let host: String
    private let doorbell = Doorbell()
    private let isStopping = Atomic<Bool>(false)

    init(host: String) { self.host = host }

    func run(observer: any SessionObserver) -> SessionEnd {
        if host == "good" { observer.opened() }
        if host != "good", host != "silent" { return .failed(Self.failure(host)) }
        while !isStopping.load(ordering: .acquiring) { doorbell.wait(patience: .seconds(1)) }
        return .stopped
    }

    func stop(grace: Duration) {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
    }

    static func failure(_ host: String) -> BrokerFailure {
        switch host {
        case "setting":
            BrokerFailure(step: .connect, reaction: .misconfigured, reason: "invalid-setting", message: "Bad PEM.")
        case "password":
            BrokerFailure(
                step: .authenticate, reaction: .misconfigured, reason: "bad-credentials", message: "Wrong password.")
        default: BrokerFailure(step: .connect, reaction: .backOff, reason: "refused", message: "Refused.", hint: "go")
        }
    }
}
