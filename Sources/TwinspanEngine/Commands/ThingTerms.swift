// What the headers of a thing command ask for, read once and before the shard's lock (spec/protocol.md §5, §10, §11).
// Nearly every command asks for nothing: then there are no terms at all, and nothing is allocated.
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// The special terms of one command. A class, so that handing "none" on costs a null pointer.
final class ThingTerms: Sendable {
    let preconditions: Preconditions
    /// `condition`; ignored for a create.
    let condition: RQLFilter?
    /// `merge-thing-patch-conditions`; empty for anything but a merge.
    let patchConditions: [PatchCondition]
    /// The metadata header, the first when there are several.
    let metadata: MetadataOrder?
    /// Whether there are several metadata headers; refused once the thing is known to exist (§6.1).
    let hasMetadataConflict: Bool
    /// `allow-policy-lockout`.
    let allowsPolicyLockout: Bool

    /// The terms of a command; nil when no header asks for anything. Throws `header.invalid`, `header.notsupported` and
    /// `things:condition.invalid`.
    static func read(_ command: ThingCommand) throws(TwinspanError) -> ThingTerms? {
        let entries = command.headers.entries
        // By index, because a copy of each entry would cost more than the look at its tag.
        for index in entries.indices {
            switch entries[index].known {
            case .atHistoricalRevision where command.action == .retrieve,
                .atHistoricalTimestamp where command.action == .retrieve:
                throw ThingErrorTable.historyNotFound.error(
                    description: "States of the past cannot be retrieved yet.")
            case .condition, .mergeThingPatchConditions, .ifMatch, .ifNoneMatch, .ifEqual, .putMetadata, .getMetadata,
                .deleteMetadata, .allowPolicyLockout:
                return try ThingTerms(command)
            default: continue
            }
        }
        return nil
    }

    private init(_ command: ThingCommand) throws(TwinspanError) {
        preconditions = try Preconditions(command.headers)
        var condition: RQLFilter?
        var patchConditions: [PatchCondition] = []
        var orders: [MetadataOrder] = []
        var allowsPolicyLockout = false
        for entry in command.headers.entries {
            switch entry.known {
            case .condition: condition = try Self.filter(entry.value.string ?? entry.value.text)
            case .mergeThingPatchConditions:
                let conditions = try PatchCondition.list(entry.value)
                if command.action == .merge { patchConditions = conditions }
            case .putMetadata: orders.append(.put(try MetadataOrder.puts(entry.value, command.resource)))
            case .getMetadata: orders.append(.get(try MetadataOrder.keys(entry, command.resource)))
            case .deleteMetadata: orders.append(.delete(try MetadataOrder.keys(entry, command.resource)))
            case .allowPolicyLockout:
                switch (entry.value.string ?? entry.value.text).lowercased() {
                case "true": allowsPolicyLockout = true
                case "false": break
                default: throw .headerInvalid(entry.name, "Use true or false.")
                }
            default: break
            }
        }
        self.condition = condition
        self.patchConditions = patchConditions
        metadata = orders.first
        hasMetadataConflict = orders.count > 1
        self.allowsPolicyLockout = allowsPolicyLockout
    }

    /// Parses the RQL of a condition. Throws `things:condition.invalid`.
    static func filter(_ text: String) throws(TwinspanError) -> RQLFilter {
        do throws(RQLError) {
            return try RQLFilter.parse(text, placeholders: .condition)
        } catch {
            throw error.wireError(ThingErrorTable.conditionInvalid)
        }
    }

    /// Whether the order is one to change metadata.
    var changesMetadata: Bool {
        switch metadata {
        case .put, .delete: true
        case .get, nil: false
        }
    }
}

/// One entry of `merge-thing-patch-conditions` (§10.4).
struct PatchCondition: Sendable {
    /// The part of the patch it decides over, relative to the path of the merge.
    let pointer: JSONPointer
    /// The condition, on the thing as a whole.
    let filter: RQLFilter

    /// Reads an object of pointers and RQL, or a string with its text (D14).
    static func list(_ value: JSONValue) throws(TwinspanError) -> [PatchCondition] {
        let name = KnownHeader.mergeThingPatchConditions.rawValue
        let invalid = TwinspanError.headerInvalid(name, "Use a JSON object of pointers and RQL conditions.")
        var object = value.object
        if let text = value.string {
            do throws(JSONSyntaxError) {
                object = try JSONValue.parse(text).object
            } catch {
                throw invalid
            }
        }
        guard let object else { throw invalid }
        var conditions: [PatchCondition] = []
        for (key, value) in object {
            guard let text = value.string else { throw invalid }
            let pointer: JSONPointer
            do throws(JSONPointerError) {
                pointer = try JSONPointer(parsing: key)
            } catch {
                throw invalid
            }
            conditions.append(PatchCondition(pointer: pointer, filter: try ThingTerms.filter(text)))
        }
        return conditions
    }
}

extension DittoHeaders {
    /// Whether a state of the past is wanted. The present one would be a wrong answer.
    var asksForHistory: Bool { self[.atHistoricalRevision] != nil || self[.atHistoricalTimestamp] != nil }
}
