import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("Secrets of stored connections")
struct StoredSecretsTests {
    private static let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    private static let other = "_-7dzLuqmYh3ZlVEMyIRAP_u3cy7qpmId2ZVRDMiEQA"

    private let directory: TemporaryDirectory
    private let id: ConnectionID

    init() throws {
        directory = try TemporaryDirectory(isInMemory: true)
        id = try ConnectionID("c1")
        let rig = try FleetRig(directory, secrets: try SecretsAtRest(key: Self.key))
        try rig.create("c1", try FleetRig.document(password: "pass%2Fword"))
        let text = String(decoding: try #require(try rig.rig.engine.storedConnections().first).text, as: UTF8.self)
        #expect(!text.contains("pass") && text.contains("tcp://user:encrypted_"))
        #expect(try rig.fleet.definition(of: id).json["uri"]?.string == "tcp://user:pass%2Fword@good:1883")
        rig.stop()
    }

    @Test("the key they were encrypted with opens them, also as the old one")
    func rightKeys() throws {
        for secrets in [
            try SecretsAtRest(key: Self.key), try SecretsAtRest(key: Self.other, oldKey: Self.key),
        ] {
            let rig = try FleetRig(directory, secrets: secrets)
            try rig.await("c1", .open)
            #expect(try rig.fleet.definition(of: id).json["uri"]?.string == "tcp://user:pass%2Fword@good:1883")
            rig.stop()
        }
    }

    @Test("without the right key the connection is misconfigured, and kept")
    func wrongKeys() throws {
        for secrets in [nil, try SecretsAtRest(key: Self.other)] {
            let rig = try FleetRig(directory, secrets: secrets)
            #expect(try rig.word("c1", "liveStatus") == "misconfigured")
            let failure = rig.fleet.snapshots().first?.failure
            #expect(failure?.reason == "invalid-definition" && failure?.message.contains("decrypted") == true)
            let refused = error { try rig.fleet.open(id, patience: .seconds(1)) }
            #expect(refused?.code == "connectivity:connection.configuration.invalid" && refused?.status == 400)
            #expect(try rig.rig.engine.storedConnections().count == 1)
            rig.stop()
        }
        // Written anew it works again.
        let rig = try FleetRig(directory, secrets: try SecretsAtRest(key: Self.other))
        try rig.modify("c1", try FleetRig.document(password: "new"))
        #expect(try rig.word("c1", "liveStatus") == "open")
    }

    @Test("secrets that were stored as they are stay readable when a key is given")
    func plain() throws {
        let other = try TemporaryDirectory(isInMemory: true)
        try FleetRig.run(other) { _ = try $0.create("c1", try FleetRig.document(password: "plain")) }
        let rig = try FleetRig(other, secrets: try SecretsAtRest(key: Self.key))
        try rig.await("c1", .open)
    }
}
