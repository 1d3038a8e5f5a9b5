// A thing command read once, before the shard's lock: its headers as terms, its value in the form it is judged in, and
// every fault that does not depend on the state (spec/protocol.md §6.1: parsing comes first).
import TwinspanJSON
import TwinspanProtocol

/// What was read of a command. The command itself is handed on beside it: each copy of it costs a dozen references, and
/// of this nearly always nothing.
struct ThingRequest: Sendable {
    /// What the headers ask for; nil when they ask for nothing.
    let terms: ThingTerms?
    /// The value of a create, modify or merge at the root.
    let whole: WholeThing?
    /// What `_copyPolicyFrom` refers to, once it has been looked up.
    var referred: ReferredPolicy?

    /// Throws whatever is wrong with the command in itself.
    init(_ command: ThingCommand) throws(TwinspanError) {
        terms = try ThingTerms.read(command)
        guard command.isModifying, command.action != .delete else {
            whole = nil
            return
        }
        guard let value = command.value else { throw .jsonInvalid("The value of the command is missing.") }
        guard command.resource.kind == .thing else {
            whole = nil
            if command.action == .modify {
                try ThingForm.check(value, for: command.resource)
            } else if command.resource.kind == .policyID, value.isNull {
                throw ThingErrorTable.policyIDNotDeletable.error()
            }
            return
        }
        let object = try Self.object(value, command)
        let policyID = try Self.policyID(object, command.action)
        if object["_policy"] != nil, object["_copyPolicyFrom"] != nil {
            throw ThingErrorTable.policyConflicting.error()
        }
        if object["_metadata"] != nil, case .put = terms?.metadata {
            throw ThingErrorTable.metadataNotModifiable.error()
        }
        if command.action != .merge { try ThingForm.check(members: object) }
        whole = WholeThing(members: object, policyID: policyID)
    }

    /// The object of a whole thing, or of its patch, whose id is that of the command if it has one.
    private static func object(_ value: JSONText, _ command: ThingCommand) throws(TwinspanError) -> JSONObject {
        let isMerge = command.action == .merge
        guard let object = value.value.object, !isMerge || !object.isEmpty else {
            throw isMerge ? ThingErrorTable.mergeInvalid.error() : .jsonInvalid("The thing is not a JSON object.")
        }
        if let id = object["thingId"] {
            if isMerge, id.isNull { throw ThingErrorTable.idNotDeletable.error() }
            guard id.string?.hasSameBytes(as: command.thingID.text) == true else {
                throw ThingErrorTable.idNotSettable.error()
            }
        }
        return object
    }

    private static func policyID(
        _ object: JSONObject, _ action: ThingCommand.Action
    ) throws(TwinspanError) -> PolicyID? {
        guard let given = object["policyId"] else { return nil }
        if given.isNull {
            if action == .merge { throw ThingErrorTable.policyIDNotDeletable.error() }
            return nil
        }
        guard let text = given.string else { throw .jsonInvalid("The policyId is not a string.") }
        return try PolicyID(text)
    }
}

/// The value of a command on a whole thing. A class, as commands on parts have none and are what there is most of.
final class WholeThing: Sendable {
    let members: JSONObject
    /// The policy id among them; nil when it is left out or null.
    let policyID: PolicyID?

    init(members: JSONObject, policyID: PolicyID?) {
        self.members = members
        self.policyID = policyID
    }
}
