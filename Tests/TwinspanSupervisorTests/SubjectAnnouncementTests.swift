import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// Targets with the topic `_/_/policies/announcements` (spec/connectivity.md §1.5, §3.3; test ideas 47 and 60b).
@Suite("Announcements of policies at targets")
struct SubjectAnnouncementTests {
    private static let expiry = "2023-11-14T23:00:00Z"

    private static func policy(_ rig: PipelineRig, _ announcement: String, id: String = "n:p") throws {
        try rig.rig.policy(
            .create, id,
            """
            {"entries":{"owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{
            "policy:/":{"grant":["READ","WRITE"],"revoke":[]}}},"guests":{"subjects":{"test:guest":{"type":"t",
            "expiry":"\(expiry)","announcement":\(announcement)}},"resources":{}}}}
            """)
    }

    private static let ahead = #"{"beforeExpiry":"1h","randomizationInterval":"0s"}"#
    private static let asking =
        #"{"beforeExpiry":"1h","randomizationInterval":"0s","requestedAcks":{"labels":["c1:seen"],"timeout":"10s"}}"#

    private static func guests(_ rig: PipelineRig, of id: String = "n:p") throws -> Int {
        try rig.rig.policy(.retrieve, id, at: "/entries/guests/subjects").value?.value.object?.count ?? -1
    }

    private static func tend(_ rig: PipelineRig, until wanted: String, _ isMet: () throws -> Bool) throws {
        for _ in 0..<2_000 {
            rig.rig.engine.tendSubjects()
            if try isMet() { return }
            usleepMilliseconds(5)
        }
        throw ScenarioFailure("it never came to be: \(wanted)")
    }

    @Test("it goes to the targets of the subject, by topic and namespace, through mappers, headers and placeholders")
    func targets() throws {
        let rig = try PipelineRig()
        let wants = try topic(.policyAnnouncements)
        let targets = try [
            target(
                "{{ entity:namespace }}/{{ entity:id }}/{{ topic:criterion }}/{{ topic:subject }}/{{ resource:type }}",
                topics: [wants], subjects: ["test:x", "test:guest"], headers: [("to", "{{ entity:id }}")]),
            target("thing/{{ thing:id }}", topics: [wants], subjects: ["test:guest"]),
            target("other-subject", topics: [wants], subjects: ["test:owner"]),
            target("namespace", topics: [topic(.policyAnnouncements, namespaces: ["m"])], subjects: ["test:guest"]),
            target("events", topics: [topic(), topic(.connectionAnnouncements)], subjects: ["test:guest"]),
        ]
        try rig.withTargets(targets) {
            try Self.policy(rig, Self.ahead)
            let sent = try rig.awaitSent(1)
            #expect(sent[0].address == "n/n:p/announcements/subjectDeletion/policy")
            #expect(sent[0].headers.contains { $0 == ("to", "n:p") })
            #expect(try sent[0].envelope["topic"]?.string == "n/p/policies/announcements/subjectDeletion")
            #expect(
                try sent[0].envelope["value"] == ["deleteAt": .string(Self.expiry), "subjectIds": ["test:guest"]])
            rig.checkBalance(waiting: sent)
        }
        #expect(rig.sent().isEmpty)
        #expect(
            rig.counts == [
                "offered": 4, "denied/no-read-permission": 1, "filtered": 1, "dropped/address-unresolved": 1,
            ])
    }

    @Test("the acknowledgement that a target issues settles it; before that it is sent again")
    func issued() throws {
        let rig = try PipelineRig()
        let targets = try [
            target(topics: [topic(.policyAnnouncements)], subjects: ["test:guest"], label: "c1:seen")
        ]
        try rig.withWayOut(rig.connection(targets: targets)) { wayOut in
            try Self.policy(rig, Self.asking)
            let first = try rig.awaitSent(1)
            rig.rig.clock.advance(by: .seconds(2_800))
            wayOut.outcomes.dropped(first[0], reason: "broker-away", capacity: 1)
            try Self.tend(rig, until: "it is not acknowledged") {
                rig.rig.clock.advance(by: .milliseconds(100))
                return rig.queue.load.messages == 1
            }
            #expect(try Self.guests(rig) == 1, "the subject stays")
            let second = try rig.awaitSent(1)
            wayOut.outcomes.confirmed(second[0])
            try Self.tend(rig, until: "the guest is gone") { try Self.guests(rig) == 0 }
        }
        #expect(rig.rig.engine.metrics.snapshot.announcementsAcknowledged == 1)
        #expect(rig.rig.engine.metrics.snapshot.announcementsPublished == 2)
        #expect(rig.sent().isEmpty)
    }

    @Test("a device acknowledges through a source that declares the label", arguments: ["policies", "things/twin"])
    func declared(group: String) throws {
        let rig = try PipelineRig()
        let from = try source(declaredAcks: ["c1:seen"])
        let inlet = try rig.inlet(from)
        let connection = try rig.connection(
            sources: [from], targets: [target(topics: [topic(.policyAnnouncements)], subjects: ["test:guest"])])
        try rig.withWayOut(connection) { _ in
            try Self.policy(rig, Self.asking)
            let sent = try rig.awaitSent(1)
            #expect(try sent[0].member("/headers/requested-acks") == ["c1:seen"])
            let id = try #require(try sent[0].member("/headers/correlation-id")?.string)
            let acknowledgement =
                #"{"topic":"n/p/\#(group)/acks/c1:seen","headers":{"correlation-id":"\#(id)"},"path":"/","status":200}"#
            let messages = batch([("in/x", acknowledgement)])
            #expect(inlet.settlement(of: inlet.accept(messages), patience: .seconds(10)) == .committed)
            rig.rig.clock.advance(by: .seconds(2_800))
            try Self.tend(rig, until: "the guest is gone") { try Self.guests(rig) == 0 }
        }
        #expect(rig.rig.engine.metrics.snapshot.announcementsAcknowledged == 1)
    }

    @Test("what a mapper leaves out is acknowledged weakly: it is not sent again")
    func leftOut() throws {
        let rig = try PipelineRig()
        let targets = try [
            target(
                topics: [topic(.policyAnnouncements)], subjects: ["test:guest"], payload: ["Nothing"], label: "c1:seen")
        ]
        var connection = try rig.connection(targets: targets)
        connection.mappingDefinitions = ["Nothing": MappingDefinition(engine: "Nothing")]
        try rig.withWayOut(connection, mappers: .forTests) { _ in
            try Self.policy(rig, Self.asking)
            try Self.tend(rig, until: "it is acknowledged") {
                rig.rig.engine.metrics.snapshot.announcementsAcknowledged == 1
            }
            rig.rig.clock.advance(by: .seconds(2_800))
            try Self.tend(rig, until: "the guest is gone") { try Self.guests(rig) == 0 }
        }
        #expect(rig.rig.engine.metrics.snapshot.announcementsAcknowledged == 1)
    }
}
