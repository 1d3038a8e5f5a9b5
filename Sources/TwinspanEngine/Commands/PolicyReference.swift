// `_copyPolicyFrom: "{{ ref:things/<thingId>/policyId }}"` (spec/protocol.md §2.1): the policy of another thing. The
// other thing is read before any lock of the new one is taken, because no two shards are ever locked at once.
import TwinspanJSON
import TwinspanProtocol

/// A reference to a field of a thing that names a policy.
struct PolicyReference: Sendable, Equatable {
    let thingID: ThingID
    /// The field, usually `/policyId`.
    let field: JSONPointer

    /// Reads a reference; nil when the text is none and so must be the id of a policy. Throws
    /// `placeholder:placeholder.reference.notsupported` and `placeholder:placeholder.reference.unknownfield`.
    init?(parsing text: String) throws(TwinspanError) {
        guard let inner = Self.inner(text[...]), inner.hasPrefix("ref:") else { return nil }
        let parts = inner.dropFirst(4).split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "things" else {
            throw PlaceholderErrorTable.referenceNotSupported.error()
        }
        thingID = try ThingID(String(parts[1]))
        guard parts.count == 3, !parts[2].isEmpty, !parts[2].hasPrefix("/") else { throw Self.unknownField(thingID) }
        do throws(JSONPointerError) {
            field = try JSONPointer(parsing: String(parts[2]))
        } catch {
            throw Self.unknownField(thingID)
        }
    }

    /// What stands between double braces, without blanks.
    private static func inner(_ text: Substring) -> Substring? {
        let text = trimmed(text)
        guard text.hasPrefix("{{"), text.hasSuffix("}}"), text.utf8.count > 4 else { return nil }
        return trimmed(text.dropFirst(2).dropLast(2))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }

    /// The command that reads the field.
    var command: ThingCommand {
        ThingCommand(
            thingID: thingID, action: .retrieve, resource: .root, fields: JSONFieldSelector([field]))
    }

    /// The policy the answer to that command names.
    func policyID(in thing: JSONText?) throws(TwinspanError) -> PolicyID {
        guard let text = thing?.value(at: field)?.string else { throw Self.unknownField(thingID) }
        return try PolicyID(text)
    }

    private static func unknownField(_ id: ThingID) -> TwinspanError {
        PlaceholderErrorTable.referenceUnknownField.error(
            "The thing '\(id)' does not have the field that is referred to.")
    }
}

/// What a reference named when it was looked up.
final class ReferredPolicy: Sendable {
    let policyID: PolicyID
    /// What the answer rests on; the creation rests on it too.
    let ticket: CommitTicket

    init(policyID: PolicyID, ticket: CommitTicket) {
        self.policyID = policyID
        self.ticket = ticket
    }
}
