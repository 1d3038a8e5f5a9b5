// The seam between the supervisor and the broker adapters. An adapter knows its C library and nothing of twins; the
// supervisor knows when to connect, what to do with a batch and how to react to a failure, and nothing of any library.
//
// One connection has up to two sessions, each with a thread of its own that the supervisor starts: a consumer where it
// has sources, a publisher where it has targets or reply targets. The two never share a client handle.

/// Speaks to one kind of broker. The registry of adapters is an explicit value made in the executable.
public protocol BrokerAdapter: Sendable {
    /// The types of connection this adapter serves.
    var types: [ConnectionType] { get }

    /// The session that reads the connection's sources. Makes nothing that needs closing; `run` does.
    func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession

    /// The session that sends what stands in the queue.
    func publisher(for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes)
        -> any BrokerSession

    /// Takes every step of a session once, for a dry run or a check, and leaves nothing behind: no session at the
    /// broker, no last will, no message consumed, nothing published. Blocks at most about `timeout`. `.stopped` means
    /// that every step went well.
    func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd
}

extension BrokerAdapter {
    /// An adapter without a probe says so.
    public func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        .failed(
            BrokerFailure(
                step: .connect, reaction: .misconfigured, reason: "not-supported",
                message: "Connections of type '\(connection.type.rawValue)' cannot be tried."))
    }
}

/// One client handle's life, from dialling to the end of the connection.
public protocol BrokerSession: AnyObject, Sendable {
    /// Dials, subscribes and serves until `stop` or a failure. Blocks the calling thread, which is the only one that
    /// touches the library. May be called again after it has returned: then it dials anew.
    func run(observer: any SessionObserver) -> SessionEnd

    /// Asks `run` to return, from any thread: intake stops, what is committed is acknowledged, the broker is told
    /// goodbye, all within `grace`. Calling it before `run` makes that run return at once.
    func stop(grace: Duration)
}

/// Why a session's `run` returned.
public enum SessionEnd: Sendable, Equatable {
    /// `stop` was asked for.
    case stopped
    case failed(BrokerFailure)
}

/// What a session tells about its progress. Called on the session's thread; must return at once.
public protocol SessionObserver: AnyObject, Sendable {
    /// The session begins this step.
    func began(_ step: SessionStep)
    /// The session is open: connected, and every source is subscribed.
    func opened()
    /// A subscription or publication problem that does not end the session.
    func warned(_ failure: BrokerFailure)
    /// What a step has found, for people: the addresses of a host, the one that answered. Of `serve` it is a hint.
    func noted(_ step: SessionStep, _ text: String)
    /// One place of an open session has failed, or stands again (`failure` nil). The session goes on with the others
    /// and tries this one again by itself. Every place stands when the session opens, unless told otherwise.
    func changed(_ place: SessionPlace, _ failure: BrokerFailure?)
}

/// What hangs on a session.
public enum SessionPlace: Sendable, Hashable {
    /// An address of a source, counted from 0.
    case source(Int, address: String)
    /// A target, counted from 0.
    case target(Int)
    /// The tunnel that leads to the broker. A session whose tunnel has failed ends with what its library makes of it;
    /// this tells why. Reported on the tunnel's own thread.
    case tunnel
}

extension SessionObserver {
    /// For observers of sessions whose places stand and fall together.
    public func changed(_ place: SessionPlace, _ failure: BrokerFailure?) {}

    /// Most observers are told enough by the steps.
    public func noted(_ step: SessionStep, _ text: String) {}
}

/// The steps of a session, in the order in which they are taken and named in status and `check`.
public enum SessionStep: String, Sendable, CaseIterable {
    case resolve, connect, tls, authenticate, subscribe, serve
}

