// Announcements of policies on their way to sessions and connections (spec/protocol.md §6.3). Who is told is decided by
// the subject alone: an announcement goes to whoever is authenticated as the one that leaves.
import Synchronization
import TwinspanJSON
public import TwinspanProtocol

/// An announcement, made once and handed on by reference.
public final class PolicyAnnouncement: Sendable {
    public let policyID: PolicyID
    public let deleteAt: Timestamp
    public let subjectIDs: [String]
    /// Unique among the announcements that wait for acknowledgements.
    public let correlationID: String
    /// The labels that are waited for.
    public let requestedAcks: [AckLabel]
    public let envelope: Envelope
    /// The envelope as bytes.
    public let bytes: [UInt8]

    /// - Parameter timeout: how long acknowledgements are waited for, in milliseconds.
    init(
        policyID: PolicyID, deleteAt: Timestamp, subjectIDs: [String], correlationID: String,
        requestedAcks: [AckLabel], timeout: Int64
    ) {
        self.policyID = policyID
        self.deleteAt = deleteAt
        self.subjectIDs = subjectIDs
        self.correlationID = correlationID
        self.requestedAcks = requestedAcks
        var headers = DittoHeaders()
        headers.correlationID = correlationID
        headers[.contentType] = .string("application/json")
        headers[.responseRequired] = .bool(false)
        if !requestedAcks.isEmpty {
            headers[.requestedAcks] = .array(requestedAcks.map { .string($0.text) })
            headers[.timeout] = .string(timeout % 1000 == 0 ? "\(timeout / 1000)s" : "\(timeout)ms")
        }
        envelope =
            Announcement(
                kind: .subjectDeletion(policyID, deleteAt: deleteAt, subjectIDs: subjectIDs), headers: headers
            ).envelope
        bytes = envelope.bytes
    }

    /// Whether somebody with these subjects is meant.
    public func isMeant(for subjects: AuthorizationContext) -> Bool {
        subjectIDs.contains { id in subjects.subjects.contains { $0.hasSameBytes(as: id) } }
    }

    /// Bytes a queue counts for it.
    public var queuedBytes: Int { 256 + bytes.count }
}

/// A subscriber and his bounded inbox. Safe from any thread.
public final class AnnouncementSubscription: Sendable {
    /// For whom the subscriber listens.
    public struct Reader: Sendable {
        public var subjects: AuthorizationContext
        /// Exact namespaces of policies; empty admits all.
        public var namespaces: Set<String>

        public init(subjects: AuthorizationContext, namespaces: Set<String> = []) {
            self.subjects = subjects
            self.namespaces = namespaces
        }
    }

    private let readers: [Reader]
    private let inbox: Mutex<Inbox<PolicyAnnouncement>>
    private let wake: @Sendable () -> Void
    private let onOverflow: @Sendable (PolicyAnnouncement) -> Void

    /// - Parameters:
    ///   - wake: called when the reader sleeps and there is something to take; must return at once.
    ///   - onOverflow: called on the announcer's thread for each announcement that did not fit; must return at once.
    public init(
        readers: [Reader], capacity: Int, byteCapacity: Int, wake: @escaping @Sendable () -> Void,
        onOverflow: @escaping @Sendable (PolicyAnnouncement) -> Void
    ) {
        self.readers = readers
        inbox = Mutex(Inbox(capacity: capacity, byteCapacity: byteCapacity))
        self.wake = wake
        self.onOverflow = onOverflow
    }

    /// Takes everything there is. When there is nothing, the next announcement will call `wake`.
    public func take() -> [PolicyAnnouncement] { inbox.withLock { $0.take() } }

    /// Announcements that wait, and how many did not fit so far.
    public var load: (waiting: Int, overflowed: Int64) {
        inbox.withLock { ($0.elements.count, $0.overflowed) }
    }

    func wants(_ announcement: PolicyAnnouncement) -> Bool {
        let namespace = announcement.policyID.namespace
        return readers.contains { reader in
            (reader.namespaces.isEmpty || reader.namespaces.contains(namespace))
                && announcement.isMeant(for: reader.subjects)
        }
    }

    /// Returns whether it was taken.
    func offer(_ announcement: PolicyAnnouncement) -> Bool {
        let (isTaken, wakes) = inbox.withLock { inbox -> (Bool, Bool) in
            guard !inbox.isEnded, inbox.append(announcement, bytes: announcement.queuedBytes) else {
                return (false, false)
            }
            return (true, inbox.wakesReader())
        }
        if wakes { wake() }
        if !isTaken { onOverflow(announcement) }
        return isTaken
    }

    /// Takes nothing any more and forgets what it holds.
    func end() { inbox.withLock { $0.end() } }
}

/// An announcement that nobody has acknowledged, and that is not repeated any more.
public struct AbandonedAnnouncement: Sendable, Equatable {
    public var policyID: PolicyID
    public var subjectID: String
    /// How often it was published.
    public var attempts: Int
    /// The status of the last answer; nil when the time was over.
    public var status: Int?
}

/// All subscribers of announcements. Safe from any thread; its lock is a leaf.
public final class AnnouncementChannel: Sendable {
    private let subscriptions = Mutex<[AnnouncementSubscription]>([])
    private let abandonment = Mutex<(@Sendable (AbandonedAnnouncement) -> Void)?>(nil)

    init() {}

    /// Adds a subscriber; he gets every announcement for him that is published after this call has returned.
    public func add(_ subscription: AnnouncementSubscription) {
        subscriptions.withLock { $0.append(subscription) }
    }

    /// Removes a subscriber.
    public func remove(_ subscription: AnnouncementSubscription) {
        subscriptions.withLock { $0.removeAll { $0 === subscription } }
        subscription.end()
    }

    /// Calls `body` for every announcement that is given up, on the watch's own thread.
    public func whenAbandoned(_ body: @escaping @Sendable (AbandonedAnnouncement) -> Void) {
        abandonment.withLock { $0 = body }
    }

    func abandoned(_ announcement: AbandonedAnnouncement) { abandonment.withLock { $0 }?(announcement) }

    /// Whether somebody would get it.
    func hasReader(of announcement: PolicyAnnouncement) -> Bool {
        subscriptions.withLock { $0 }.contains { $0.wants(announcement) }
    }

    /// Gives it to all it is meant for; returns how many have taken it.
    func publish(_ announcement: PolicyAnnouncement) -> Int {
        let all = subscriptions.withLock { $0 }
        return all.count { $0.wants(announcement) && $0.offer(announcement) }
    }
}
