// The headers the protocol knows, and whether they may come in and go out (spec/protocol.md §5.1).

/// A header with a meaning of its own. The raw value is its wire name, always lower case.
public enum KnownHeader: String, Sendable, CaseIterable {
    case correlationID = "correlation-id"
    case responseRequired = "response-required"
    case requestedAcks = "requested-acks"
    case declaredAcks = "declared-acks"
    case timeout
    case contentType = "content-type"
    case accept
    case authorization
    case replyTo = "reply-to"
    case channel
    case liveChannelCondition = "live-channel-condition"
    case liveChannelTimeoutStrategy = "live-channel-timeout-strategy"
    case liveChannelConditionMatched = "live-channel-condition-matched"
    case condition
    case mergeThingPatchConditions = "merge-thing-patch-conditions"
    case ifMatch = "if-match"
    case ifNoneMatch = "if-none-match"
    case ifEqual = "if-equal"
    case etag
    case entityRevision = "entity-revision"
    case location
    case putMetadata = "put-metadata"
    case getMetadata = "get-metadata"
    case deleteMetadata = "delete-metadata"
    case dittoMetadata = "ditto-metadata"
    case allowPolicyLockout = "allow-policy-lockout"
    case policyView = "policy-view"
    case atHistoricalRevision = "at-historical-revision"
    case atHistoricalTimestamp = "at-historical-timestamp"
    case historicalHeaders = "historical-headers"
    case dryRun = "dry-run"
    case version
    case originator = "ditto-originator"
    case weakAck = "ditto-weak-ack"
    case connectionID = "ditto-connection-id"
    case wwwAuthenticate = "www-authenticate"
    case traceParent = "traceparent"
    case traceState = "tracestate"
    case divertResponseToConnection = "divert-response-to-connection"
    case divertExpectedResponseTypes = "divert-expected-response-types"
    case divertedResponseFromConnection = "diverted-response-from-connection"
    case messageDirection = "ditto-message-direction"
    case messageSubject = "ditto-message-subject"
    case messageThingID = "ditto-message-thing-id"
    case messageFeatureID = "ditto-message-feature-id"
    case timestamp
    case status

    /// Whether a client may send it; otherwise it is removed without a word.
    public var isReadFromOutside: Bool {
        switch self {
        case .liveChannelConditionMatched, .etag, .entityRevision, .dittoMetadata, .historicalHeaders, .originator,
            .weakAck, .connectionID, .wwwAuthenticate, .messageDirection, .messageSubject, .messageThingID,
            .messageFeatureID:
            false
        default: true
        }
    }

    /// Whether it is delivered to clients; otherwise it is removed.
    public var isWrittenToOutside: Bool {
        switch self {
        case .declaredAcks, .accept, .authorization, .liveChannelCondition, .liveChannelTimeoutStrategy, .condition,
            .mergeThingPatchConditions, .ifMatch, .ifNoneMatch, .ifEqual, .putMetadata, .getMetadata, .deleteMetadata,
            .allowPolicyLockout, .policyView, .atHistoricalRevision, .atHistoricalTimestamp,
            .divertResponseToConnection, .divertExpectedResponseTypes:
            false
        default: true
        }
    }

    /// The header with this name in any case of ASCII letters; nil for custom headers. No allocation.
    public static func named(_ name: String) -> KnownHeader? {
        var copy = name
        return copy.withUTF8 { bytes in
            guard bytes.count < byLength.count else { return nil }
            return byLength[bytes.count].first { isSame(bytes, $0.name) }?.header
        }
    }

    /// Names that are internal to the reference or to a transport and never pass, in neither direction.
    public static func isBlocked(_ name: String) -> Bool {
        let lower = name.lowercased()
        return lower.hasPrefix("ditto-") && named(name) == nil || blocked.contains(lower)
    }

    private static let blocked: Set<String> = [
        "raw-request-uri", "raw-request-url", "cache-control", "connection", "timeout-access", "accept-encoding",
        "x-forwarded-scheme", "read-subjects", "subject",
    ]

    /// Headers by the length of their name: a name is compared with at most a handful.
    private static let byLength: [[(name: [UInt8], header: KnownHeader)]] = {
        var table = [[(name: [UInt8], header: KnownHeader)]](repeating: [], count: 40)
        for header in allCases { table[header.rawValue.utf8.count].append((Array(header.rawValue.utf8), header)) }
        return table
    }()

    private static func isSame(_ bytes: UnsafeBufferPointer<UInt8>, _ lowerName: [UInt8]) -> Bool {
        for index in bytes.indices {
            let byte = bytes[index]
            let lower = byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
            if lower != lowerName[index] { return false }
        }
        return true
    }
}
