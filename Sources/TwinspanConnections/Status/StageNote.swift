// What the pipelines tell about a message or signal: where, which stage, whether it went well.

/// A place in a connection that is counted and logged by itself.
public enum RecordedPlace: Sendable, Hashable {
    /// Index in `sources` or `targets`.
    case source(Int)
    case target(Int)
    /// All answers; address `_responses`.
    case responses
    case connection
}

/// Stages a message or signal goes through (§8.6).
public enum RecordedStage: String, Sendable, CaseIterable {
    case consumed, mapped, enforced, acknowledged, throttled, dispatched, filtered, published, dropped, other

    /// The position in `allCases`, without a search.
    var ordinal: Int {
        switch self {
        case .consumed: 0
        case .mapped: 1
        case .enforced: 2
        case .acknowledged: 3
        case .throttled: 4
        case .dispatched: 5
        case .filtered: 6
        case .published: 7
        case .dropped: 8
        case .other: 9
        }
    }

    /// Stages that are counted for sources, in the order in which they are shown (§8.5).
    static let inbound: [RecordedStage] = [
        .consumed, .mapped, .other, .dropped, .enforced, .acknowledged, .throttled,
    ]
    /// Stages that are counted for targets and answers.
    static let outbound: [RecordedStage] = [
        .dispatched, .filtered, .mapped, .other, .dropped, .published, .acknowledged,
    ]
}

/// One thing that happened to one message or signal.
public struct StageNote: Sendable {
    public var place: RecordedPlace
    public var stage: RecordedStage
    public var isFailure: Bool
    /// What happened, one sentence.
    public var message: String
    public var correlationID: String?
    /// `thing`, `policy` or `connection`, with the id.
    public var entityType: String?
    public var entityID: String?
    /// The address of the message, where that is more than the place says.
    public var address: String?
    /// A short word for tap filters: `too-large`, `queue-full`, an error code.
    public var reason: String?
    /// More for the tap only: the mapper, the subjects, the value.
    public var details: [(name: String, value: String)]

    public init(
        _ place: RecordedPlace, _ stage: RecordedStage, isFailure: Bool = false, _ message: String,
        correlationID: String? = nil, entityType: String? = nil, entityID: String? = nil, address: String? = nil,
        reason: String? = nil, details: [(name: String, value: String)] = []
    ) {
        self.place = place
        self.stage = stage
        self.isFailure = isFailure
        self.message = message
        self.correlationID = correlationID
        self.entityType = entityType
        self.entityID = entityID
        self.address = address
        self.reason = reason
        self.details = details
    }
}
