// One pass over the fields of a request's head: what every request needs is picked out, limits are checked. Everything
// else is read again only for the requests that need it.
import HTTPTypes
import TwinspanJSON
import TwinspanProtocol

/// The header fields of a request.
struct RequestFields {
    /// Bytes all names and values may have together (spec/http.md §1.6).
    static let byteMaximum = 5120
    /// Fields a request may have.
    static let countMaximum = 64

    /// All fields as they came.
    let all: HTTPFields
    private(set) var authorization: String?
    /// The media type in lower case, without parameters.
    private(set) var mediaType: String?
    private(set) var contentLength: Int?
    /// Known headers that go back with the answer, in the order they came.
    private(set) var echoed: [(name: KnownHeader, value: String)] = []
    /// `x-correlation-id`, else `correlation-id`.
    var correlationID: String? { outerCorrelationID ?? ownCorrelationID }
    private var outerCorrelationID: String?
    private var ownCorrelationID: String?
    private var byteCount = 0
    private var duplicate: String?

    init(_ fields: HTTPFields) {
        all = fields
        for index in fields.indices {
            let field = fields[index]
            let name = field.name.canonicalName
            byteCount += name.utf8.count + field.value.utf8.count
            // Few fields, so comparing each with all before it is cheaper than any set.
            if index < Self.countMaximum, fields[..<index].contains(where: { $0.name.canonicalName == name }) {
                duplicate = duplicate ?? name
            }
            take(name, field.value)
        }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch KnownHeader.named(name) {
        case .authorization: authorization = value
        case .correlationID: ownCorrelationID = value
        case .contentType: mediaType = Self.mediaType(value)
        case let known? where Self.isEchoed(known): echoed.append((known, value))
        case .some: break
        case nil:
            if name == "content-length" {
                contentLength = Int(value)
            } else if name == "x-correlation-id" {
                outerCorrelationID = value
            }
        }
    }

    /// Whether there is more than may be.
    var isTooLarge: Bool { byteCount > Self.byteMaximum || all.count > Self.countMaximum }

    /// Throws 431 for too much, 400 for the same field twice and for an empty correlation id.
    func check() throws(TwinspanError) {
        if isTooLarge { throw GeneralErrorTable.headersTooLarge.error() }
        if let duplicate {
            throw GeneralErrorTable.duplicateHeader.error(
                "The header '\(duplicate.prefix(64))' is given more than once.", description: "Send it once.")
        }
        if correlationID?.isEmpty == true { throw .headerInvalid("correlation-id", "It must not be empty.") }
    }

    /// Whether the header field is about the exchange and not part of the command. Credentials above all: headers of
    /// commands travel to other parties with the events.
    static func staysHere(_ name: String) -> Bool {
        switch name {
        case "host", "authorization", "proxy-authorization", "cookie", "x-ditto-pre-authenticated", "x-correlation-id",
            "content-length", "content-type", "transfer-encoding", "keep-alive", "te", "trailer", "upgrade", "expect":
            true
        default: false
        }
    }

    private static func isEchoed(_ header: KnownHeader) -> Bool {
        switch header {
        case .channel, .timeout, .dryRun, .replyTo, .traceParent, .traceState: true
        default: false
        }
    }

    private static func mediaType(_ value: String) -> String {
        let type = value.utf8.prefix { $0 != UInt8(ascii: ";") }
        return String(Substring(type)).filter { $0 != " " && $0 != "\t" }.lowercased()
    }
}
