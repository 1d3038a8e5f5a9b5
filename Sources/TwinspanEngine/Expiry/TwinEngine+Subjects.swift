// What the watch over subjects does in one round: take what was committed and answered, look at the policies that are
// due, announce, remove, and have the store keep what was told. The turn is held all the while; it stands before every
// other lock, and nobody waits for it.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension TwinEngine {
    /// What a round leaves to be committed.
    struct SubjectErrands {
        var records: [StoreRecord] = []
        /// Subjects whose settlement the records tell.
        var settled: [WatchedSubject] = []
        var removals: [(policyID: PolicyID, subjects: [WatchedSubject])] = []
    }

    func startSubjectWatch() {
        subjectWatch.turn.withLock { $0.startedAt = clock.monotonic }
        subjectWatch.start { [self] in
            while !subjectWatch.isStopping.load(ordering: .acquiring) {
                subjectWatch.doorbell.wait(patience: tendSubjects())
            }
        }
    }

    /// Tells the watch of changes of policies that are committed now. Called by the committer.
    func noteSubjects(of batch: CommitBatch) {
        var shifts: [SubjectWatch.Shift] = []
        for change in batch.changes {
            guard case .policy(let event, let after) = change.content, change.lastText != nil || after.isWatched else {
                continue
            }
            shifts.append(
                SubjectWatch.Shift(
                    policyID: event.policyID, before: change.lastText, after: after.text, at: event.timestamp))
        }
        if !shifts.isEmpty { subjectWatch.post(shifts) }
    }

    /// One round; returns how long nothing will be due. The thread calls it; so does a test that has moved its clock.
    @discardableResult
    func tendSubjects() -> Duration {
        subjectWatch.turn.withLock { turn in
            var visits: Set<PolicyID> = []
            var errands = SubjectErrands()
            let now = clock.now.milliseconds
            let monotonic = clock.monotonic
            do throws(StoreFailure) {
                try resumeAnnouncements(&turn, &visits)
                try refill(&turn, now: now)
            } catch {
                // Asked again in the next round.
            }
            take(subjectWatch.takeMail(), &turn, &visits, &errands)
            let limit = SubjectWatch.Pace.visits
            visits.formUnion(turn.schedule.takeDue(UInt64(max(now, 0)), limit: limit))
            visits.formUnion(turn.retries.takeDue(monotonic, limit: limit))
            for policyID in visits {
                do throws(StoreFailure) {
                    try visit(policyID, &turn, &errands)
                } catch {
                    turn.retries.insert(policyID, due: monotonic &+ SubjectWatch.Pace.retry)
                }
            }
            perform(errands, &turn)
            return pause(turn)
        }
    }

    private func pause(_ turn: SubjectWatch.Turn) -> Duration {
        var pause = SubjectWatch.Pace.idle
        // At least a moment, so that a clock that stands still does not keep a processor busy.
        let least = Duration.milliseconds(1)
        if let due = turn.schedule.first {
            let milliseconds = Int64(clamping: due).saturatingAdd(-max(clock.now.milliseconds, 0))
            pause = min(pause, max(.milliseconds(min(milliseconds, 60_000)), least))
        }
        if let due = turn.retries.first {
            let monotonic = clock.monotonic
            let nanoseconds = due > monotonic ? min(due - monotonic, 60_000_000_000) : 0
            pause = min(pause, max(.nanoseconds(Int64(nanoseconds)), least))
        }
        return pause
    }

    // MARK: What the store knows

    /// Goes on with announcements of subjects that were gone when the process before ended.
    private func resumeAnnouncements(
        _ turn: inout SubjectWatch.Turn, _ visits: inout Set<PolicyID>
    ) throws(StoreFailure) {
        guard !turn.isResumed else { return }
        for stored in try store.records.announcementsOfRemoved() {
            guard let deleteAt = stored.deleteAt,
                let subject = WatchedSubject(key: stored.subject, of: stored.policyID, settings.access.announcements)
            else { continue }
            turn.courses[stored.policyID, default: [:]][subject.key] = SubjectCourse(subject, removedAt: deleteAt)
            visits.insert(stored.policyID)
        }
        turn.isResumed = true
    }

    /// Puts what is due within the next hour into the schedule. What changes later comes with its commit.
    private func refill(_ turn: inout SubjectWatch.Turn, now: Int64) throws(StoreFailure) {
        let window = SubjectWatch.Pace.window
        let monotonic = clock.monotonic
        let isDue = turn.horizon.map { now.saturatingAdd(window / 2) > $0 } ?? true
        let isDueAgain = turn.refillAgain.map { monotonic >= $0 } ?? false
        guard isDue || isDueAgain else { return }
        let horizon = now.saturatingAdd(window)
        let end = Timestamp(
            milliseconds: horizon.saturatingAdd(WatchedSubject.slack(settings.access.announcements)))
        var last: DuePolicy?
        while true {
            let page = try store.policiesDue(before: end, after: last, limit: SubjectWatch.Pace.page)
            for policy in page { turn.schedule.insert(policy.id, due: UInt64(max(policy.due.milliseconds, 0))) }
            guard page.count == SubjectWatch.Pace.page else { break }
            last = page.last
        }
        let hasJumped = turn.horizon.map { now > $0 } ?? false
        turn.refillAgain = hasJumped ? monotonic &+ 10_000_000_000 : nil
        turn.horizon = max(turn.horizon ?? horizon, horizon)
    }

    // MARK: Mail

    private func take(
        _ mail: SubjectWatch.Mail, _ turn: inout SubjectWatch.Turn, _ visits: inout Set<PolicyID>,
        _ errands: inout SubjectErrands
    ) {
        for _ in 0..<mail.lost { metrics.announcementAbandoned() }
        for shift in mail.shifts {
            if shift.after != nil || turn.courses[shift.policyID] != nil { visits.insert(shift.policyID) }
            do throws(StoreFailure) {
                try take(shift, &turn, &visits, &errands)
            } catch {
                // What was told before is not known: rather once too often than never.
                metrics.announcementAbandoned()
            }
        }
        for reply in mail.replies {
            take(reply, &turn)
            visits.insert(reply.policyID)
        }
    }

    /// Finds out which subjects have left with a change and which have come.
    private func take(
        _ shift: SubjectWatch.Shift, _ turn: inout SubjectWatch.Turn, _ visits: inout Set<PolicyID>,
        _ errands: inout SubjectErrands
    ) throws(StoreFailure) {
        let id = shift.policyID
        let announcements = settings.access.announcements
        let policies = [shift.before, shift.after].map { text in
            // Both were applied as policies before they were committed.
            text.flatMap { try? Policy.parse($0.value, id: id, limits: .structure) }
        }
        let before = policies[0].map { WatchedSubject.all(in: $0, announcements) } ?? []
        let after = policies[1].map { WatchedSubject.all(in: $0, announcements) } ?? []
        let gone = before.filter { old in old.terms != nil && !after.contains { $0.key == old.key } }
        let come = after.filter { new in new.terms != nil && !before.contains { $0.key == new.key } }
        guard !gone.isEmpty || !come.isEmpty else { return }
        let stored = try store.records.announcements(of: id)
        for subject in come {
            // Whatever an earlier subject of the same name was told.
            if turn.courses[id]?[subject.key]?.removedAt != nil { turn.courses[id]?[subject.key] = nil }
            let record = StoredAnnouncement(policyID: id, subject: subject.key)
            if stored.contains(where: { $0.subject == subject.key }) {
                errands.records.append(.announcementRemove(record))
            }
        }
        for subject in gone {
            let course = turn.courses[id]?.removeValue(forKey: subject.key)
            let record = stored.first { $0.subject == subject.key }
            let isSettled = course?.phase == .settled || record.map { $0.deleteAt == nil } ?? false
            let isReplaced = policies[1]?.entries.contains { entry in
                entry.subjects.contains { $0.id.hasSameBytes(as: subject.id) }
            }
            guard !isSettled, isReplaced != true, subject.terms?.isSentWhenDeleted == true else {
                if let record { errands.records.append(.announcementRemove(record)) }
                continue
            }
            let removedAt = Timestamp(milliseconds: min(shift.at.milliseconds, subject.expiry ?? .max))
            turn.courses[id, default: [:]][subject.key] = SubjectCourse(subject, removedAt: removedAt)
            errands.records.append(
                .announcementPut(StoredAnnouncement(policyID: id, subject: subject.key, deleteAt: removedAt)))
            visits.insert(id)
        }
    }

    private func take(_ reply: SubjectWatch.Reply, _ turn: inout SubjectWatch.Turn) {
        guard var course = turn.courses[reply.policyID]?[reply.key] else { return }
        let answer = course.answered(
            reply.status, to: reply.correlationID, monotonic: clock.monotonic,
            pauses: settings.access.announcements.retryPauses)
        turn.courses[reply.policyID]?[reply.key] = course
        switch answer {
        case .acknowledged: metrics.announcementAcknowledged()
        case .givenUp: abandon(course, status: reply.status)
        case .repeated, .ignored: break
        }
    }

    // MARK: A policy

    /// Does what is due for the subjects of a policy, and notes when it is to be looked at again.
    private func visit(
        _ id: PolicyID, _ turn: inout SubjectWatch.Turn, _ errands: inout SubjectErrands
    ) throws(StoreFailure) {
        var courses = turn.courses.removeValue(forKey: id) ?? [:]
        defer { if !courses.isEmpty { turn.courses[id] = courses } }
        for (key, course) in courses where course.removedAt != nil {
            var course = course
            let mustLeave = advance(&course, &turn)
            if mustLeave { errands.records.append(.announcementRemove(.init(policyID: id, subject: key))) }
            courses[key] = mustLeave ? nil : course
        }
        guard let text = try committedPolicy(id).text,
            // It was applied as a policy before.
            let policy = try? Policy.parse(text.value, id: id, limits: .structure)
        else { return }
        var stored: [StoredAnnouncement]?
        var leaving: [WatchedSubject] = []
        for subject in WatchedSubject.all(in: policy, settings.access.announcements) where subject.expiry != nil {
            var course: SubjectCourse
            if let known = courses[subject.key] {
                // It has come back while its removal is being told: its change is about to say so.
                if known.removedAt != nil { continue }
                course = known
            } else {
                if subject.announceAt != nil, stored == nil { stored = try store.records.announcements(of: id) }
                let isSettled = stored?.contains { $0.subject == subject.key && $0.deleteAt == nil } ?? false
                course = SubjectCourse(subject, isSettled: isSettled)
            }
            let mustLeave = advance(&course, &turn)
            if mustLeave {
                leaving.append(subject)
            } else if course.phase == .settled, !course.isRecorded {
                errands.records.append(.announcementPut(.init(policyID: id, subject: subject.key)))
                errands.settled.append(subject)
            }
            courses[subject.key] = course.isUnderWay ? course : nil
        }
        guard !leaving.isEmpty else { return }
        let count = SubjectWatch.Pace.removals
        errands.removals.append((id, Array(leaving.prefix(count))))
        if leaving.count > count { turn.retries.insert(id, due: clock.monotonic) }
    }

    /// Lets a subject go on as far as it can now. Returns whether it has come to its end: a subject that is there has
    /// to be removed, one that is gone is forgotten.
    private func advance(_ course: inout SubjectCourse, _ turn: inout SubjectWatch.Turn) -> Bool {
        let grace = AnnouncementTerms.milliseconds(settings.access.announcements.gracePeriod)
        let id = course.subject.policyID
        // Announced, then settled or given up, then removed: it never takes more steps at once.
        for _ in 0..<4 {
            switch course.step(now: clock.now.milliseconds, monotonic: clock.monotonic, grace: grace) {
            case .wait(let until):
                if case .pausing(let until) = course.phase { turn.retries.insert(id, due: until) }
                if let until, course.isUnderWay || until <= turn.horizon ?? .max {
                    turn.schedule.insert(id, due: UInt64(max(until, 0)))
                }
                return false
            case .announce(let deleteAt): announce(&course, deleteAt, turn)
            case .giveUp:
                course.settle()
                abandon(course, status: nil)
            case .remove, .forget: return true
            }
        }
        return false
    }

    private func announce(_ course: inout SubjectCourse, _ deleteAt: Timestamp, _ turn: SubjectWatch.Turn) {
        let subject = course.subject
        guard let terms = subject.terms else { return course.settle() }
        let correlationID = live.makeCorrelationID()
        let announcement = PolicyAnnouncement(
            policyID: subject.policyID, deleteAt: deleteAt, subjectIDs: [subject.id], correlationID: correlationID,
            requestedAcks: terms.labels, timeout: terms.timeout)
        let monotonic = clock.monotonic
        let isHeard = announcements.hasReader(of: announcement)
        if !isHeard, monotonic &- turn.startedAt < SubjectWatch.Pace.settling {
            // Connections open after the engine; who is to be told may be on his way.
            return course.postponed(until: monotonic &+ SubjectWatch.Pace.settlingPause)
        }
        course.announced(correlationID)
        guard !terms.labels.isEmpty else {
            if announcements.publish(announcement) > 0 {
                metrics.announcementPublished()
            } else if isHeard {
                return refuse(&course, monotonic)
            }
            return course.settle()
        }
        let place: PendingTable.Place
        do throws(TwinspanError) {
            var request = PendingRequest(
                .announcement, of: ThingID(textOf: subject.policyID),
                terms: LiveTerms(announcement: terms.labels, milliseconds: terms.timeout),
                correlationID: correlationID, deadline: monotonic &+ UInt64(terms.timeout) &* 1_000_000
            ) { [subjectWatch] answer in
                subjectWatch.post(
                    SubjectWatch.Reply(
                        policyID: subject.policyID, key: subject.key, correlationID: correlationID,
                        status: answer.status))
            }
            request.awaitsCommit = false
            place = try live.register(request)
        } catch {
            return refuse(&course, monotonic)
        }
        guard announcements.publish(announcement) > 0 else {
            // Nobody is there who could acknowledge: it need not be waited for.
            return live.finish(place.number, with: .failure(Self.nobodyListens))
        }
        metrics.announcementPublished()
    }

    private func refuse(_ course: inout SubjectCourse, _ monotonic: UInt64) {
        _ = course.answered(
            424, to: course.correlationID ?? "", monotonic: monotonic,
            pauses: settings.access.announcements.retryPauses)
    }

    private static var nobodyListens: TwinspanError {
        TwinspanError(
            code: AckErrorTable.requestTimeout.code, status: 424,
            message: "Nobody listens to the announcements of the policy for the subject.")
    }

    private func abandon(_ course: SubjectCourse, status: Int?) {
        metrics.announcementAbandoned()
        announcements.abandoned(
            AbandonedAnnouncement(
                policyID: course.subject.policyID, subjectID: course.subject.id, attempts: course.attempts,
                status: status))
    }

    // MARK: The end of a round

    /// Has the store keep what was told, and removes who has to leave.
    private func perform(_ errands: SubjectErrands, _ turn: inout SubjectWatch.Turn) {
        let again = clock.monotonic &+ SubjectWatch.Pace.retry
        let recordTicket = errands.records.isEmpty ? nil : keep(errands.records)
        var removals: [(id: PolicyID, ticket: CommitTicket?, count: Int)] = []
        for (id, subjects) in errands.removals {
            let removed = removeExpired(subjects, from: id)
            removals.append((id, removed.ticket, removed.count))
        }
        if let recordTicket, commit(recordTicket, patience: SubjectWatch.Pace.commit) == .committed {
            for subject in errands.settled {
                turn.courses[subject.policyID]?[subject.key] = nil
                if turn.courses[subject.policyID]?.isEmpty == true { turn.courses[subject.policyID] = nil }
            }
        } else {
            for subject in errands.settled { turn.retries.insert(subject.policyID, due: again) }
        }
        for removal in removals {
            guard let ticket = removal.ticket, commit(ticket, patience: SubjectWatch.Pace.commit) == .committed else {
                turn.retries.insert(removal.id, due: again)
                continue
            }
            metrics.subjectsExpired(removal.count)
        }
    }
}
