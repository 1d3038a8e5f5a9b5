import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@testable import TwinspanEngine

/// The decisions of spec/policies-search.md A.9.2, without a clock, an engine or a store.
@Suite("The course of a subject")
struct SubjectCourseTests {
    private static let pauses = Duration.seconds(1) ... .seconds(60)
    private static let grace: Int64 = 1_000_000
    private static let expiry: Int64 = 10_000_000

    private static func subject(
        _ announcement: String?, expires: Bool = true, settings: AnnouncementSettings = AnnouncementSettings()
    ) throws -> WatchedSubject {
        var members = JSONObject([("type", "t")])
        if expires { members["expiry"] = .string(Timestamp(milliseconds: expiry).iso8601) }
        if let announcement { members["announcement"] = try json(announcement) }
        return WatchedSubject(
            try PolicySubject.parse(id: "a:b", .object(members)), of: try PolicyID("n:p"), settings)
    }

    private static func step(_ course: SubjectCourse, at now: Int64, monotonic: UInt64 = 0) -> SubjectCourse.Step {
        course.step(now: now, monotonic: monotonic, grace: grace)
    }

    private static let announce = SubjectCourse.Step.announce(deleteAt: Timestamp(milliseconds: expiry))

    struct Row: Sendable {
        let announcement: String?
        /// Milliseconds before the expiry.
        let ahead: Int64
        let step: SubjectCourse.Step
    }