/// A failure of a broker connection with the reaction it calls for (style: adapters classify, only the supervisor
/// reacts).
public struct BrokerFailure: Error, Sendable, Equatable {
    /// What the supervisor does next.
    public enum Reaction: String, Sendable {
        /// Connect again at once, then back off.
        case retryNow
        /// Wait before connecting again.
        case backOff
        /// The broker is not at fault: what it sent was given back. Connect again soon, once messages are taken.
        case awaitIntake
        /// A person has to change something; try again slowly.
        case misconfigured
        /// Our own fault or lack of memory; the connection stays down.
        case fatal
    }

    public var step: SessionStep
    public var reaction: Reaction
    /// A short stable word for metrics, e.g. `connection-lost`, `bad-credentials`, `refused`.
    public var reason: String
    /// What happened, one sentence, with the library's or broker's own words where they help.
    public var message: String
    /// What to do about it.
    public var hint: String?
    /// The source it concerns, counted from 0.
    public var sourceIndex: Int?

    public init(
        step: SessionStep, reaction: Reaction, reason: String, message: String, hint: String? = nil,
        sourceIndex: Int? = nil
    ) {
        self.step = step
        self.reaction = reaction
        self.reason = reason
        self.message = message
        self.hint = hint
        self.sourceIndex = sourceIndex
    }
}

extension BrokerFailure {
    /// A batch was not taken, by the store or by a full inbox: the broker has to send it again.
    public static let batchNotTaken = BrokerFailure(
        step: .serve, reaction: .awaitIntake, reason: "not-taken",
        message: "The messages could not be taken; the connection was dropped so that the broker sends them again.",
        hint: "see why the store is not ready, or the inbox full")

    /// A commit did not come within the longest hold.
    public static func storeStalled(after limit: Duration) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .backOff, reason: "store-stalled",
            message: "The store did not commit within \(limit); the connection was dropped.",
            hint: "see why the store is not ready")
    }
}

/// Where a consumer puts its batches: the source pipeline, the engine and the committer behind one call.
public protocol Inlet: AnyObject, Sendable {
    /// The most messages and bytes a batch should have. The session stops reading at either.
    var batchLimits: (messages: Int, bytes: Int) { get }

    /// Runs the pipeline on a batch and hands its effects to the committer. Returns without waiting for the commit.
    /// Called on the session's thread, which owns the batch.
    func accept(_ batch: MessageBatch) -> Ticket

    /// Waits at most `patience` for the commit of everything up to `ticket`.
    func settlement(of ticket: Ticket, patience: Duration) -> Settlement

    /// Counts the batch's messages as acknowledged at the broker, or as given back to it.
    func settled(_ batch: MessageBatch, as settlement: Settlement)

    /// Counts messages that were dropped before any batch because nobody wants them any more, e.g. `expired`. They
    /// count as acknowledged at the broker.
    func dropped(_ count: Int, source: Int, reason: String)

    /// The committed places of one of the connection's readers; those it has never committed are missing. Reads from
    /// the store; throws what is wrong with it, and then nothing may be read from the broker.
    func positions(of reader: String) throws(BrokerFailure) -> [LogPosition]
}

extension Inlet {
    /// For inlets that do not count them.
    public func dropped(_ count: Int, source: Int, reason: String) {}

    /// For inlets of brokers that keep the place themselves.
    public func positions(of reader: String) throws(BrokerFailure) -> [LogPosition] { [] }
}

/// The commit a batch waits for.
public struct Ticket: Sendable, Equatable {
    /// The newest journal sequence the batch depends on.
    public var sequence: Int64
    /// The epoch in which it was given out; a failed commit raises the epoch.
    public var epoch: Int64
    public init(sequence: Int64, epoch: Int64) {
        self.sequence = sequence
        self.epoch = epoch
    }
}

/// What has become of a batch.
public enum Settlement: Sendable, Equatable {
    /// Durable: acknowledge it at the broker.
    case committed
    /// Not yet known.
    case pending
    /// The store refused it: give it back to the broker by dropping the connection without acknowledging.
    case rejected
}
