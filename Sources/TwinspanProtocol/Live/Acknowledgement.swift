// Acknowledgements: who has done what with a signal (spec/protocol.md §8).
public import TwinspanJSON

/// The name of an acknowledgement.
public struct AckLabel: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// Throws `acknowledgement:label.invalid` unless the text is 3 to 165 of letters, digits, `-`, `_` and `:` (§1.4).
    public init(_ text: String) throws(TwinspanError) {
        let isLegal = (3...165).contains(text.utf8.count) && text.utf8.allSatisfy(Self.isLegalByte)
        guard isLegal else { throw AckErrorTable.labelInvalid.error("The label '\(text.shortened)' is not valid.") }
        self.text = text
    }

    private init(wellKnown text: String) { self.text = text }

    /// The change is committed.
    public static let twinPersisted = AckLabel(wellKnown: "twin-persisted")
    /// A device has answered.
    public static let liveResponse = AckLabel(wellKnown: "live-response")
    /// The change can be found by search; for us that is with the commit.
    public static let searchPersisted = AckLabel(wellKnown: "search-persisted")

    /// Whether only we may issue it.
    public var isBuiltIn: Bool { self == .twinPersisted || self == .liveResponse || self == .searchPersisted }

    public var description: String { text }

    private static func isLegalByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}

/// One acknowledgement of one signal.
public struct Acknowledgement: Sendable, Equatable {
    public var label: AckLabel
    /// The thing, or the policy with the same text where `group` says so.
    public var thingID: ThingID
    /// Without meaning for policies, which have no channels.
    public var channel: TopicPath.Channel
    /// Whether a signal of a thing or an announcement of a policy is acknowledged.
    public var group = TopicPath.Group.things
    /// 2xx for success.
    public var status: Int
    public var payload: JSONText?
    /// Must hold the correlation id of the acknowledged signal.
    public var headers: DittoHeaders

    public init(
        label: AckLabel, thingID: ThingID, channel: TopicPath.Channel, status: Int, payload: JSONText? = nil,
        headers: DittoHeaders = DittoHeaders()
    ) {
        self.label = label
        self.thingID = thingID
        self.channel = channel
        self.status = status
        self.payload = payload
        self.headers = headers
    }

    /// Issued because the subscriber never saw the signal; satisfies the request, never causes redelivery (§8.4).
    public var isWeak: Bool { headers[.weakAck]?.bool == true }
}

/// All acknowledgements of one signal in one answer (§8.3).
public struct Acknowledgements: Sendable, Equatable {
    public var thingID: ThingID
    public var channel: TopicPath.Channel
    /// In the order of the request.
    public var acknowledgements: [Acknowledgement]
    public var headers: DittoHeaders

    public init(
        thingID: ThingID, channel: TopicPath.Channel, acknowledgements: [Acknowledgement],
        headers: DittoHeaders = DittoHeaders()
    ) {
        self.thingID = thingID
        self.channel = channel
        self.acknowledgements = acknowledgements
        self.headers = headers
    }

    /// Exactly one: its status; all 2xx: 200; none at all: 500; otherwise 424 (§8.3).
    public var status: Int {
        if acknowledgements.isEmpty { return 500 }
        if acknowledgements.count == 1 { return acknowledgements[0].status }
        return acknowledgements.allSatisfy { (200..<300).contains($0.status) } ? 200 : 424
    }
}
