// Decides a command on a policy: a value in, a value or one typed error out (spec/protocol.md §6.3, A.3.2).
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct PolicyJudge {
    struct Verdict {
        var response: PolicyResponse
        var event: PolicyEvent?
        var after: PolicyState?
    }

    let command: PolicyCommand
    let state: PolicyState
    let context: AuthorizationContext
    let limits: TwinLimits
    let now: Timestamp

    func verdict() throws(TwinspanError) -> Verdict {
        guard let text = state.text, let enforcer = state.enforcer else {
            switch command.action {
            case .create, .modify:
                // There is nothing a tag could match (spec/protocol.md §10.2).
                if command.headers[.ifMatch] != nil { throw GeneralErrorTable.policyPreconditionFailed.error() }
                return try store(.created, status: 201)
            case .retrieve, .delete: throw notFound
            }
        }
        switch command.action {
        case .create:
            throw TwinspanError(
                code: "policies:policy.conflict", status: 409,
                message: "A policy with the id '\(command.policyID)' exists already.",
                description: "Choose another id, or modify the policy.")
        case .retrieve: return try retrieve(text, enforcer)
        case .modify:
            try requireWrite(enforcer)
            try checkEntityTags()
            return try store(.modified, status: 204)
        case .delete:
            try requireWrite(enforcer)
            try checkEntityTags()
            return try accept(.deleted, value: nil, status: 204)
        }
    }

    private var notFound: TwinspanError {
        GeneralErrorTable.policyNotFound.error("The policy '\(command.policyID)' could not be found.")
    }

    private func requireWrite(_ enforcer: PolicyEnforcer) throws(TwinspanError) {
        guard enforcer.isUnrestricted(.write, .policy, .root, subjects: context, namespace: "") else {
            throw GeneralErrorTable.policyNotModifiable.error("The policy '\(command.policyID)' may not be modified.")
        }
    }

    private func checkEntityTags() throws(TwinspanError) {
        let tag = EntityTags.tag(revision: state.revision)
        if let wanted = command.headers.text(.ifMatch), try !EntityTags(wanted, header: "if-match").contain(tag) {
            throw GeneralErrorTable.policyPreconditionFailed.error()
        }
        if let unwanted = command.headers.text(.ifNoneMatch),
            try EntityTags(unwanted, header: "if-none-match").contain(tag)
        {
            throw command.action == .retrieve
                ? GeneralErrorTable.policyPreconditionNotModified.error()
                : GeneralErrorTable.policyPreconditionFailed.error()
        }
    }

    private func retrieve(_ text: JSONText, _ enforcer: PolicyEnforcer) throws(TwinspanError) -> Verdict {
        let visible = enforcer.view(of: text.value, type: .policy, base: .root, subjects: context, namespace: "")
        guard enforcer.isPartial(.read, .policy, .root, subjects: context, namespace: ""), var value = visible else {
            throw notFound
        }
        try checkEntityTags()
        if let fields = command.fields {
            if var object = value.object {
                object["_namespace"] = .string(command.policyID.namespace)
                object["_revision"] = .number(JSONNumber(state.revision))
                object["_created"] = .string(state.created.iso8601)
                object["_modified"] = .string(state.modified.iso8601)
                value = .object(object)
            }
            value = fields.select(from: value)
        }
        return Verdict(
            response: PolicyResponse(
                status: 200, value: JSONText(value), revision: state.revision,
                etag: EntityTags.tag(revision: state.revision), action: .retrieve))
    }

    private func store(_ action: ThingEvent.Action, status: Int) throws(TwinspanError) -> Verdict {
        guard let given = command.value else { throw .jsonInvalid("The policy is missing.") }
        var json = given.value
        if let id = json.object?["policyId"] {
            guard id.string?.hasSameBytes(as: command.policyID.text) == true else {
                throw GeneralErrorTable.policyIDNotSettable.error()
            }
        }
        if json.object != nil { json.set(.string(command.policyID.text), at: JSONPointer(segments: ["policyId"])) }
        let policy = try Policy.parse(json, id: command.policyID, limits: .structure)
        try policy.validateOwnership()
        let text = JSONText(policy.json)
        guard limits.policyBytes <= 0 || text.bytes.count <= limits.policyBytes else {
            throw GeneralErrorTable.policyTooLarge.error(
                "The policy '\(command.policyID)' would have \(text.bytes.count) bytes of \(limits.policyBytes)."
            )
        }
        let verdict = try accept(action, value: text, status: status)
        // The creator or modifier must keep WRITE on the policy, unless he says that he knows.
        let keepsWrite =
            verdict.after?.enforcer?.isUnrestricted(.write, .policy, .root, subjects: context, namespace: "") ?? false
        guard keepsWrite || command.headers.text(.allowPolicyLockout) == "true" else {
            throw action == .created
                ? GeneralErrorTable.policyNotCreatable.error("The policy '\(command.policyID)' may not be created.")
                : TwinspanError(
                    code: "policies:policy.modificationinvalid", status: 403,
                    message: "The policy '\(command.policyID)' cannot be changed so that you lose WRITE on it.",
                    description: "Keep WRITE on 'policy:/', or set the header allow-policy-lockout to true.")
        }
        return verdict
    }

    private func accept(
        _ action: ThingEvent.Action, value: JSONText?, status: Int
    ) throws(TwinspanError) -> Verdict {
        let event = PolicyEvent(
            policyID: command.policyID, action: action, value: value, revision: state.revision + 1, timestamp: now)
        do throws(InconsistentEvent) {
            return Verdict(
                response: PolicyResponse(
                    status: status, value: status == 201 ? value : nil, revision: event.revision,
                    etag: value == nil ? nil : EntityTags.tag(revision: event.revision),
                    action: action == .created ? .create : command.action),
                event: event, after: try state.applying(event))
        } catch {
            throw GeneralErrorTable.internalError.error(description: error.description)
        }
    }
}
