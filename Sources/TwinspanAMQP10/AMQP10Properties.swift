// The names of the standard properties (AMQP 1.0, part 3 §3.2.4) in the order of their list, and the header names that
// stand for the other sections (spec/connectivity-bindings.md §3.1).

/// One of the standard properties of a message.
enum AMQP10Property: Int, CaseIterable {
    case messageID, userID, to, subject, replyTo, correlationID, contentType, contentEncoding, absoluteExpiryTime
    case creationTime, groupID, groupSequence, replyToGroupID

    /// How a property is written.
    enum Kind { case string, symbol, binary, timestamp, uint }

    /// The header that stands for it.
    var name: String {
        switch self {
        case .messageID: "message-id"
        case .userID: "user-id"
        case .to: "to"
        case .subject: "subject"
        case .replyTo: "reply-to"
        case .correlationID: "correlation-id"
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .absoluteExpiryTime: "absolute-expiry-time"
        case .creationTime: "creation-time"
        case .groupID: "group-id"
        case .groupSequence: "group-sequence"
        case .replyToGroupID: "reply-to-group-id"
        }
    }

    var kind: Kind {
        switch self {
        case .userID: .binary
        case .contentType, .contentEncoding: .symbol
        case .absoluteExpiryTime, .creationTime: .timestamp
        case .groupSequence: .uint
        default: .string
        }
    }

    /// The property a header stands for. `content-encoding` is none: it is listed in Ditto's documentation and has no
    /// effect there.
    static let byName: [String: AMQP10Property] = Dictionary(
        uniqueKeysWithValues: allCases.filter { $0 != .contentEncoding }.map { ($0.name, $0) })

    /// Marks a header that is an application property although its name is that of a standard one.
    static let applicationPrefix = "amqp.application.property:"
    /// Marks a header that is a message annotation.
    static let annotationPrefix = "amqp.message.annotation:"
}
