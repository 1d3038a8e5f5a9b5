// The state of a thing as the engine keeps it: its JSON text and the few facts that are asked for with every command.
// Text, because a hot thing then costs little more than its JSON, and a change splices bytes instead of a tree.
public import TwinspanJSON
public import TwinspanProtocol

/// A thing at one revision, or the tombstone of a deleted one.
public struct ThingState: Sendable, Equatable {
    /// The policy that guards it; nil only while it was never created.
    public var policyID: PolicyID?
    /// 0 for a thing that never was; else the number of events it has had. Deletion keeps counting (§6.2).
    public var revision: Int64
    public var created: Timestamp
    public var modified: Timestamp
    /// `{"thingId":…,"policyId":…,"definition":…,"attributes":…,"features":…}`, compact; nil when deleted or never
    /// made.
    public var text: JSONText?
    /// `_metadata` (spec/protocol.md §11), an object that mirrors the thing; nil when there is none, which is the rule.
    public var metadata: JSONText?

    public init(
        policyID: PolicyID?, revision: Int64, created: Timestamp, modified: Timestamp, text: JSONText?,
        metadata: JSONText? = nil
    ) {
        self.policyID = policyID
        self.revision = revision
        self.created = created
        self.modified = modified
        self.text = text
        self.metadata = metadata
    }

    /// The thing with the members that are only shown when selected (spec/protocol.md §2.1), `_policy` apart.
    public func withSpecialFields(_ thing: JSONValue, namespace: String) -> JSONValue {
        guard var object = thing.object else { return thing }
        object["_namespace"] = .string(namespace)
        object["_revision"] = .number(JSONNumber(revision))
        object["_created"] = .string(created.iso8601)
        object["_modified"] = .string(modified.iso8601)
        object["__lifecycle"] = "ACTIVE"
        if let metadata { object["_metadata"] = metadata.value }
        return .object(object)
    }

    /// The state before the first event.
    public static let never = ThingState(
        policyID: nil, revision: 0, created: Timestamp(milliseconds: 0), modified: Timestamp(milliseconds: 0),
        text: nil)
}
