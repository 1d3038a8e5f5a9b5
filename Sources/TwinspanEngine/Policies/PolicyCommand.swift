// Commands on whole policies. Sub-resources, and the Ditto Protocol form, come with the policies issue; their place is
// here: a command will carry a path, as a thing's does.
public import TwinspanJSON
public import TwinspanProtocol

/// A command on one policy.
public struct PolicyCommand: Sendable {
    public enum Action: Sendable { case create, modify, retrieve, delete }

    public var policyID: PolicyID
    public var action: Action
    public var value: JSONText?
    public var headers: DittoHeaders
    public var fields: JSONFieldSelector?

    public init(
        policyID: PolicyID, action: Action, value: JSONText? = nil, headers: DittoHeaders = DittoHeaders(),
        fields: JSONFieldSelector? = nil
    ) {
        self.policyID = policyID
        self.action = action
        self.value = value
        self.headers = headers
        self.fields = fields
    }
}

/// The success of a policy command.
public struct PolicyResponse: Sendable, Equatable {
    /// 200, 201 or 204.
    public var status: Int
    public var value: JSONText?
    public var revision: Int64
    /// Nil after a delete.
    public var etag: String?
}
