// Instants at which subjects leave, and how they and the leads of announcements are rounded (A.1.1, A.9.1).
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@Suite("SubjectExpiry")
struct SubjectExpiryTests {
    static let valid: [(String, Int64)] = [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.001Z", 1), ("1969-12-31T23:59:59Z", -1000),
        ("2000-02-29T00:00:00Z", 951_782_400_000), ("2024-01-06T14:23:42.123456789Z", 1_704_551_022_123),
        ("2024-01-06T15:23:42+01:00", 1_704_551_022_000), ("2024-01-06T08:53:42-05:30", 1_704_551_022_000),
        ("2024-01-06t14:23:42z", 1_704_551_022_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
    ]

    @Test("an instant is read", arguments: valid)
    func instant(_ text: String, _ milliseconds: Int64) throws {
        let expiry = try #require(SubjectExpiry(text))
        #expect(expiry.instant.milliseconds == milliseconds)
        #expect(expiry.text == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "now", "2024-01-06", "2024-01-06T14:23Z", "2024-01-06T14:23:42", "2024-01-06 14:23:42Z",
            "2024-13-06T14:23:42Z", "2024-00-06T14:23:42Z", "2024-01-32T14:23:42Z", "2024-01-00T14:23:42Z",
            "2023-02-29T14:23:42Z", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-01-06T24:23:42Z",
            "2024-01-06T14:60:42Z", "2024-01-06T14:23:60Z", "2024-01-06T14:23:42.Z", "2024-01-06T14:23:42.1234567890Z",
            "2024-01-06T14:23:42+1:00", "2024-01-06T14:23:42+0100", "2024-01-06T14:23:42+19:00",
            "2024-01-06T14:23:42+01:60", "2024-01-06T14:23:42ZZ", " 2024-01-06T14:23:42Z", "24-01-06T14:23:42Z",
            "+2024-01-06T14:23:42Z", "2024-1-6T14:23:42Z", "1704551022",
        ])
    func invalid(_ text: String) {
        #expect(SubjectExpiry(text) == nil)
    }

