import Glibc
import Synchronization
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("Managed connections")
struct ConnectionFleetTests {
    private let directory: TemporaryDirectory
    private let id: ConnectionID

    init() throws {
        directory = try TemporaryDirectory(isInMemory: true)
        id = try ConnectionID("c1")
    }

    @Test("an open connection is made before it is connected, and shown in full")
    func create() throws {
        let rig = try FleetRig(directory)
        let made = try rig.create("c1", try FleetRig.document("silent", password: "p%2Fw"))
        #expect(made.revision == 1 && made.file == nil)
        #expect(made.json["uri"]?.string == "tcp://user:p%2Fw@silent:1883")
        #expect(made.json["twinspan"] == nil, "readiness does not wait for it, which nobody has asked to be told")
        #expect(try rig.word("c1", "connectionStatus") == "open")
        #expect(rig.fleet.snapshots().allSatisfy { !$0.isRequired })
        #expect(rig.fleet.ids() == [id])
    }

    @Test(
        "what may not be made is refused",
        arguments: [
            ("taken", "connectivity:connection.conflict", 409), ("label", "acknowledgement:label.not.unique", 409),
            ("empty", "connectivity:connection.configuration.invalid", 400), ("type", "", 400),
        ])
    func refusals(_ what: String, _ code: String, _ status: Int) throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document(label: "c1:x:y"))
        let refused = error {
            switch what {
            case "taken": try rig.create("c1", try FleetRig.document())
            case "label": try rig.create("c1:x", try FleetRig.document(label: "c1:x:y"))
            case "type": try rig.create("c2", try FleetRig.document(type: "nonsense"))
            default: try rig.create("c2", ["connectionType": "mqtt", "connectionStatus": "open", "uri": "tcp://h:1"])
            }
        }
        #expect(refused?.status == status, "\(String(describing: refused))")
        if !code.isEmpty { #expect(refused?.code == code) }
        #expect(rig.fleet.ids() == [id])
    }

    @Test("closing and opening change the stored state once each, and are idempotent")
    func lifecycle() throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document())
        try rig.await("c1", .open)
        try rig.fleet.close(id)
        try rig.fleet.close(id)
        #expect(try rig.word("c1", "liveStatus") == "closed")
        #expect(try rig.word("c1", "connectionStatus") == "closed")
        #expect(try rig.fleet.definition(of: id).revision == 2)
        try rig.fleet.open(id, patience: .seconds(10))
        try rig.fleet.open(id, patience: .seconds(10))
        #expect(try rig.word("c1", "liveStatus") == "open")
        #expect(try rig.word("c1", "recoveryStatus") == "succeeded")
        #expect(try rig.fleet.definition(of: id).revision == 3)
        #expect(try rig.rig.engine.storedConnections().map(\.revision) == [3])
    }

    @Test("opening fails with the first failed attempt, and the connection goes on trying")
    func openRefused() throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document("refused", status: "closed"))
        let refused = error { try rig.fleet.open(id, patience: .seconds(10)) }
        #expect(refused?.code == "connectivity:connection.failed" && refused?.status == 504)
        #expect(refused?.message.contains("Could not establish a connection on 'refused:1883'") == true)
        #expect(refused?.description == "Refused. Go.")
        #expect(try rig.word("c1", "connectionStatus") == "open")
        #expect(try rig.word("c1", "recoveryStatus") == "ongoing")
        let late = error { try rig.fleet.open(id, patience: .seconds(1)) }
        #expect(late?.status == 504)
    }

    @Test("while one command waits for a broker, others on that connection are refused")
    func transition() throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document("silent", status: "closed"))
        let outcome = Mutex<TwinspanError?>(nil)
        let worker = WorkerThread(name: "open") { [id] in
            let failure = error { try rig.fleet.open(id, patience: .milliseconds(700)) }
            outcome.withLock { $0 = failure }
        }
        while try rig.word("c1", "connectionStatus") != "open" { usleep(2_000) }
        for refused in [
            error { try rig.fleet.close(id) }, error { try rig.fleet.open(id, patience: .zero) },
            error { try rig.modify("c1", try FleetRig.document()) },
            error { try rig.fleet.delete(id, check: anyRevision) },
        ] { #expect(refused?.code == "connectivity:signal.illegal" && refused?.status == 409) }
        worker.join()
        #expect(outcome.withLock { $0?.status } == 504)
        try rig.fleet.close(id)
    }

    @Test("a change counts a revision, connects anew, and tells whether that failed")
    func modify() throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document())
        try rig.modify("c1", try FleetRig.document(password: "new"))
        #expect(try rig.word("c1", "liveStatus") == "open")
        let failed = error { try rig.modify("c1", try FleetRig.document("refused")) }
        #expect(failed?.code == "connectivity:connection.failed")
        #expect(try rig.fleet.definition(of: id).revision == 3)
        #expect(try rig.fleet.definition(of: id).json["uri"]?.string == "tcp://refused:1883")
        let other = error { try rig.modify("c1", try FleetRig.document(status: "closed", type: "mqtt-5")) }
        #expect(other?.code == "connectivity:connection.configuration.invalid" && other?.status == 400)
        try rig.modify("c1", try FleetRig.document(status: "closed", type: "mqtt-5"), mayChangeType: true)
        #expect(try rig.word("c1", "liveStatus") == "closed")
        #expect(error { try rig.modify("c9", try FleetRig.document()) }?.status == 404)
        let check: RevisionCheck = { (revision: Int64?) throws(TwinspanError) in
            #expect(revision == 4)
            throw ConnectivityErrorTable.preconditionFailed.error()
        }
        #expect(error { try rig.fleet.delete(id, check: check) }?.status == 412)
        try rig.fleet.delete(id, check: anyRevision)
        #expect(rig.fleet.ids().isEmpty)
        #expect(try rig.rig.engine.storedConnections().isEmpty)
    }

    @Test("connections made over HTTP are there again after a restart, as they were")
    func restart() throws {
        let made = try FleetRig.run(directory) { rig in
            try rig.create("c2", try FleetRig.document(status: "closed"))
            return try rig.create("c1", try FleetRig.document(password: "p%2Fw"))
        }
        let rig = try FleetRig(directory)
        let loaded = try rig.fleet.definition(of: id)
        #expect(loaded.json == made.json && loaded.revision == 1 && loaded.created == made.created)
        try rig.await("c1", .open)
        #expect(try rig.word("c2", "liveStatus") == "closed")
    }

    @Test("a connection of a file is opened and closed by command, and never changed over HTTP")
    func files() throws {
        let rig = try FleetRig(directory, files: [try FleetRig.file("c1")])
        try rig.await("c1", .open)
        for refused in [
            error { try rig.create("c1", try FleetRig.document()) },
            error { try rig.modify("c1", try FleetRig.document()) },
            error { try rig.fleet.delete(id, check: anyRevision) },
        ] {
            #expect(refused?.code == "connectivity:connection.conflict" && refused?.status == 409)
            #expect(refused?.message.contains("plant.yaml:3") == true)
        }
        try rig.fleet.close(id)
        #expect(try rig.word("c1", "liveStatus") == "closed")
        #expect(try rig.rig.engine.storedConnections().isEmpty)
        // The same files change nothing; another text starts it again.
        rig.fleet.apply([try FleetRig.file("c1")], grace: .seconds(1))
        #expect(try rig.word("c1", "liveStatus") == "closed")
        let changes = rig.fleet.apply([try FleetRig.file("c1", fingerprint: 2)], grace: .seconds(1))
        #expect(changes == .init(started: [id], stopped: [id]))
        try rig.await("c1", .open)
        #expect(try rig.fleet.definition(of: id).revision == 2)
    }

    @Test("an id in a file and in the store is the file's, is told, and is the store's again when the file goes")
    func conflict() throws {
        try FleetRig.run(directory) { rig in
            try rig.create("c1", try FleetRig.document("silent"))
            try rig.create("c2", try FleetRig.document())
            let changes = rig.fleet.apply([try FleetRig.file("c1")], grace: .seconds(1))
            #expect(changes == .init(started: [id], stopped: [id]), "the other one is left alone")
            #expect(try rig.fleet.definition(of: id).file == "plant.yaml:3")
        }
        let rig = try FleetRig(directory, files: [try FleetRig.file("c1")])
        try rig.await("c1", .open)
        let notes = rig.fleet.snapshots().first { $0.id == id }?.notes ?? []
        #expect(notes.count == 1 && notes[0].contains("plant.yaml:3") && notes[0].contains("over HTTP"))
        rig.fleet.apply([], grace: .seconds(1))
        #expect(try rig.fleet.definition(of: id).file == nil)
        try rig.await("c1", .connecting)
    }

    @Test("nothing is made, changed or removed while the store takes no changes, or before the start")
    func closedStore() throws {
        let rig = try FleetRig(directory)
        rig.stop()
        let refused = error { try rig.create("c1", try FleetRig.document()) }
        #expect(refused?.code == "connectivity:connection.unavailable" && refused?.status == 503)
    }

    @Test(
        "a dry run tells what would happen, and keeps nothing",
        arguments: [
            ("good", "open", nil as String?, 0), ("refused", "open", "connectivity:connection.failed", 504),
            ("setting", "open", "connectivity:connection.unavailable", 503),
            ("password", "open", "connectivity:connection.failed", 504), ("good", "", "json.field.missing", 400),
            ("good", "nonsense", "json.format.invalid", 400),
        ])
    func dryRun(_ host: String, _ status: String, _ code: String?, _ number: Int) throws {
        let rig = try FleetRig(directory)
        var document = try FleetRig.document(host, status: status)
        if status.isEmpty { document["connectionStatus"] = nil }
        var text: String?
        let tried = document
        let failure = error { text = try rig.fleet.test(tried, id: id, patience: .seconds(5)) }
        #expect(failure?.status ?? 0 == number, "\(String(describing: failure))")
        if status != "nonsense" { #expect(failure?.code == code) }
        #expect((text == "successfully connected + initialized mapper") == (code == nil))
        #expect(rig.fleet.ids().isEmpty)
    }

    @Test("what is asked of an unknown connection is not found")
    func unknown() throws {
        let rig = try FleetRig(directory)
        for failure in [
            error { _ = try rig.status("x") }, error { _ = try rig.fleet.metrics(of: id) },
            error { _ = try rig.fleet.logs(of: id) }, error { try rig.fleet.resetLogs(of: id) },
            error { try rig.fleet.enableLogs(of: id) }, error { try rig.fleet.resetMetrics(of: id) },
            error { _ = try rig.fleet.tap(id, filter: TapFilter()) }, error { try rig.fleet.close(id) },
            error { try rig.fleet.open(id, patience: .zero) }, error { try rig.fleet.retry(deadLetter: 7) },
        ] { #expect(failure?.code == "connectivity:connection.notfound" && failure?.status == 404) }
    }

    @Test("log and metrics are those of the connection, also while it is closed")
    func observation() throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document())
        try rig.await("c1", .open)
        try rig.fleet.close(id)
        #expect(try rig.fleet.metrics(of: id)["connectionId"]?.string == "c1")
        try rig.fleet.resetLogs(of: id)
        let logs = try rig.fleet.logs(of: id)["connectionLogs"]?.array
        #expect(logs?.count == 1, "resetting leaves the entry about it")
        let tap = try rig.fleet.tap(id, filter: TapFilter())
        try rig.fleet.delete(id, check: anyRevision)
        _ = tap.take()
        #expect(tap.take() == nil, "the tap ends with the connection")
    }

    @Test("a dead letter is carried out once more, also by a connection that is closed")
    func retry() throws {
        let rig = try FleetRig(directory)
        try rig.create("c1", try FleetRig.document(status: "closed"))
        let time = rig.rig.clock.now
        let letter = DeadLetter(
            id: rig.rig.engine.makeRecordID(),
            message: KeptMessage(
                connection: id, source: 0, address: "in/1", payload: [1], headers: [], qos: 1, isRetained: false,
                receivedAt: time), attempts: 1, diedAt: time, stage: "mapping", error: .jsonInvalid("Broken."),
            correlationID: nil)
        try rig.rig.awaitCommit(rig.rig.engine.keep([.deadLetterPut(letter)]))
        try rig.fleet.retry(deadLetter: letter.id)
        #expect(try rig.rig.engine.deadLetter(letter.id) == nil)
        #expect(try rig.rig.engine.inbox(of: id).map(\.message.payload) == [[1]])
        let gone = error { try rig.fleet.retry(deadLetter: letter.id) }
        #expect(gone?.status == 404)
    }
}