    static let quietRows: [Row] = [
        Row(announcement: nil, ahead: 1, step: .wait(until: expiry)),
        Row(announcement: nil, ahead: 0, step: .remove),
        Row(announcement: "{}", ahead: 1, step: .wait(until: expiry)),
        Row(announcement: "{}", ahead: 0, step: .remove),
        Row(announcement: #"{"whenDeleted":true}"#, ahead: 1, step: .wait(until: expiry)),
        Row(announcement: #"{"whenDeleted":true}"#, ahead: 0, step: announce),
        Row(announcement: lead("120s"), ahead: 120_001, step: .wait(until: expiry - 120_000)),
        Row(announcement: lead("120s"), ahead: 120_000, step: announce),
        Row(announcement: lead("121"), ahead: 180_001, step: .wait(until: expiry - 180_000)),
        Row(announcement: lead("0s"), ahead: 60_000, step: announce),
        Row(announcement: lead("1h"), ahead: 3_600_001, step: .wait(until: expiry - 3_600_000)),
        Row(announcement: lead("1h"), ahead: 1, step: announce),
        // After the grace period nobody waits for anybody.
        Row(announcement: lead("1h"), ahead: 1 - grace, step: announce),
        Row(announcement: lead("1h"), ahead: -grace, step: .remove),
    ]

    private static func lead(_ text: String) -> String {
        #"{"beforeExpiry":"\#(text)","randomizationInterval":"0s"}"#
    }

    @Test("a subject is announced ahead of its expiry, rounded up to minutes, or leaves at it", arguments: quietRows)
    func first(row: Row) throws {
        let course = SubjectCourse(try Self.subject(row.announcement))
        #expect(Self.step(course, at: Self.expiry - row.ahead) == row.step)
        #expect(!course.isUnderWay)
    }

    @Test("announcements are spread over their interval, always the same way")
    func spread() throws {
        var moments: Set<Int64> = []
        for number in 0..<200 {
            let subject = try PolicySubject.parse(
                id: "a:\(number)",
                try json(
                    """
                    {"type":"t","expiry":"1970-01-01T02:46:40Z",
                    "announcement":{"beforeExpiry":"1m","randomizationInterval":"100s"}}
                    """))
            let watched = WatchedSubject(subject, of: try PolicyID("n:p"), AnnouncementSettings())
            let again = WatchedSubject(key: watched.key, of: try PolicyID("n:p"), AnnouncementSettings())
            let moment = try #require(watched.announceAt)
            #expect(again?.announceAt == moment)
            #expect((Self.expiry - 160_000 + 1...Self.expiry - 60_000).contains(moment))
            moments.insert(moment / 10_000)
        }
        #expect(moments.count == 10 || moments.count == 11)
    }

    /// Status, and what it means.
    static let answerRows: [(Int, SubjectCourse.Answer)] = [
        (200, .acknowledged), (204, .acknowledged), (299, .acknowledged), (408, .repeated), (424, .repeated),
        (500, .repeated), (503, .repeated), (599, .repeated), (300, .givenUp), (400, .givenUp), (404, .givenUp),
        (409, .givenUp), (429, .givenUp), (499, .givenUp),
    ]

    @Test("2xx settles, 408, 424 and 5xx call for a repetition, anything else ends it", arguments: answerRows)
    func answered(status: Int, expected: SubjectCourse.Answer) throws {
        var course = SubjectCourse(try Self.subject(#"{"whenDeleted":true}"#))
        course.announced("c1")
        #expect(Self.step(course, at: Self.expiry) == .wait(until: Self.expiry + Self.grace))
        #expect(course.answered(status, to: "c0", monotonic: 0, pauses: Self.pauses) == .ignored)
        #expect(course.answered(status, to: "c1", monotonic: 0, pauses: Self.pauses) == expected)
        #expect(course.isUnderWay)
        guard expected == .repeated else {
            #expect(Self.step(course, at: Self.expiry - 1) == .wait(until: Self.expiry))
            #expect(Self.step(course, at: Self.expiry) == .remove)
            return
        }
        guard case .pausing(let until) = course.phase else {
            Issue.record("it does not pause")
            return
        }
        // The expired subject stays meanwhile.
        #expect(
            Self.step(course, at: Self.expiry, monotonic: until - 1) == .wait(until: Self.expiry + Self.grace))
        #expect(Self.step(course, at: Self.expiry, monotonic: until) == Self.announce)
        #expect(Self.step(course, at: Self.expiry + Self.grace, monotonic: until) == .giveUp)
    }

    @Test("pauses double from the least to the most, made up to half longer")
    func backOff() throws {
        var course = SubjectCourse(try Self.subject(#"{"whenDeleted":true}"#))
        for attempt in 0..<40 {
            course.announced("c\(attempt)")
            #expect(course.answered(500, to: "c\(attempt)", monotonic: 7, pauses: Self.pauses) == .repeated)
            guard case .pausing(let until) = course.phase else { throw Unexpected() }
            let base = min(UInt64(1) << UInt64(min(attempt, 20)), 60) * 1_000_000_000
            #expect(until - 7 >= base && until - 7 <= min(base + base / 2, 60_000_000_000), "attempt \(attempt)")
        }
    }

    @Test("a subject that is gone is told so until it is acknowledged or its grace is over")
    func removed() throws {
        let gone = Timestamp(milliseconds: 5_000)
        var course = SubjectCourse(try Self.subject(#"{"whenDeleted":true}"#), removedAt: gone)
        #expect(course.isUnderWay)
        #expect(Self.step(course, at: 5_001) == .announce(deleteAt: gone))
        course.announced("c1")
        #expect(Self.step(course, at: 5_001) == .wait(until: 5_000 + Self.grace))
        #expect(Self.step(course, at: 5_000 + Self.grace) == .giveUp)
        #expect(course.answered(408, to: "c1", monotonic: 0, pauses: Self.pauses) == .repeated)
        #expect(Self.step(course, at: 5_001, monotonic: 2_000_000_000) == .announce(deleteAt: gone))
        course.announced("c2")
        #expect(course.answered(200, to: "c1", monotonic: 0, pauses: Self.pauses) == .ignored)
        #expect(course.answered(200, to: "c2", monotonic: 0, pauses: Self.pauses) == .acknowledged)
        #expect(Self.step(course, at: 5_001) == .forget)
    }

    @Test("the wait for acknowledgements is capped, and only custom labels count")
    func terms() throws {
        let settings = AnnouncementSettings(longestWait: .seconds(20), announcesDeletions: false)
        let rows: [(String, [String], Int64)] = [
            (#"{"labels":["x:a","x:a","live-response","x:b"],"timeout":"5s"}"#, ["x:a", "x:b"], 5_000),
            (#"{"labels":["x:a"],"timeout":"1h"}"#, ["x:a"], 20_000), (#"{"labels":["x:a"]}"#, ["x:a"], 20_000),
            (#"{"labels":[],"timeout":"250ms"}"#, [], 250),
        ]
        for row in rows {
            let subject = try Self.subject(#"{"whenDeleted":true,"requestedAcks":\#(row.0)}"#, settings: settings)
            let terms = try #require(subject.terms)
            #expect(terms.labels.map(\.text) == row.1)
            #expect(terms.timeout == row.2)
            #expect(!terms.isSentWhenDeleted, "the operator has switched it off")
        }
    }

    @Test("a policy is due not later than any of its subjects, and never when none expires")
    func due() throws {
        let policy = try Policy.parse(
            try json(
                SubjectFixture.policy([
                    "a:1": SubjectFixture.guest(), "a:2": SubjectFixture.guest(#"{"beforeExpiry":"2h"}"#),
                    "a:3": SubjectFixture.guest(#"{"whenDeleted":true}"#, expiry: nil),
                ])), id: try PolicyID("n:p"))
        let due = try #require(WatchedSubject.firstDue(in: policy)).milliseconds
        #expect(due == SubjectFixture.eleven - 2 * SubjectFixture.hour)
        let first = WatchedSubject.all(in: policy, AnnouncementSettings()).compactMap(\.announceAt).min() ?? 0
        #expect(due - WatchedSubject.slack(AnnouncementSettings()) <= first)
        #expect(WatchedSubject.announcesRemovals(policy))
        #expect(
            WatchedSubject.firstDue(in: try Policy.parse(try json(SubjectFixture.policy([:])), id: policy.id)) == nil)
    }

    @Test("the earliest due policy comes out first, moved ones at their new time only")
    func table() throws {
        var table = DueTable()
        for number in (0..<5_000).reversed() {
            table.insert(try PolicyID("n:p\(number)"), due: UInt64(10_000 + number))
            table.insert(try PolicyID("n:p\(number)"), due: UInt64(20_000 + number))
            table.insert(try PolicyID("n:p\(number)"), due: UInt64(number))
        }
        #expect(table.count == 5_000 && table.first == 0)
        #expect(table.takeDue(2, limit: 2).map(\.text) == ["n:p0", "n:p1"])
        #expect(table.takeDue(2, limit: 2).map(\.text) == ["n:p2"])
        #expect(table.takeDue(.max, limit: .max).count == 4_997)
        #expect(table.count == 0)
    }
}
