// The instant at which a subject leaves its policy (spec/policies-search.md A.9). Here it is only read and kept;
// rounding and removal belong to whoever owns the clock.
import TwinspanJSON
public import TwinspanProtocol

/// The `expiry` of a subject.
public struct SubjectExpiry: Sendable, Equatable {
    /// The text as written, ISO-8601.
    public let text: String
    /// The instant it stands for; a finer fraction than milliseconds is cut off.
    public let instant: Timestamp

    /// Reads `2024-01-06T14:23:42Z`, with an optional fraction of up to nine digits and `±hh:mm` in place of `Z`.
    /// Nil for anything else, also for dates that do not exist.
    public init?(_ text: String) {
        guard let instant = Timestamp(parsing: text) else { return nil }
        self.text = text
        self.instant = instant
    }

    /// Reads the member, nil when it is absent. Throws `policies:subjectexpiry.invalid`.
    static func parse(_ json: JSONValue?) throws(TwinspanError) -> SubjectExpiry? {
        guard let json else { return nil }
        guard let text = json.string, let expiry = SubjectExpiry(text) else {
            throw PolicyErrors.subjectExpiryInvalid(json.string ?? json.text)
        }
        return expiry
    }
}