    static let rounded: [(String, Duration, String)] = [
        // A.9.1: 1h.
        ("2024-01-06T10:00:00.001Z", .seconds(3600), "2024-01-06T11:00:00Z"),
        ("2024-01-06T10:00:00Z", .seconds(3600), "2024-01-06T10:00:00Z"),
        ("2024-01-06T10:00:00.000000001Z", .seconds(3600), "2024-01-06T11:00:00Z"),
        ("2024-01-06T10:00:00.000000000Z", .seconds(3600), "2024-01-06T10:00:00Z"),
        ("2024-01-06T10:30:00+01:00", .seconds(3600), "2024-01-06T10:00:00Z"),
        ("2024-12-31T23:59:59.999Z", .seconds(3600), "2025-01-01T00:00:00Z"),
        ("1969-12-31T22:30:00Z", .seconds(3600), "1969-12-31T23:00:00Z"),
        // A.9.1: 12h.
        ("2024-01-06T13:05:00Z", .seconds(12 * 3600), "2024-01-07T00:00:00Z"),
        ("2024-01-06T12:00:00Z", .seconds(12 * 3600), "2024-01-06T12:00:00Z"),
        ("2024-01-06T11:00:00Z", .seconds(12 * 3600), "2024-01-06T12:00:00Z"),
        // Hours that do not divide a day count from midnight and may end in the next one.
        ("2024-01-06T04:10:00Z", .seconds(5 * 3600), "2024-01-06T05:00:00Z"),
        ("2024-01-06T23:30:00Z", .seconds(5 * 3600), "2024-01-07T01:00:00Z"),
        // A.9.1: 15d, counted from the first of the month.
        ("2024-01-03T00:00:00Z", .seconds(15 * 86_400), "2024-01-16T00:00:00Z"),
        ("2024-01-03T07:00:00Z", .seconds(15 * 86_400), "2024-01-16T00:00:00Z"),
        ("2024-01-16T00:00:00Z", .seconds(15 * 86_400), "2024-01-16T00:00:00Z"),
        ("2024-01-01T00:00:00Z", .seconds(15 * 86_400), "2024-01-01T00:00:00Z"),
        ("2024-02-20T00:00:00Z", .seconds(15 * 86_400), "2024-03-02T00:00:00Z"),
        ("2024-01-06T00:00:00.5Z", .seconds(86_400), "2024-01-07T00:00:00Z"),
        ("2024-02-29T12:00:00Z", .seconds(86_400), "2024-03-01T00:00:00Z"),
        // A.9.1: minutes from the hour, seconds from the minute, milliseconds from the second.
        ("2024-01-06T10:07:00Z", .seconds(15 * 60), "2024-01-06T10:15:00Z"),
        ("2024-01-06T10:15:00Z", .seconds(15 * 60), "2024-01-06T10:15:00Z"),
        ("2024-01-06T10:15:00.001Z", .seconds(15 * 60), "2024-01-06T10:30:00Z"),
        ("2024-01-06T10:07:31Z", .seconds(30), "2024-01-06T10:08:00Z"),
        ("2024-01-06T10:07:30Z", .seconds(30), "2024-01-06T10:07:30Z"),
        ("2024-01-06T10:07:30.0001Z", .seconds(1), "2024-01-06T10:07:31Z"),
        ("2024-01-06T10:07:30.101Z", .milliseconds(250), "2024-01-06T10:07:30.250Z"),
        ("2024-01-06T10:07:30.250Z", .milliseconds(250), "2024-01-06T10:07:30.250Z"),
        ("2024-01-06T10:07:30.25000001Z", .milliseconds(1), "2024-01-06T10:07:30.251Z"),
        // The largest unit that fits: the rest is ignored.
        ("2024-01-06T10:20:00Z", .seconds(90 * 60), "2024-01-06T11:00:00Z"),
        ("2024-01-06T10:20:00Z", .seconds(36 * 3600), "2024-01-07T00:00:00Z"),
        // Nothing to round to.
        ("2024-01-06T11:20:00.5+01:00", .zero, "2024-01-06T10:20:00.500Z"),
        ("2024-01-06T10:20:00.5Z", .seconds(-5), "2024-01-06T10:20:00.500Z"),
        ("2024-01-06T10:20:00.5Z", .microseconds(5), "2024-01-06T10:20:00.500Z"),
        // The end of what can be written.
        ("9999-12-31T23:30:00Z", .seconds(3600), "9999-12-31T23:59:59.999Z"),
        ("2024-01-06T10:20:00Z", .seconds(Int64.max), "9999-12-31T23:59:59.999Z"),
    ]

    @Test("A.9.1: an expiry is rounded up to its granularity", arguments: rounded)
    func rounding(_ text: String, _ granularity: Duration, _ expected: String) throws {
        #expect(try #require(SubjectExpiry(text)).roundedUp(to: granularity).text == expected)
    }

