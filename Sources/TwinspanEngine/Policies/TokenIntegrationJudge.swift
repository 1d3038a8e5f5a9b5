// Decides a token integration on one state of a policy: which entries the caller may use, which of them fit, and what
// the policy becomes (spec/policies-search.md A.8). A value in, a value or one typed error out.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct TokenIntegrationJudge {
    /// The event and the state it leads to; nil when there is nothing to change.
    typealias Verdict = (event: PolicyEvent, after: PolicyState)?

    let prepared: PreparedTokenIntegration
    let state: PolicyState
    /// The policy with its imports resolved: what decides over EXECUTE. What is changed is the policy's own entries.
    let enforcer: PolicyEnforcer?
    let context: AuthorizationContext
    let access: AccessSettings
    let limits: TwinLimits
    let now: Timestamp

    private var command: TokenIntegration { prepared.command }

    /// Throws `policies:policy.notfound`, `policies:action.failed` (403 without EXECUTE, 404 when no entry fits), and
    /// the errors of a policy that may not come to be.
    func verdict() throws(TwinspanError) -> Verdict {
        guard let text = state.text, let enforcer else { throw .notFound(.root, of: command.policyID) }
        let policy = try Policy.parse(text.value, id: command.policyID, limits: .structure)
        var changes: [(label: String, subjects: [(String, JSONValue)])] = []
        for label in try applicableLabels(policy, enforcer) {
            var subjects: [(String, JSONValue)] = []
            for id in try prepared.subjectIDs(for: label) {
                let isPresent = policy[label]?.subjects.contains { $0.id.hasSameBytes(as: id) } ?? false
                if let subject = prepared.subject {
                    subjects.append((id, subject))
                } else if isPresent {
                    subjects.append((id, .null))
                }
            }
            if !subjects.isEmpty { changes.append((label, subjects)) }
        }
        guard !changes.isEmpty else { return nil }
        return try change(changes, policy)
    }

    // MARK: Entries

    /// The entries to act on. Never empty.
    private func applicableLabels(_ policy: Policy, _ enforcer: PolicyEnforcer) throws(TwinspanError) -> [String] {
        let permitted = (command.label.map { [$0] } ?? policy.entries.map(\.label)).filter { label in
            let path = JSONPointer(segments: ["entries", label, "actions", command.action.rawValue])
            return enforcer.isUnrestricted(.execute, .policy, path, subjects: context, namespace: "")
        }
        guard !permitted.isEmpty else { throw failed(403, "You need EXECUTE on the action of the entry.") }
        let applicable = permitted.filter { label in policy[label].map(isApplicable) ?? false }
        guard !applicable.isEmpty else {
            let needed =
                command.action == .activate
                ? "The entry must hold one of your subjects, and grant READ on a thing."
                : "The entry must hold one of your subjects."
            throw failed(404, needed)
        }
        return applicable
    }

    private func isApplicable(_ entry: PolicyEntry) -> Bool {
        guard
            entry.subjects.contains(where: { subject in context.subjects.contains { $0.hasSameBytes(as: subject.id) } })
        else { return false }
        guard command.action == .activate else { return true }
        return entry.resources.contains { resource in
            resource.type == .thing && resource.grants.contains(.read) && !resource.revokes.contains(.read)
        }
    }

    private func failed(_ status: Int, _ why: String) -> TwinspanError {
        let place =
            command.label.map { "entry '\($0.shortened)' of the policy" } ?? "the entries of the policy"
        return TwinspanError(
            code: PolicyErrorTable.actionFailed.code, status: status,
            message: "The action '\(command.action.rawValue)' cannot be executed on \(place) '\(command.policyID)'.",
            description: why)
    }

    // MARK: The change

    private func change(
        _ changes: [(label: String, subjects: [(String, JSONValue)])], _ before: Policy
    ) throws(TwinspanError) -> Verdict {
        let event = event(of: changes, before)
        let json: JSONValue?
        do throws(InconsistentEvent) {
            json = try state.json(after: event)
        } catch {
            throw GeneralErrorTable.internalError.error(description: error.description)
        }
        let policy = try Policy.parse(json ?? .null, id: command.policyID, limits: PolicyLimits(limits))
        let text = PolicyState.text(after: event, policy)
        guard command.action == .deactivate || limits.policyBytes <= 0 || text.bytes.count <= limits.policyBytes else {
            throw GeneralErrorTable.policyTooLarge.error(
                "The policy '\(command.policyID)' would have \(text.bytes.count) bytes of \(limits.policyBytes).")
        }
        if access.preventsLockout { try policy.validateOwnership(changedEntry: command.label) }
        return (event, PolicyState(after: state, event, policy, text: text))
    }

    /// One subject has an event of its own; several have one together, so that they change at once.
    private func event(
        of changes: [(label: String, subjects: [(String, JSONValue)])], _ before: Policy
    ) -> PolicyEvent {
        if changes.count == 1, let change = changes.first, change.subjects.count == 1,
            let (id, subject) = change.subjects.first
        {
            let wasThere = before[change.label]?.subjects.contains { $0.id.hasSameBytes(as: id) } ?? false
            return PolicyEvent(
                policyID: command.policyID, action: subject.isNull ? .deleted : wasThere ? .modified : .created,
                path: JSONPointer(segments: ["entries", change.label, "subjects", id]),
                value: subject.isNull ? nil : JSONText(subject), revision: state.revision + 1, timestamp: now)
        }
        let value = JSONObject(changes.map { ($0.label, .object(JSONObject($0.subjects))) })
        return PolicyEvent(
            policyID: command.policyID, action: .merged, value: JSONText(.object(value)),
            revision: state.revision + 1, timestamp: now)
    }
}
