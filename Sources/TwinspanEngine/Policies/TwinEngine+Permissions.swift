// Answers questions about permissions (spec/policies-search.md F). Nothing is read for them but policies and what names
// them, so who asks needs no READ on the entities.
import Synchronization
public import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

extension TwinEngine {
    /// A boolean for each question, in their order. What does not exist permits nothing. May read from the store.
    public func execute(_ command: CheckPermissions, as context: AuthorizationContext) -> Outcome<JSONText> {
        answers(to: command, as: context, loads: true) ?? refusedWhileClosed(PolicyErrorTable.unavailable)
    }

    /// As `execute`, but returns nil instead of reading from the store.
    public func executeIfLoaded(
        _ command: CheckPermissions, as context: AuthorizationContext
    ) -> Outcome<JSONText>? {
        answers(to: command, as: context, loads: false)
    }

    /// Nil when something has to be loaded that may not be, or when the store failed again and again meanwhile.
    private func answers(
        to command: CheckPermissions, as context: AuthorizationContext, loads: Bool
    ) -> Outcome<JSONText>? {
        // Sequences of different epochs cannot be compared; a second epoch means that the store has failed meanwhile.
        for _ in 0..<4 {
            let epoch = gate.epoch
            var judges: [CheckPermissions.Entity: PermissionJudge] = [:]
            var newest: Int64 = 0
            var answers: [Bool] = []
            for question in command.questions {
                let judge: PermissionJudge
                if let known = judges[question.entity] {
                    judge = known
                } else {
                    switch self.judge(of: question.entity, loads: loads) {
                    case .success(let found): judge = found
                    case .failure(.notLoaded): return nil
                    case .failure(.refused(let error)): return failed(error, 0)
                    }
                    judges[question.entity] = judge
                    newest = max(newest, judge.sequence)
                }
                answers.append(judge.grants(question, to: context))
            }
            guard gate.epoch == epoch else { continue }
            return Outcome(
                result: .success(command.payload(of: answers)), ticket: CommitTicket(sequence: newest, epoch: epoch))
        }
        return nil
    }

    private enum Hindrance: Error {
        case notLoaded
        case refused(TwinspanError)
    }

    private func judge(of entity: CheckPermissions.Entity, loads: Bool) -> Result<PermissionJudge, Hindrance> {
        for _ in 0..<Self.loadRounds {
            let failure: StoreFailure?
            switch knowledge(of: entity) {
            case .judge(let judge): return .success(judge)
            case .closed: return .failure(.refused(PolicyErrorTable.unavailable.error()))
            case .thingMissing(let id):
                guard loads else { return .failure(.notLoaded) }
                failure = load(id)
            case .policiesMissing(let ids):
                guard loads else { return .failure(.notLoaded) }
                failure = load(ids)
            }
            if let failure { return .failure(.refused(Self.unreadable(failure))) }
        }
        return .failure(
            .refused(
                Self.unreadable(
                    StoreFailure(kind: .other, description: "the cache is too small to hold a thing and its policy"))))
    }

    private static func unreadable(_ failure: StoreFailure) -> TwinspanError {
        PolicyErrorTable.unavailable.error("The store cannot be read: \(failure.description).")
    }

    private enum Knowledge {
        case judge(PermissionJudge)
        case thingMissing(ThingID)
        case policiesMissing([PolicyID])
        case closed
    }

    private func knowledge(of entity: CheckPermissions.Entity) -> Knowledge {
        switch entity {
        case .policy(let id): return knowledge(of: id, namespace: "", sequence: 0)
        case .thing(let id):
            return shards[shardIndex(of: id)].content.withLock { content in
                guard content.isOpen else { return .closed }
                guard let slot = content.cache.slot(of: id) else { return .thingMissing(id) }
                let entry = content.cache[slot]
                guard entry.state.text != nil, let policyID = entry.state.policyID else {
                    return .judge(PermissionJudge(enforcer: nil, namespace: "", sequence: entry.sequence))
                }
                return knowledge(of: policyID, namespace: id.namespace, sequence: entry.sequence)
            }
        }
    }

    private func knowledge(of id: PolicyID, namespace: String, sequence: Int64) -> Knowledge {
        guard policies.content.withLock({ $0.isOpen }) else { return .closed }
        switch policies.loaded(id) {
        case .needs(let ids): return .policiesMissing(ids)
        case .known(let enforcer, let newest):
            return .judge(
                PermissionJudge(enforcer: enforcer, namespace: namespace, sequence: max(sequence, newest)))
        }
    }
}

/// Who decides about an entity; equal for all questions about it.
private struct PermissionJudge {
    /// Nil when the entity, or its policy, does not exist.
    let enforcer: PolicyEnforcer?
    let namespace: String
    let sequence: Int64

    /// Whether all permissions of the question are granted at its path and revoked nowhere below it (A.3 step 5).
    func grants(_ question: CheckPermissions.Question, to context: AuthorizationContext) -> Bool {
        guard let enforcer else { return false }
        let type: PolicyResourceType =
            switch question.resourceType {
            case .thing: .thing
            case .policy: .policy
            case .message: .message
            }
        return question.permissions.allSatisfy { permission in
            let permission: Permission =
                switch permission {
                case .read: .read
                case .write: .write
                case .execute: .execute
                }
            return enforcer.isUnrestricted(permission, type, question.path, subjects: context, namespace: namespace)
        }
    }
}
