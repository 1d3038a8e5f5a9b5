// Puts policies and things of the operator's files into the store: what is missing is made, and what always applies
// replaces what differs. By the operator's authority: no permission is asked for and nobody is the originator.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension TwinEngine {
    /// Applies seeds and waits for their commit. Blocks, so it is called on threads that may.
    ///
    /// First all are held against the state: a policy that is imported and the policy of a thing must be there, or be
    /// among the seeds. If one is not, nothing is written. Then the policies are written, imported ones before those
    /// that import them, then the things.
    public func apply(_ policies: [PolicySeed], _ things: [ThingSeed]) -> SeedReport {
        var report = SeedReport()
        do throws(TwinspanError) {
            let work = try check(policies, things, &report)
            guard report.refusals.isEmpty else { return report }
            for index in Self.importedFirst(policies) {
                let seed = policies[index]
                report.policies.count(
                    try write { () throws(TwinspanError) in try self.attempt(seed) }, was: work.policies[index])
            }
            for (index, seed) in things.enumerated() {
                do throws(TwinspanError) {
                    report.things.count(
                        try write { () throws(TwinspanError) in try self.attempt(seed) }, was: work.things[index])
                } catch {
                    guard error.status < 429 else { throw error }
                    report.refuse(.thing(index), error, at: ["policyId"])
                }
            }
            try settle(queue.newestSequence)
        } catch {
            report.failure = error
        }
        return report
    }

    /// How long the store may take for a part of the seeds.
    private static let patience = Duration.seconds(60)

    // MARK: Checks

    /// What there is of each seed; refusals go into the report.
    private func check(
        _ policies: [PolicySeed], _ things: [ThingSeed], _ report: inout SeedReport
    ) throws(TwinspanError) -> (policies: [Bool], things: [Bool]) {
        let seeded = Set(policies.map(\.id))
        var existing: [Bool] = []
        for (index, seed) in policies.enumerated() {
            let text = try known(seed.id)
            existing.append(text != nil)
            guard text == nil || seed.isAlwaysApplied && text?.value != seed.text.value else { continue }
            for imported in seed.imports where !seeded.contains(imported.policyID) {
                guard try known(imported.policyID) == nil else { continue }
                report.refuse(
                    .policy(index),
                    PolicyErrorTable.notFound.error(
                        "The policy '\(imported.policyID)' that is imported does not exist.",
                        description: "Add it to the policies, or make it first."),
                    at: ["imports", imported.policyID.text], isAboutKey: true)
            }
        }
        var existingThings: [Bool] = []
        for (index, seed) in things.enumerated() {
            let text = try known(seed.id)
            existingThings.append(text != nil)
            guard text == nil || seed.isAlwaysApplied, !seeded.contains(seed.policyID) else { continue }
            if try known(seed.policyID) == nil {
                report.refuse(.thing(index), Self.policyMissing(seed), at: ["policyId"])
            }
        }
        return (existing, existingThings)
    }

    private static func policyMissing(_ seed: ThingSeed) -> TwinspanError {
        PolicyErrorTable.notFound.error(
            "The policy '\(seed.policyID)' of the thing '\(seed.id)' does not exist.",
            description: "Add it to the policies, or make it first.")
    }

    /// The text of a policy; nil when there is none.
    private func known(_ id: PolicyID) throws(TwinspanError) -> JSONText? {
        for _ in 0..<Self.roundsMaximum {
            let found = policies.content.withLock { content -> JSONText?? in
                content.cache.slot(of: id).map { content.cache[$0].state.text }
            }
            if let found { return found }
            try loaded(load(id), PolicyErrorTable.unavailable)
        }
        throw Self.tooSmallCache
    }

    private func known(_ id: ThingID) throws(TwinspanError) -> JSONText? {
        for _ in 0..<Self.roundsMaximum {
            let found = shards[shardIndex(of: id)].content.withLock { content -> JSONText?? in
                content.cache.slot(of: id).map { content.cache[$0].state.text }
            }
            if let found { return found }
            try loaded(load(id), ThingErrorTable.unavailable)
        }
        throw Self.tooSmallCache
    }

    private func loaded(_ failure: StoreFailure?, _ row: ErrorRow) throws(TwinspanError) {
        guard let failure else { return }
        throw row.error("The store cannot be read: \(failure.description).")
    }

    /// Each round loads one missing entity; more mean that one load evicts another.
    private static let roundsMaximum = 32

    private static let tooSmallCache = PolicyErrorTable.unavailable.error(
        "The cache is too small to hold a policy and a thing.")

    /// The indices of the policies, each behind those it imports; in a circle of imports any may be the first.
    static func importedFirst(_ policies: [PolicySeed]) -> [Int] {
        let indices = Dictionary(
            policies.indices.map { (policies[$0].id, $0) }, uniquingKeysWith: { first, _ in first })
        var order: [Int] = []
        var isSeen = [Bool](repeating: false, count: policies.count)
        for start in policies.indices where !isSeen[start] {
            isSeen[start] = true
            // A stack of its own: chains of imports may be longer than that of the thread.
            var stack = [(index: start, next: 0)]
            while let top = stack.last {
                let imports = policies[top.index].imports
                guard top.next < imports.count else {
                    order.append(top.index)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].next += 1
                guard let imported = indices[imports[top.next].policyID], !isSeen[imported] else { continue }
                isSeen[imported] = true
                stack.append((imported, 0))
            }
        }
        return order
    }

    // MARK: Writing

    private enum Attempt {
        case written(Int64)
        case leftAlone
        case needsThing(ThingID)
        case needsPolicies([PolicyID])
        case needsRoom
    }

    /// Attempts a write until it is done. Returns whether something was written.
    private func write(_ attempt: () throws(TwinspanError) -> Attempt) throws(TwinspanError) -> Bool {
        for _ in 0..<Self.roundsMaximum {
            switch try attempt() {
            case .written: return true
            case .leftAlone: return false
            case .needsThing(let id): try loaded(load(id), ThingErrorTable.unavailable)
            case .needsPolicies(let ids): try loaded(load(ids), PolicyErrorTable.unavailable)
            case .needsRoom: try settle(queue.newestSequence)
            }
        }
        throw Self.tooSmallCache
    }

    /// Waits until everything up to a sequence is durable.
    private func settle(_ sequence: Int64) throws(TwinspanError) {
        let ticket = ticket(sequence)
        commitSoon()
        switch gate.wait(for: ticket, patience: Self.patience) {
        case .committed: return
        case .pending, .rejected: throw PolicyErrorTable.unavailable.error("The store has not taken the changes.")
        }
    }

    private func attempt(_ seed: PolicySeed) throws(TwinspanError) -> Attempt {
        let now = clock.now
        return try policies.content.withLock { content throws(TwinspanError) -> Attempt in
            guard content.isOpen else { throw PolicyErrorTable.unavailable.error() }
            guard let slot = content.cache.slot(of: seed.id) else { return .needsPolicies([seed.id]) }
            let state = content.cache[slot].state
            if let text = state.text {
                guard seed.isAlwaysApplied, text != seed.text, text.value != seed.text.value else {
                    return .leftAlone
                }
            }
            if try !hasRoom() { return .needsRoom }
            let event = PolicyEvent(
                policyID: seed.id, action: state.text == nil ? .created : .modified, value: seed.text,
                revision: state.revision + 1, timestamp: now)
            let after = try following { () throws(InconsistentEvent) in try state.applying(event) }
            let sequence = queue.append(
                seedChange(.policy(event, after: after), nil, lastText: state.watchedText))
            content.cache.update(slot: slot, to: after, sequence: sequence)
            return .written(sequence)
        }
    }

    private func attempt(_ seed: ThingSeed) throws(TwinspanError) -> Attempt {
        let now = clock.now
        return try shards[shardIndex(of: seed.id)].content.withLock { content throws(TwinspanError) -> Attempt in
            guard content.isOpen else { throw ThingErrorTable.unavailable.error() }
            guard let slot = content.cache.slot(of: seed.id) else { return .needsThing(seed.id) }
            let state = content.cache[slot].state
            if let text = state.text {
                let isSame = text == seed.text || text.value == seed.text.value
                let hasMetadata = seed.metadata.map { ($0.value.object ?? JSONObject()) == metadata(of: state) } ?? true
                guard seed.isAlwaysApplied, !isSame || !hasMetadata else { return .leftAlone }
            }
            let enforcer: PolicyEnforcer
            switch policies.loaded(seed.policyID) {
            case .needs(let ids): return .needsPolicies(ids)
            case .known(let known?, _): enforcer = known
            case .known(.none, _): throw Self.policyMissing(seed)
            }
            if try !hasRoom() { return .needsRoom }
            let event = ThingEvent(
                thingID: seed.id, action: state.text == nil ? .created : .modified, path: .root, value: seed.text,
                revision: state.revision + 1, timestamp: now, metadata: seed.metadata)
            let after = try following { () throws(InconsistentEvent) in try state.applying(event) }
            let sequence = queue.append(seedChange(.thing(event, after: after), enforcer))
            content.cache.update(slot: slot, to: after, sequence: sequence)
            return .written(sequence)
        }
    }

    private func metadata(of state: ThingState) -> JSONObject {
        state.metadata?.value.object ?? JSONObject()
    }

    private func hasRoom() throws(TwinspanError) -> Bool {
        switch queue.room {
        case .free: return true
        case .full: return false
        case .closed: throw PolicyErrorTable.unavailable.error()
        }
    }

    private func following<State>(
        _ body: () throws(InconsistentEvent) -> State
    ) throws(TwinspanError) -> State {
        do throws(InconsistentEvent) {
            return try body()
        } catch {
            throw GeneralErrorTable.internalError.error(description: error.description)
        }
    }

    /// The change of a seed: of no connection, and of no subject whom it could be kept from.
    private func seedChange(
        _ content: TwinChange.Content, _ enforcer: PolicyEnforcer?, lastText: JSONText? = nil
    ) -> TwinChange {
        TwinChange(
            content: content, headers: DittoHeaders(), originator: nil, origin: nil, enforcer: enforcer,
            madeAt: clock.monotonic, lastText: lastText, deliversParts: settings.access.deliversPartialEvents)
    }
}

extension SeedReport {
    fileprivate mutating func refuse(
        _ seed: Refusal.Seed, _ error: TwinspanError, at path: [String], isAboutKey: Bool = false
    ) {
        refusals.append(Refusal(seed: seed, problem: SeedProblem(error, at: path, isAboutKey: isAboutKey)))
    }
}

extension SeedReport.Counts {
    fileprivate mutating func count(_ isWritten: Bool, was existed: Bool) {
        if !isWritten {
            leftAlone += 1
        } else if existed {
            changed += 1
        } else {
            made += 1
        }
    }
}
