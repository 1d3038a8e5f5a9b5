// Commands on policies, their answers and their events as values (spec/protocol.md §6.3), independent of how they came
// in.
public import TwinspanJSON

/// A command on one policy.
public struct PolicyCommand: Sendable {
    public enum Action: Sendable, Equatable { case create, modify, retrieve, delete }

    public var policyID: PolicyID
    public var action: Action
    public var resource: PolicyPath
    /// The value of create and modify.
    public var value: JSONText?
    public var headers: DittoHeaders
    /// Which fields a retrieve of the whole policy wants; nil means all.
    public var fields: JSONFieldSelector?

    public init(
        policyID: PolicyID, action: Action, resource: PolicyPath = .root, value: JSONText? = nil,
        headers: DittoHeaders = DittoHeaders(), fields: JSONFieldSelector? = nil
    ) {
        self.policyID = policyID
        self.action = action
        self.resource = resource
        self.value = value
        self.headers = headers
        self.fields = fields
    }

    /// Whether the command can change the policy.
    public var isModifying: Bool { action != .retrieve }
}

/// The success of a policy command. Failures are `TwinspanError`s.
public struct PolicyResponse: Sendable, Equatable {
    /// 200, 201 or 204.
    public var status: Int
    /// The retrieved or created value.
    public var value: JSONText?
    /// Revision of the policy after the command.
    public var revision: Int64
    /// Entity tag of the addressed resource; nil after a delete.
    public var etag: String?
    /// The action of the answer's topic; a modify that creates the policy is answered as create.
    public var action: PolicyCommand.Action

    public init(status: Int, value: JSONText? = nil, revision: Int64, etag: String?, action: PolicyCommand.Action) {
        self.status = status
        self.value = value
        self.revision = revision
        self.etag = etag
        self.action = action
    }
}

/// A change of a policy that has happened: what the journal stores.
///
/// The action `merged` stands for several subjects that change at once. Its path is the root and its value
/// `{label:{subjectId:subject}}`, with null for subjects that are removed; all of them are null, or none. On the wire
/// it is `modified` with that value, or `deleted` with `{label:[subjectId,…]}` (spec/protocol.md §6.3).
public struct PolicyEvent: Sendable, Equatable {
    public var policyID: PolicyID
    public var action: ThingEvent.Action
    /// The affected resource, as in `PolicyPath.path`.
    public var path: JSONPointer
    /// The new value of the resource; nil for a deletion.
    public var value: JSONText?
    public var revision: Int64
    public var timestamp: Timestamp

    public init(
        policyID: PolicyID, action: ThingEvent.Action, path: JSONPointer = .root, value: JSONText?, revision: Int64,
        timestamp: Timestamp
    ) {
        self.policyID = policyID
        self.action = action
        self.path = path
        self.value = value
        self.revision = revision
        self.timestamp = timestamp
    }
}
