// Connections made over HTTP against a real broker: what the fleet says of a connection is what happened at the broker.
import Logging
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMQTT
import TwinspanProtocol
import TwinspanSQLite
import TwinspanSupervisor
import TwinspanTestSupport

@Suite("Managed connections at a broker")
struct ManagedConnectionTests {
    private let directory: TemporaryDirectory
    private let rig: EngineRig
    private let fleet: ConnectionFleet

    init() throws {
        directory = try TemporaryDirectory(isInMemory: true)
        rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os))
        var environment = SupervisorEnvironment(
            engine: rig.engine, clock: rig.clock, adapters: [MQTTBrokerClient(timing: .short)],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        environment.reading = ConnectionReading(
            read: { document, id in
                do throws(TwinspanError) {
                    return .success(try ConnectionJSON.read(.object(document), id: id))
                } catch {
                    return .failure(error)
                }
            }, write: { $0.json(.shown) }, store: { $0.json(.stored) })
        fleet = ConnectionFleet(environment: environment)
        fleet.apply([], grace: .seconds(1))
    }

    private func document(_ port: Int, status: String = "open", login: String = "") throws -> JSONObject {
        let text = #"""
            {"connectionType":"mqtt","connectionStatus":"\#(status)","uri":"tcp://\#(login)127.0.0.1:\#(port)",
             "sources":[{"addresses":["in/#"],"qos":1,"authorizationContext":["a:b"],
                         "replyTarget":{"enabled":false}}],
             "targets":[{"address":"out","qos":1,"topics":["_/_/things/twin/events"],"authorizationContext":["a:b"]}]}
            """#
        return try JSONValue.parse(text).object ?? JSONObject()
    }

    private func status(_ id: ConnectionID, _ member: String) throws -> String? {
        try fleet.status(of: id)[member]?.string
    }

    @Test("create, open, status, close, and a dry run beside it")
    func lifecycle() throws {
        defer {
            fleet.stop(grace: .seconds(1))
            rig.engine.stop()
        }
        let broker = try BrokerProcess(.persistent)
        let id = try ConnectionID("managed")
        let any: RevisionCheck = { (_: Int64?) throws(TwinspanError) in }
        _ = try fleet.create(try document(broker.port, status: "closed"), id: id, check: any)
        #expect(try status(id, "liveStatus") == "closed")
        try fleet.open(id, patience: .seconds(10))
        #expect(try status(id, "liveStatus") == "open")
        let clients = try fleet.status(of: id)["clientStatus"]?.array
        #expect(clients?.first?.object?["statusDetails"]?.string == "CONNECTED")
        let dryRun = try ConnectionID("other-dry-run")
        let text = try fleet.test(try document(broker.port), id: dryRun, patience: .seconds(10))
        #expect(text == "successfully connected + initialized mapper")
        #expect(try status(id, "liveStatus") == "open", "a dry run takes nobody's session")
        try fleet.close(id)
        #expect(try status(id, "liveStatus") == "closed")
        broker.stop()
        let failure = #expect(throws: TwinspanError.self) { try fleet.open(id, patience: .seconds(10)) }
        #expect(failure?.code == "connectivity:connection.failed" && failure?.status == 504)
        let refused = #expect(throws: TwinspanError.self) {
            try fleet.test(try document(broker.port), id: dryRun, patience: .seconds(10))
        }
        #expect(refused?.status == 504)
        #expect(refused?.message.contains("Could not establish a connection on '127.0.0.1:\(broker.port)'") == true)
    }

    @Test("a dry run names the step that failed, and consumes nothing")
    func probe() throws {
        defer {
            fleet.stop(grace: .seconds(1))
            rig.engine.stop()
        }
        var settings = BrokerProcess.Settings.persistent
        settings.users = ["plant": "right"]
        let broker = try BrokerProcess(settings)
        let sender = try RawMQTTClient(port: broker.port, clientID: "s", user: "plant", password: "right")
        try sender.publish([Array("kept".utf8)], to: "in/1", isRetained: true)
        let id = try ConnectionID("x-dry-run")
        let wrong = #expect(throws: TwinspanError.self) {
            try fleet.test(try document(broker.port, login: "plant:wrong@"), id: id, patience: .seconds(10))
        }
        #expect(wrong?.status == 504 && wrong?.message.contains("authenticate") == true)
        _ = try fleet.test(try document(broker.port, login: "plant:right@"), id: id, patience: .seconds(10))
        #expect(rig.engine.inboxLoad.isEmpty && rig.engine.deadLetterLoad.isEmpty)
    }
}
