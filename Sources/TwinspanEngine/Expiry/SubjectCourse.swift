// The course of one subject from its announcement to its end (spec/policies-search.md A.9.2), as a plain value: given
// the time it says what to do next, and the watch does it.
import TwinspanProtocol

/// Where a subject stands.
struct SubjectCourse: Sendable {
    enum Phase: Sendable, Equatable {
        /// Nothing was announced yet.
        case quiet
        /// An announcement waits for its acknowledgements.
        case awaiting
        /// It is announced again at this time of the monotonic clock.
        case pausing(until: UInt64)
        /// Nothing is announced any more: it was acknowledged, or given up.
        case settled
    }

    /// What to do next.
    enum Step: Sendable, Equatable {
        /// Nothing before this time of day, in milliseconds since 1970; nil when only an answer changes anything.
        case wait(until: Int64?)
        case announce(deleteAt: Timestamp)
        /// Take the subject out of its policy.
        case remove
        /// Nobody has acknowledged it in time.
        case giveUp
        /// Nothing is left to do for a subject that is gone.
        case forget
    }

    let subject: WatchedSubject
    /// When it left its policy without an acknowledged announcement; nil while it is there.
    let removedAt: Timestamp?
    private(set) var phase = Phase.quiet
    /// How often it was announced.
    private(set) var attempts = 0
    /// The announcement whose answer counts; answers to earlier ones do not.
    private(set) var correlationID: String?
    /// The store knows that it is settled.
    var isRecorded = false

    init(_ subject: WatchedSubject, removedAt: Timestamp? = nil, isSettled: Bool = false) {
        self.subject = subject
        self.removedAt = removedAt
        if isSettled {
            phase = .settled
            isRecorded = true
        }
    }

    /// Whether it has to be remembered: everything else follows from the policy and the store.
    var isUnderWay: Bool {
        switch phase {
        case .quiet: removedAt != nil
        case .awaiting, .pausing: true
        case .settled: !isRecorded
        }
    }

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - grace: for how many milliseconds an announcement is repeated after the end.
    func step(now: Int64, monotonic: UInt64, grace: Int64) -> Step {
        let end = removedAt.map(\.milliseconds) ?? subject.expiry
        let limit = end?.saturatingAdd(grace)
        switch phase {
        case .settled:
            guard removedAt == nil else { return .forget }
            return atExpiry(now)
        case .quiet:
            if let removedAt { return .announce(deleteAt: removedAt) }
            guard let announceAt = subject.announceAt, let expiry = subject.expiry else { return atExpiry(now) }
            // The process was down for so long that nobody may wait any more.
            if let limit, now >= limit { return .remove }
            return now >= announceAt
                ? .announce(deleteAt: Timestamp(milliseconds: expiry)) : .wait(until: announceAt)
        case .awaiting:
            if let limit, now >= limit { return .giveUp }
            return .wait(until: limit)
        case .pausing(let until):
            if let limit, now >= limit { return .giveUp }
            guard monotonic >= until else { return .wait(until: limit) }
            return .announce(deleteAt: Timestamp(milliseconds: end ?? now))
        }
    }

    private func atExpiry(_ now: Int64) -> Step {
        guard let expiry = subject.expiry else { return .wait(until: nil) }
        return now >= expiry ? .remove : .wait(until: expiry)
    }

    // MARK: Events

    /// It is announced now; `correlationID` is that of the announcement.
    mutating func announced(_ correlationID: String) {
        attempts += 1
        self.correlationID = correlationID
        phase = .awaiting
    }

    /// Nobody was there to be told; it is tried again without counting.
    mutating func postponed(until: UInt64) { phase = .pausing(until: until) }

    /// What an answer means.
    enum Answer: Sendable, Equatable { case acknowledged, repeated, givenUp, ignored }

    /// Takes the combined status of the acknowledgements: 2xx settles; 408, 424 and 5xx mean that it is announced again
    /// after a pause; anything else that nobody wants to hear it.
    mutating func answered(
        _ status: Int, to correlationID: String, monotonic: UInt64, pauses: ClosedRange<Duration>
    ) -> Answer {
        guard phase == .awaiting, self.correlationID == correlationID else { return .ignored }
        switch status {
        case 200..<300:
            phase = .settled
            return .acknowledged
        case 408, 424, 500..<600:
            phase = .pausing(until: monotonic &+ pause(pauses))
            return .repeated
        default:
            phase = .settled
            return .givenUp
        }
    }

    /// It is not announced any more.
    mutating func settle() { phase = .settled }

    /// Nanoseconds until the next attempt: doubled with each, made up to half longer so that not all come at once.
    private func pause(_ pauses: ClosedRange<Duration>) -> UInt64 {
        let least = UInt64(max(pauses.lowerBound / .nanoseconds(1), 0))
        let most = UInt64(max(pauses.upperBound / .nanoseconds(1), 0))
        let (doubled, isBeyond) = least.multipliedReportingOverflow(by: 1 << UInt64(min(max(attempts - 1, 0), 30)))
        let base = isBeyond ? most : min(doubled, most)
        let factor = (subject.hash ^ UInt64(attempts) &* 0x9e37_79b9_7f4a_7c15) % 512
        return min(base &+ base / 1024 &* factor, max(most, least))
    }
}
