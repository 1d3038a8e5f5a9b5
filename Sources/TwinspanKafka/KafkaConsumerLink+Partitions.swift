// What the group gives to a consumer and takes away. Runs inside the poll of the library on the thread of the session,
// possibly in the middle of a drain, and has to be done before the group loses patience.
import TwinspanConnections
import TwinspanNetwork

extension KafkaConsumerLink {
    /// Answers a change of the group.
    func rebalance(_ change: KafkaHandle.Rebalance) {
        switch change {
        case .assigned(let partitions):
            begin(partitions)
            hasJoined = true
        case .revoked(_, let isLost):
            // Somebody else may read them already: then what is half read is his.
            if isLost { tellUntold(.illegalGeneration) } else { finish() }
            intake.revoke(dropping: isLost)
            lostPlaces = []
            unstored = []
        case .failed(let code):
            intake.revoke(dropping: true)
            health.warn(code, code.phrase, observer)
        }
    }

    /// The longest each question may take, and the last commit before partitions are given away.
    private var patience: Duration { .seconds(3) }

    /// Begins to read partitions at the places we or the group know.
    private func begin(_ partitions: [KafkaHandle.Partition]) {
        let own: [LogPosition]
        do {
            own = try inlet.positions(of: fields.groupID)
        } catch {
            end = .failed(error)
            _ = handle.assign([])
            return
        }
        let group = partitions.isEmpty ? [:] : handle.committed(partitions, patience: patience) ?? [:]
        let first = handle.offsets(partitions, atEnd: false, patience: patience)
        let ends = handle.offsets(partitions, atEnd: true, patience: patience)
        var places: [(KafkaHandle.Partition, Int64)] = []
        for partition in partitions {
            let mine = own.first { $0.topic == partition.topic && $0.partition == partition.number }?.offset
            let start = StartingPlace(
                own: mine, group: group[partition], first: first[partition], end: ends[partition],
                beginsAtStart: fields.beginsAtStart)
            if let finding = start.finding { tell(finding, partition, start.offset) }
            places.append((partition, start.offset))
            health.recover(topic: partition.topic, observer)
        }
        intake.assign(places)
        unstored = places.filter { $0.1 >= 0 && group[$0.0] != $0.1 }
        let code = handle.assign(places)
        if code != .success { health.warn(code, code.phrase, observer) }
    }

    /// Settles what was read, and tells the group, before somebody else reads on.
    private func finish() {
        let deadline = Deadline.after(patience)
        if !intake.batch.isEmpty, let end = settle(until: deadline) { self.end = end }
        if intake.hasMoved, end == nil { remember(intake.takeMoved()) }
        let code = handle.commit(until: .after(patience))
        if code == .success { told() } else { tellUntold(code) }
    }

    /// Whoever reads on begins where the group last heard of us.
    func tellUntold(_ code: KafkaCode) {
        guard isUntold else { return }
        told()
        observer.warned(KafkaFailure.untold(fields.groupID, code))
    }

    /// Goes on with partitions that do not have the offset we wanted.
    func restartLostPlaces() {
        guard !lostPlaces.isEmpty else { return }
        let partitions = lostPlaces
        let first = handle.offsets(partitions, atEnd: false, patience: patience)
        let ends = handle.offsets(partitions, atEnd: true, patience: patience)
        for partition in partitions {
            // Those nobody tells about now are tried again in the next turn.
            guard let next = intake.next(of: partition) else {
                lostPlaces.removeAll { $0 == partition }
                continue
            }
            guard let low = first[partition], let high = ends[partition] else { continue }
            let start = StartingPlace(
                own: next >= 0 ? next : nil, group: nil, first: low, end: high, beginsAtStart: fields.beginsAtStart)
            guard handle.seek(partition, to: start.offset) == .success else { continue }
            lostPlaces.removeAll { $0 == partition }
            if let finding = start.finding { tell(finding, partition, start.offset) }
            intake.move(partition, to: start.offset)
        }
    }

    private func tell(_ finding: StartingPlace.Finding, _ partition: KafkaHandle.Partition, _ start: Int64) {
        switch finding {
        case .ahead(let place):
            observer.warned(KafkaFailure.moved(partition, from: place, to: start, isAhead: true))
        case .behind(let place):
            observer.warned(KafkaFailure.moved(partition, from: place, to: start, isAhead: false))
        }
    }
}
