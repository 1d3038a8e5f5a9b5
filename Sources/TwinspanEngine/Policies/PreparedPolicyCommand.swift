// A policy command with everything read that needs no state: the headers, the keys of its path, its value. Made before
// the lock of the policies is taken, which all commands of all things want.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// A policy command that is right in form.
struct PreparedPolicyCommand {
    let command: PolicyCommand
    let preconditions: Preconditions
    /// The canonical value of create and modify, expiries rounded up.
    let value: JSONText?
    /// The whole policy, when that is what the value is.
    let policy: Policy?
    /// An expiry that has passed; told after everything that could refuse the command before.
    let expired: SubjectExpiry?
    /// `policy-view: resolved` on a retrieve of the whole policy.
    let isResolvedView: Bool

    /// Throws what is wrong with the path, the headers and the value. `caller` stands in the place of placeholders of
    /// subject ids; without one they are checked only.
    init(
        _ given: PolicyCommand, caller: AuthorizationContext?, now: Timestamp, limits: TwinLimits,
        access: AccessSettings = AccessSettings()
    ) throws(TwinspanError) {
        let command = try SubjectPlaceholders.resolve(pathOf: given, caller: caller)
        self.command = command
        let resource = command.resource
        guard resource.offers(command.action) else {
            throw .policyActionUnknown(command.action, resource)
        }
        try PolicyPart.checkKeys(of: resource)
        if command.action == .retrieve, command.headers.asksForHistory {
            throw PolicyErrorTable.historyNotFound.error(description: "States of the past cannot be retrieved yet.")
        }
        let wantsResolved = command.action == .retrieve ? try Self.wantsResolved(command.headers) : false
        isResolvedView = wantsResolved && resource.kind == .policy
        // The resolved view has no tag that a condition could be about (A.1.3).
        preconditions = try Preconditions(isResolvedView ? DittoHeaders() : command.headers)
        guard command.action == .create || command.action == .modify else {
            (value, policy, expired) = (nil, nil, nil)
            return
        }
        guard var json = command.value?.value else { throw .jsonInvalid("The value of the command is missing.") }
        try SubjectPlaceholders.resolve(in: &json, of: resource.kind, caller: caller)
        let earliest = SubjectExpiry.roundUp(
            in: &json, of: resource.kind, granularity: access.expiryGranularity,
            announcements: access.announcements.granularity)
        expired = earliest.flatMap { $0.instant.milliseconds < now.milliseconds ? $0 : nil }
        guard resource.kind == .policy else {
            value = JSONText(
                try PolicyPart.canonical(json, at: resource, of: command.policyID, limits: PolicyLimits(limits)))
            policy = nil
            return
        }
        if let object = json.object, let id = object["policyId"] {
            guard id.string?.hasSameBytes(as: command.policyID.text) == true else {
                throw GeneralErrorTable.policyIDNotSettable.error()
            }
        }
        let policy = try Policy.parse(json, id: command.policyID, limits: PolicyLimits(limits))
        self.policy = policy
        value = JSONText(policy.json)
    }

    /// The words are compared without regard to case and surrounding blanks; an empty one counts as unset (A.1.3).
    private static func wantsResolved(_ headers: DittoHeaders) throws(TwinspanError) -> Bool {
        guard let text = headers.text(.policyView) else { return false }
        let word = String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        switch word.lowercased() {
        case "", "original": return false
        case "resolved": return true
        default: throw .policyViewInvalid(text)
        }
    }
}

extension PolicyPath {
    /// Whether the table of §6.3 has the command for this kind of resource.
    fileprivate func offers(_ action: PolicyCommand.Action) -> Bool {
        switch action {
        case .modify, .retrieve: return true
        case .create: return kind == .policy
        case .delete:
            switch kind {
            case .policy, .entry, .subject, .resource, .allowedAdditions, .references, .imports, .policyImport:
                return true
            case .entries, .subjects, .resources, .namespaces, .importable, .importEntries, .transitiveImports:
                return false
            }
        }
    }

    /// The path as permissions address it: there a resource key such as `thing:/features` is several levels.
    var accessPath: JSONPointer {
        guard kind == .resource, let key, let parent = path.parent else { return path }
        let levels = key.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        return parent.appending(JSONPointer(segments: levels))
    }
}