    static let values: [(String, PolicyPath.Kind, String, String?)] = [
        (
            #"{"type":"t","expiry":"2024-01-06T10:20:00Z","announcement":{"beforeExpiry":"5s"}}"#, .subject,
            #"{"type":"t","expiry":"2024-01-07T00:00:00Z","announcement":{"beforeExpiry":"120s"}}"#,
            "2024-01-07T00:00:00Z"
        ),
        (
            #"{"u:a":{"expiry":"2024-03-06T10:20:00Z"},"u:b":{"expiry":"2024-02-06T10:20:00Z"},"u:c":1}"#, .subjects,
            #"{"u:a":{"expiry":"2024-03-07T00:00:00Z"},"u:b":{"expiry":"2024-02-07T00:00:00Z"},"u:c":1}"#,
            "2024-02-07T00:00:00Z"
        ),
        (
            #"{"entries":{"L":{"subjects":{"u:a":{"expiry":"2024-03-06T10:20:00Z"}}}}}"#, .policy,
            #"{"entries":{"L":{"subjects":{"u:a":{"expiry":"2024-03-07T00:00:00Z"}}}}}"#, "2024-03-07T00:00:00Z"
        ),
        // What is malformed stays for the reader to refuse.
        (
            #"{"expiry":"soon","announcement":{"beforeExpiry":"5ms"}}"#, .subject,
            #"{"expiry":"soon","announcement":{"beforeExpiry":"5ms"}}"#, nil
        ),
        (#"{"announcement":{"beforeExpiry":5}}"#, .subject, #"{"announcement":{"beforeExpiry":5}}"#, nil),
        (#"{"expiry":"2024-03-06T10:20:00Z"}"#, .resource, #"{"expiry":"2024-03-06T10:20:00Z"}"#, nil),
    ]

    @Test("A.9.1: expiries and leads are rounded where they are written", arguments: values)
    func valuesRounded(_ text: String, _ kind: PolicyPath.Kind, _ expected: String, _ earliest: String?) throws {
        var value = try JSONValue.parse(text)
        let found = SubjectExpiry.roundUp(
            in: &value, of: kind, granularity: .seconds(86_400), announcements: .seconds(120))
        #expect(value.text == expected)
        #expect(found?.text == earliest)
    }

    static let leads: [(String, Duration, String)] = [
        ("5m", .seconds(60), "5m"), ("1s", .seconds(60), "60s"), ("61s", .seconds(60), "120s"),
        ("0h", .seconds(60), "1m"), ("90", .seconds(60), "120"), ("+90s", .seconds(60), "120s"),
        ("+60s", .seconds(60), "+60s"), ("1h", .seconds(420), "63m"), ("1m", .seconds(7), "63s"),
        ("1s", .milliseconds(1), "1s"), ("1s", .milliseconds(300), "2s"), ("7s", .zero, "7s"),
        ("999999999999999h", .seconds(60), "999999999999999h"),
    ]

    @Test("A.9.1: the lead of an announcement is rounded up, to one granule at least", arguments: leads)
    func lead(_ text: String, _ granularity: Duration, _ expected: String) throws {
        let announcement = try Self.announcement(#"{"beforeExpiry":"\#(text)","randomizationInterval":"5s"}"#)
        let rounded = announcement.roundedUp(to: granularity)
        #expect(rounded.beforeExpiry == expected)
        #expect(rounded.randomizationInterval == "5s")
        #expect(try #require(rounded.lead) >= #require(announcement.lead))
    }

    static let durations: [(String, Duration)] = [
        ("5", .seconds(5)), ("+5s", .seconds(5)), ("250ms", .milliseconds(250)), ("3m", .seconds(180)),
        ("2h", .seconds(7200)), ("1d", .seconds(86_400)), ("1w", .seconds(604_800)), ("1mo", .seconds(2_629_746)),
        ("1y", .seconds(31_556_952)), ("0s", .zero), ("999999999999999y", .seconds(315_569_520_000)),
    ]

    @Test("A.1.1: durations of announcements have a value", arguments: durations)
    func duration(_ text: String, _ expected: Duration) throws {
        let announcement = try Self.announcement(
            #"{"randomizationInterval":"\#(text)","requestedAcks":{"labels":[],"timeout":"\#(text)"}}"#)
        #expect(announcement.spread == expected)
        #expect(announcement.acknowledgementWait == expected)
        #expect(announcement.lead == nil)
    }

    private static func announcement(_ text: String) throws -> SubjectAnnouncement {
        let json = try JSONValue.parse(#"{"type":"t","announcement":\#(text)}"#)
        return try #require(try PolicySubject.parse(id: "u:x", json).announcement)
    }
}
