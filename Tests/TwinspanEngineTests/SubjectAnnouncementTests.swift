import Glibc
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// spec/policies-search.md A.9.2 with subscribers, acknowledgements and restarts.
@Suite("Announcements of subjects")
struct SubjectAnnouncementTests {
    private static let hour = SubjectFixture.hour
    private static let eleven = SubjectFixture.eleven
    private static let minute: Int64 = 60_000

    /// Ten minutes ahead, without spreading.
    private static func ahead(_ more: String = "") -> String {
        #"{"beforeExpiry":"10m","randomizationInterval":"0s"\#(more)}"#
    }

    private static let asking = #","requestedAcks":{"labels":["x:seen"],"timeout":"10s"}"#

    @Test("an announcement comes once, ahead of the expiry, to whoever it is for")
    func once() throws {
        let fixture = try SubjectFixture()
        let guest = fixture.listen()
        let stranger = fixture.listen(as: AuthorizationContext(["test:stranger"]))
        let elsewhere = fixture.listen(namespaces: ["m"])
        try fixture.make(Self.ahead())
        fixture.clock.setNow(Self.eleven - 10 * Self.minute - 1)
        fixture.settle()
        #expect(guest.load.waiting == 0)
        fixture.clock.setNow(Self.eleven - 10 * Self.minute)
        let heard = try fixture.heard(1, by: guest)
        let envelope = heard[0].envelope
        #expect(envelope.topic.text == "n/p/policies/announcements/subjectDeletion")
        #expect(envelope.path == .root)
        #expect(
            envelope.value?.value == [
                "deleteAt": .string(SubjectFixture.iso(Self.eleven)), "subjectIds": ["test:guest"],
            ])
        #expect(envelope.headers[.requestedAcks] == nil && envelope.headers.correlationID?.isEmpty == false)
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
        fixture.settle()
        #expect(guest.take().isEmpty && stranger.take().isEmpty && elsewhere.take().isEmpty)
        #expect(try fixture.rig.store.records.announcements(of: try PolicyID("n:p")).isEmpty, "nothing is left behind")
    }

    @Test("without acknowledgements one announcement is enough, also across a restart", arguments: [true, false])
    func onceAcrossRestart(isKilled: Bool) throws {
        let first = try SubjectFixture()
        let before = first.listen()
        try first.make(Self.ahead(#","whenDeleted":true"#))
        first.clock.setNow(Self.eleven - Self.minute)
        _ = try first.heard(1, by: before)
        first.settle()
        let second = try first.restarted(killed: isKilled)
        let after = second.listenAgain()
        first.clock.setNow(Self.eleven)
        try second.tend(until: "the guest is gone") { try second.guests().isEmpty }
        second.settle()
        #expect(after.take().isEmpty)
    }

    @Test("it is repeated until it is acknowledged; an expired subject stays until then")
    func repeated() throws {
        let fixture = try SubjectFixture()
        let guest = fixture.listen()
        try fixture.declare()
        try fixture.make(Self.ahead(Self.asking))
        fixture.clock.setNow(Self.eleven - 1_000)
        let first = try fixture.heard(1, by: guest)[0]
        #expect(first.envelope.headers[.requestedAcks] == ["x:seen"])
        #expect(first.envelope.headers.text(.timeout) == "10s")
        // Nobody acknowledges in time, then somebody is busy, then somebody has seen it.
        fixture.clock.advance(by: .seconds(11))
        fixture.engine.live.expireDue()
        fixture.settle()
        #expect(try fixture.guests() == ["test:guest"], "expired, but not acknowledged")
        fixture.clock.advance(by: .seconds(2))
        let second = try fixture.heard(1, by: guest)[0]
        #expect(second.correlationID != first.correlationID)
        #expect(try fixture.acknowledge(first) == .unknown, "too late")
        #expect(try fixture.acknowledge(second, 503) == .counted)
        fixture.settle()
        #expect(guest.take().isEmpty)
        fixture.clock.advance(by: .seconds(3))
        let third = try fixture.heard(1, by: guest)[0]
        #expect(try fixture.guests() == ["test:guest"])
        #expect(try fixture.acknowledge(third, 204) == .counted)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
        let metrics = fixture.engine.metrics.snapshot
        #expect(metrics.announcementsPublished == 3 && metrics.announcementsAcknowledged == 1)
        #expect(metrics.announcementsAbandoned == 0)
    }

    @Test("an acknowledged announcement is not repeated after a restart, an unacknowledged one is")
    func restart() throws {
        let first = try SubjectFixture()
        let before = first.listen()
        try first.declare()
        let guests = ["test:guest": SubjectFixture.guest(Self.ahead(Self.asking + #","whenDeleted":true"#))]
        for id in ["n:seen", "n:unseen"] { try first.rig.policy(.create, id, SubjectFixture.policy(guests)) }
        first.clock.setNow(Self.eleven - 9 * Self.minute)
        for announcement in try first.heard(2, by: before) where announcement.policyID.text == "n:seen" {
            try first.acknowledge(announcement)
        }
        try first.tend(until: "it is acknowledged") { first.engine.metrics.snapshot.announcementsAcknowledged == 1 }
        first.settle()
        let killed = try copyAfterKill(of: first.directory)
        first.rig.engine.stop()
        for directory in [nil, killed] {
            first.clock.setNow(Self.eleven - 9 * Self.minute)
            let second = try SubjectFixture(
                directory: directory ?? first.directory, store: directory == nil ? first.rig.store : nil,
                clock: first.clock)
            let after = second.listenAgain()
            try second.declare()
            let again = try second.heard(1, by: after)
            #expect(again.map(\.policyID.text) == ["n:unseen"])
            first.clock.setNow(Self.eleven)
            try second.tend(until: "the first is gone") { try second.guests(of: "n:seen").isEmpty }
            second.settle()
            #expect(try second.guests(of: "n:unseen") == ["test:guest"])
            try second.acknowledge(again[0])
            try second.tend(until: "the other is gone") { try second.guests(of: "n:unseen").isEmpty }
            second.settle()
            #expect(after.take().isEmpty)
            second.rig.engine.stop()
        }
    }

    @Test("down from before the announcement until after the expiry: announced first, then removed")
    func downThroughout() throws {
        let first = try SubjectFixture()
        try first.make(Self.ahead(Self.asking))
        let second: SubjectFixture
        first.clock.setNow(Self.eleven + Self.minute)
        second = try first.restarted()
        let guest = second.listenAgain()
        try second.declare()
        let announcement = try second.heard(1, by: guest)[0]
        #expect(announcement.deleteAt.milliseconds == Self.eleven)
        #expect(try second.guests() == ["test:guest"])
        try second.acknowledge(announcement)
        try second.tend(until: "the guest is gone") { try second.guests().isEmpty }
    }

    @Test("after the start it is waited a moment for those who are to be told")
    func settling() throws {
        let first = try SubjectFixture()
        try first.make(Self.ahead())
        first.clock.setNow(Self.eleven)
        let second = try first.restarted()
        second.settle()
        #expect(try second.guests() == ["test:guest"])
        let guest = second.listen()
        second.clock.advance(by: .seconds(1))
        _ = try second.heard(1, by: guest)
        try second.tend(until: "the guest is gone") { try second.guests().isEmpty }
    }

    @Test("an announcement that nobody listens to does not keep a subject, unless it wants acknowledgements")
    func nobody() throws {
        let fixture = try SubjectFixture()
        try fixture.make(Self.ahead())
        try fixture.rig.policy(
            .create, "n:q", SubjectFixture.policy(["test:guest": SubjectFixture.guest(Self.ahead(Self.asking))]))
        fixture.clock.advance(by: .seconds(20))
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "one is gone") { try fixture.guests().isEmpty }
        #expect(try fixture.guests(of: "n:q") == ["test:guest"])
        fixture.settle()
        let guest = fixture.listen()
        try fixture.declare()
        fixture.clock.advance(by: .seconds(10))
        let announcement = try fixture.heard(1, by: guest)[0]
        try fixture.acknowledge(announcement)
        try fixture.tend(until: "the other is gone") { try fixture.guests(of: "n:q").isEmpty }
    }

    @Test("after the grace period a subject goes without acknowledgement, and that is told", arguments: [408, 503])
    func grace(status: Int) throws {
        let fixture = try SubjectFixture()
        let abandoned = Watched<[AbandonedAnnouncement]>([])
        fixture.engine.announcements.whenAbandoned { announcement in abandoned.update { $0.append(announcement) } }
        let guest = fixture.listen()
        try fixture.declare()
        try fixture.make(Self.ahead(Self.asking))
        fixture.clock.setNow(Self.eleven - 5 * Self.minute)
        try fixture.acknowledge(try fixture.heard(1, by: guest)[0], status)
        fixture.settle()
        fixture.clock.setNow(Self.eleven + 4 * Self.hour - 1)
        fixture.settle()
        #expect(try fixture.guests() == ["test:guest"])
        fixture.clock.setNow(Self.eleven + 4 * Self.hour)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
        #expect(
            abandoned.current == [
                AbandonedAnnouncement(
                    policyID: try PolicyID("n:p"), subjectID: "test:guest", attempts: 1, status: nil)
            ])
        #expect(fixture.engine.metrics.snapshot.announcementsAbandoned == 1)
    }

    @Test("a refusal ends it: no repetition, and the subject leaves at its expiry", arguments: [400, 403, 404, 429])
    func refused(status: Int) throws {
        let fixture = try SubjectFixture()
        let abandoned = Watched<[AbandonedAnnouncement]>([])
        fixture.engine.announcements.whenAbandoned { announcement in abandoned.update { $0.append(announcement) } }
        let guest = fixture.listen()
        try fixture.declare()
        try fixture.make(Self.ahead(Self.asking + #","whenDeleted":true"#))
        fixture.clock.setNow(Self.eleven - 5 * Self.minute)
        try fixture.acknowledge(try fixture.heard(1, by: guest)[0], status)
        try fixture.tend(until: "it is given up") { !abandoned.current.isEmpty }
        #expect(abandoned.current.map(\.status) == [status])
        #expect(try fixture.guests() == ["test:guest"])
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
        fixture.settle()
        #expect(guest.take().isEmpty)
    }

    /// How a subject with `whenDeleted` leaves, and when it was to leave.
    enum Removal: String, CaseIterable, Sendable { case subject, entry, entries, policy, replaced, renewed, elsewhere }

    @Test("whoever wants to hear of his removal does, unless he is replaced", arguments: Removal.allCases)
    func whenDeleted(removal: Removal) throws {
        let fixture = try SubjectFixture()
        let guest = fixture.listen()
        try fixture.make(#"{"whenDeleted":true}"#)
        fixture.settle()
        let now = fixture.clock.now
        let bare = SubjectFixture.policy([:])
        switch removal {
        case .subject: try fixture.rig.policy(.delete, "n:p", at: "/entries/guests/subjects/test:guest")
        case .entry: try fixture.rig.policy(.delete, "n:p", at: "/entries/guests")
        case .entries:
            let entries = try json(bare).object?["entries"] ?? .null
            try fixture.rig.policy(.modify, "n:p", entries.text, at: "/entries")
        case .policy: try fixture.rig.policy(.delete, "n:p")
        case .replaced:
            try fixture.rig.policy(.modify, "n:p", #"{"type":"t"}"#, at: "/entries/guests/subjects/test:guest")
        case .renewed:
            try fixture.rig.policy(
                .modify, "n:p", SubjectFixture.guest(#"{"whenDeleted":true}"#, expiry: Self.eleven + Self.hour),
                at: "/entries/guests/subjects/test:guest")
        case .elsewhere:
            try fixture.rig.policy(
                .modify, "n:p", SubjectFixture.policy([:], others: ["test:guest": #"{"type":"t"}"#]))
        }
        switch removal {
        case .subject, .entry, .entries, .policy:
            #expect(try fixture.heard(1, by: guest)[0].deleteAt == now)
        case .replaced, .renewed, .elsewhere: break
        }
        fixture.settle()
        #expect(guest.take().isEmpty)
        #expect(try fixture.rig.store.records.announcements(of: try PolicyID("n:p")).isEmpty)
    }

    @Test("nobody is told of his removal who does not want it, was told before, or where the operator has it off")
    func notWhenDeleted() throws {
        for (announcement, isOn, isAcknowledged) in [
            (Self.ahead(), true, false), (Self.ahead(#","whenDeleted":true"#), true, true),
            (#"{"whenDeleted":true}"#, false, false),
        ] {
            let fixture = try SubjectFixture(announcements: AnnouncementSettings(announcesDeletions: isOn))
            let guest = fixture.listen()
            try fixture.make(announcement)
            if isAcknowledged {
                fixture.clock.setNow(Self.eleven - Self.minute)
                _ = try fixture.heard(1, by: guest)
            }
            try fixture.rig.policy(.delete, "n:p")
            fixture.settle()
            #expect(guest.take().isEmpty, "\(announcement)")
            #expect(try fixture.rig.store.records.announcements(of: try PolicyID("n:p")).isEmpty)
        }
    }

    @Test("a removal is announced until it is acknowledged, across restarts, and then forgotten")
    func removalAcrossRestart() throws {
        let first = try SubjectFixture()
        let before = first.listen()
        try first.declare()
        try first.make(#"{"whenDeleted":true\#(Self.asking)}"#, expiry: nil)
        let deletedAt = first.clock.now
        try first.rig.policy(.delete, "n:p")
        #expect(try first.heard(1, by: before)[0].deleteAt == deletedAt)
        first.settle()
        let killed = try copyAfterKill(of: first.directory)
        first.clock.advance(by: .seconds(60))
        let second = try SubjectFixture(directory: killed, clock: first.clock)
        let after = second.listenAgain()
        try second.declare()
        let again = try second.heard(1, by: after)[0]
        #expect(again.deleteAt == deletedAt && again.subjectIDs == ["test:guest"])
        try second.acknowledge(again)
        try second.tend(until: "it is forgotten") { try second.rig.store.records.announcementsOfRemoved().isEmpty }
        let third = try second.restarted()
        let late = third.listenAgain()
        third.settle()
        #expect(late.take().isEmpty)
    }

    @Test("killed between announcement and removal: the removal comes after the start, the announcement not again")
    func killedBetween() throws {
        let first = try SubjectFixture()
        let before = first.listen()
        try first.declare()
        try first.make(#"{"whenDeleted":true\#(Self.asking)}"#)
        first.clock.setNow(Self.eleven)
        let announcement = try first.heard(1, by: before)[0]
        let unacknowledged = try copyAfterKill(of: first.directory)
        // The acknowledgement is durable together with the removal or before it.
        try first.acknowledge(announcement)
        try first.tend(until: "the guest is gone") { try first.guests().isEmpty }
        let removed = try copyAfterKill(of: first.directory)
        for (directory, isRepeated) in [(unacknowledged, true), (removed, false)] {
            let second = try SubjectFixture(directory: directory, clock: first.clock)
            let after = second.listenAgain()
            try second.declare()
            if isRepeated { try second.acknowledge(try second.heard(1, by: after)[0]) }
            try second.tend(until: "the guest is gone") { try second.guests().isEmpty }
            second.settle()
            #expect(after.take().isEmpty)
        }
    }

    @Test("a full inbox is a loss: it is announced again")
    func overflow() throws {
        let fixture = try SubjectFixture()
        let guest = fixture.listen(capacity: 0)
        try fixture.make(Self.ahead())
        fixture.clock.setNow(Self.eleven)
        fixture.settle()
        #expect(guest.load.overflowed == 1)
        #expect(try fixture.guests() == ["test:guest"])
        fixture.engine.announcements.remove(guest)
        let other = fixture.listen()
        fixture.clock.advance(by: .seconds(2))
        _ = try fixture.heard(1, by: other)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
    }
}
