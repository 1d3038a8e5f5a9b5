// Removes subjects at their expiry and announces it (spec/policies-search.md A.9). One thread of the engine; what it
// has to know about policies comes from every commit that changes one, and from the store, which knows when a policy is
// due without reading it. Here is what the thread holds; what it does is in `TwinEngine+Subjects.swift`.
import Synchronization
import TwinspanJSON
import TwinspanProtocol

/// The state of the watch over subjects. Safe from any thread.
final class SubjectWatch: Sendable {
    /// Sizes and times.
    enum Pace {
        /// It looks at the clocks at least so often, because the time of day may jump.
        static let idle = Duration.seconds(2)
        /// Policies that are due within this are known in memory, in milliseconds.
        static let window: Int64 = 3_600_000
        /// Rows read at a time.
        static let page = 1_000
        /// Policies looked at in one round.
        static let visits = 256
        /// Subjects removed under one lock.
        static let removals = 32
        /// A second after a failure of the store, in nanoseconds.
        static let retry: UInt64 = 1_000_000_000
        /// How long after the start it is waited for those who are to be told, in nanoseconds, and how often looked.
        static let settling: UInt64 = 10_000_000_000
        static let settlingPause: UInt64 = 250_000_000
        static let commit = Duration.seconds(5)
    }

    /// A committed change of a policy whose subjects are watched.
    struct Shift: Sendable {
        let policyID: PolicyID
        let before: JSONText?
        let after: JSONText?
        let at: Timestamp
    }

    /// What has become of an announcement.
    struct Reply: Sendable {
        let policyID: PolicyID
        let key: String
        let correlationID: String
        let status: Int
    }

    struct Mail: Sendable {
        static let countMax = 65_536
        static let bytesMax = 64 << 20

        var shifts: [Shift] = []
        var replies: [Reply] = []
        fileprivate var bytes = 0
        /// Shifts that did not fit: what was to be told about these policies is not known any more.
        var lost = 0
    }

    /// What only he touches whose turn it is: the thread, or a test that has moved its clock.
    struct Turn: Sendable {
        /// By the time of day, in milliseconds since 1970.
        var schedule = DueTable()
        /// By the monotonic clock.
        var retries = DueTable()
        /// What is under way, by the key of the subject.
        var courses: [PolicyID: [String: SubjectCourse]] = [:]
        /// Every policy that is due before this is in the schedule; nil before the store was asked.
        var horizon: Int64?
        /// When the store is asked once more, because its rows may have lagged behind a jump of the clock.
        var refillAgain: UInt64?
        var isResumed = false
        var startedAt: UInt64 = 0
    }

    let turn = Mutex(Turn())
    let doorbell = Doorbell()
    let isStopping = Atomic<Bool>(false)
    private let mail = Mutex(Mail())
    private let thread = Mutex<WorkerThread?>(nil)

    func start(_ body: @escaping @Sendable () -> Void) {
        let worker = WorkerThread(name: "subjects") { body() }
        thread.withLock { $0 = worker }
    }

    /// Ends the thread; what was not acknowledged is announced again by the next process.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        let worker = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        worker?.join()
    }

    func post(_ shifts: [Shift]) {
        mail.withLock { mail in
            for shift in shifts {
                let bytes = 256 + (shift.before?.bytes.count ?? 0) + (shift.after?.bytes.count ?? 0)
                guard mail.shifts.count < Mail.countMax, mail.bytes < Mail.bytesMax else {
                    mail.lost += 1
                    continue
                }
                mail.shifts.append(shift)
                mail.bytes += bytes
            }
        }
        doorbell.ring()
    }

    /// The number of replies is bounded by that of the requests that wait.
    func post(_ reply: Reply) {
        mail.withLock { $0.replies.append(reply) }
        doorbell.ring()
    }

    func takeMail() -> Mail {
        mail.withLock { mail in
            defer { mail = Mail() }
            return mail
        }
    }
}
