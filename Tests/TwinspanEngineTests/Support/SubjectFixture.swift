import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// An engine whose policies have guests that leave, and somebody who listens to what is announced to them. The clock
/// begins at 22:13:20; expiries are at full hours.
final class SubjectFixture: Sendable {
    static let hour: Int64 = 3_600_000
    /// The full hour after the start of the clock.
    static let eleven: Int64 = 1_700_002_800_000
    static let guest = AuthorizationContext(["test:guest"])
    static let session = (try? ConnectionID("listener"))!

    let directory: TemporaryDirectory
    let clock: ManualClock
    let rig: EngineRig
    var engine: TwinEngine { rig.engine }

    /// - Parameters:
    ///   - directory: of another engine that was killed or has ended.
    ///   - store: its store, where that is still there.
    init(
        directory: TemporaryDirectory? = nil, store: FaultyStore? = nil, clock: ManualClock = ManualClock(),
        announcements: AnnouncementSettings = AnnouncementSettings(), granularity: Duration = .seconds(3600)
    ) throws {
        self.directory = try directory ?? TemporaryDirectory(isInMemory: true)
        self.clock = clock
        var settings = EngineRig.settings()
        settings.access.announcements = announcements
        settings.access.expiryGranularity = granularity
        rig = try EngineRig(
            store: try store ?? FaultyStore(try SQLiteStore(directory: self.directory.path, durability: .os)),
            clock: clock, settings: settings)
    }

    deinit { rig.engine.stop() }

    /// The same data with a new engine, after an orderly end or a kill.
    func restarted(killed: Bool = false) throws -> SubjectFixture {
        let copy = killed ? try copyAfterKill(of: directory) : nil
        rig.engine.stop()
        return try SubjectFixture(directory: copy ?? directory, store: copy == nil ? rig.store : nil, clock: clock)
    }

    /// Listens, and lets a moment pass in which the watch finds out.
    func listenAgain() -> AnnouncementSubscription {
        defer { clock.advance(by: .seconds(1)) }
        return listen()
    }

    static func iso(_ milliseconds: Int64) -> String { Timestamp(milliseconds: milliseconds).iso8601 }

    /// A subject that expires, by default at eleven.
    static func guest(_ announcement: String? = nil, expiry: Int64? = eleven) -> String {
        let expiry = expiry.map { #","expiry":"\#(iso($0))""# } ?? ""
        return #"{"type":"t"\#(expiry)\#(announcement.map { #","announcement":\#($0)"# } ?? "")}"#
    }

    /// A policy with an owner and these subjects in the entry `guests`.
    static func policy(_ subjects: [String: String], others: [String: String] = [:]) -> String {
        func members(_ subjects: [String: String]) -> String {
            subjects.sorted { $0.key < $1.key }.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",")
        }
        let resources = #"{"thing:/":{"grant":["READ"],"revoke":[]}}"#
        let more = others.isEmpty ? "" : #","others":{"subjects":{\#(members(others))},"resources":\#(resources)}"#
        return """
            {"entries":{"owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{
            "policy:/":{"grant":["READ","WRITE"],"revoke":[]},"thing:/":{"grant":["READ","WRITE"],"revoke":[]}}},
            "guests":{"subjects":{\(members(subjects))},"resources":\(resources)}\(more)}}
            """
    }

    /// Makes `n:p` with `test:guest`.
    func make(_ announcement: String? = nil, expiry: Int64? = eleven) throws {
        try rig.policy(.create, "n:p", Self.policy(["test:guest": Self.guest(announcement, expiry: expiry)]))
    }

    /// The guests of a policy.
    func guests(of id: String = "n:p", entry: String = "guests") throws -> [String] {
        let response = try rig.policy(.retrieve, id, at: "/entries/\(entry)/subjects")
        return response.value?.value.object.map { Array($0.keys) } ?? []
    }

    func listen(
        as subjects: AuthorizationContext = guest, namespaces: Set<String> = [], capacity: Int = 100_000
    ) -> AnnouncementSubscription {
        let subscription = AnnouncementSubscription(
            readers: [.init(subjects: subjects, namespaces: namespaces)], capacity: capacity, byteCapacity: 1 << 30,
            wake: {}, onOverflow: { _ in })
        engine.announcements.add(subscription)
        return subscription
    }

    /// Acknowledges an announcement.
    @discardableResult
    func acknowledge(_ announcement: PolicyAnnouncement, _ status: Int = 200, label: String = "x:seen") throws
        -> AnswerFate
    {
        var headers = DittoHeaders()
        headers.correlationID = announcement.correlationID
        return try engine.live.answer(
            Acknowledgement(
                label: try AckLabel(label), thingID: ThingID(textOf: announcement.policyID), channel: .twin,
                status: status, headers: headers), from: Self.session)
    }

    func declare(_ label: String = "x:seen") throws {
        try engine.live.declareAcks([try AckLabel(label)], by: Self.session)
    }

    /// Lets the watch work until the condition holds.
    func tend(until wanted: String, within seconds: Double = 10, _ isMet: () throws -> Bool) throws {
        for _ in 0..<Int(seconds * 200) {
            engine.tendSubjects()
            if try isMet() { return }
            usleep(5_000)
        }
        throw ScenarioFailure("it never came to be: \(wanted)")
    }

    /// Lets the watch do everything there is to do now.
    func settle() {
        for _ in 0..<5 {
            rig.engine.leadership.withLock { _ in }
            engine.tendSubjects()
        }
    }

    /// The announcements that come, so many of them.
    func heard(_ count: Int, by subscription: AnnouncementSubscription) throws -> [PolicyAnnouncement] {
        var heard: [PolicyAnnouncement] = []
        try tend(until: "\(count) announcements") {
            heard += subscription.take()
            return heard.count >= count
        }
        #expect(heard.count == count)
        return heard
    }
}
