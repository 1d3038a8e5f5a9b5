// What happens in a connection, as its users ask for it: counted in windows (spec/connectivity.md §8.5), logged in
// rings (§8.6), and streamed to whoever taps it. The pipelines call it; everything about form and bounds is behind it.
import Synchronization
public import TwinspanProtocol

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

/// Records what happens in one connection. Safe from any thread.
public final class ConnectionRecorder: Sendable {
    public init(connection: Connection, now: @escaping @Sendable () -> Timestamp) {}

    /// Counts in the windows of §8.5. Meant to be called once per batch and stage.
    public func count(_ place: RecordedPlace, _ stage: RecordedStage, isFailure: Bool = false, _ count: Int = 1) {}

    /// Whether anybody taps: then every note is wanted.
    public var isTapped: Bool { false }

    /// Whether successes are logged at the moment (§8.6: for an hour after opening, retrieving or enabling).
    public var logsSuccesses: Bool { false }

    /// Successes of one place and stage that a ring holds: of a batch, only so many of the last are worth a note.
    public static let ringCapacity = 10

    /// Logs and taps a note; failures are always logged. Does not count.
    public func note(_ note: @autoclosure () -> StageNote) {}
}
