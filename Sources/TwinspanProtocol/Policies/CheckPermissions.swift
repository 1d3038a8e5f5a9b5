// May I? Questions about permissions, many in one command (spec/protocol.md §6.3).
public import TwinspanJSON

/// The command `checkPermissions`.
public struct CheckPermissions: Sendable {
    /// What may be asked for.
    public enum Permission: String, Sendable { case read = "READ", write = "WRITE", execute = "EXECUTE" }

    /// The kinds of resource policies know.
    public enum ResourceType: String, Sendable { case thing, policy, message }

    /// One question.
    public struct Question: Sendable, Equatable {
        /// The name under which the answer stands.
        public let name: String
        public let resourceType: ResourceType
        public let path: JSONPointer
        /// The id of the thing; of the policy when the resource is one of a policy.
        public let entityID: String
        /// All of them have to be granted.
        public let permissions: [Permission]
    }

    /// In the order of the command.
    public var questions: [Question]
    public var headers: DittoHeaders

    /// Reads `{"<name>":{"resource":"thing:/…","entityId":"ns:name","hasPermissions":["READ"]},…}`, which is also the
    /// body over HTTP. Throws `json.invalid`, `json.field.missing`, `json.pointer.invalid`, `things:id.invalid` or
    /// `policies:id.invalid`.
    public init(payload: JSONText, headers: DittoHeaders = DittoHeaders()) throws(TwinspanError) {
        questions = []
        for (name, value) in try PayloadMembers.object(payload.value, "The value") {
            let members = PayloadMembers(try PayloadMembers.object(value, "'\(name.shortened)'"))
            questions.append(try Self.question(name, members))
        }
        self.headers = headers
    }

    init(_ envelope: Envelope) throws(TwinspanError) {
        try Self.check(envelope)
        guard let value = envelope.value else { throw .jsonInvalid("The value is missing.") }
        try envelope.headers.checkValues()
        try self.init(payload: value, headers: envelope.headers)
    }

    private static func question(_ name: String, _ members: PayloadMembers) throws(TwinspanError) -> Question {
        let resource = try members.requiredString("resource")
        let parts = resource.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let type = ResourceType(rawValue: String(Substring(parts[0]))) else {
            throw .jsonInvalid(
                "The resource '\(resource.shortened)' is not valid.",
                hint: "A resource is 'thing:/…', 'policy:/…' or 'message:/…'.")
        }
        let path: JSONPointer
        do throws(JSONPointerError) {
            path = try JSONPointer(parsing: String(Substring(parts[1])))
        } catch {
            throw .pointerInvalid(resource)
        }
        let entityID = try members.requiredString("entityId")
        switch type {
        case .policy: _ = try PolicyID(entityID)
        case .thing, .message: _ = try ThingID(entityID)
        }
        var permissions: [Permission] = []
        for text in try members.requiredStrings("hasPermissions") {
            guard let permission = Permission(rawValue: text) else {
                throw .jsonInvalid("'\(text.shortened)' is not a permission.", hint: "Use READ, WRITE or EXECUTE.")
            }
            permissions.append(permission)
        }
        return Question(name: name, resourceType: type, path: path, entityID: entityID, permissions: permissions)
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        var object = JSONObject()
        for question in questions {
            object[question.name] = .object(
                JSONObject([
                    ("resource", .string("\(question.resourceType.rawValue):\(question.path)")),
                    ("entityId", .string(question.entityID)),
                    ("hasPermissions", .array(question.permissions.map { .string($0.rawValue) })),
                ]))
        }
        return Envelope(topic: Self.topic, headers: headers, path: .root, value: JSONText(.object(object)))
    }

    /// The value of the answer: a boolean for each question, in their order. `answers` are as many as questions.
    public func payload(of answers: [Bool]) -> JSONText {
        precondition(answers.count == questions.count, "one answer for each question")
        return JSONText(.object(JSONObject(zip(questions, answers).map { ($0.name, .bool($1)) })))
    }

    /// The envelope of the answer.
    public func envelope(of answers: [Bool]) -> Envelope {
        var answer = headers.deliveredToOutside()
        answer[.responseRequired] = .bool(false)
        answer[.contentType] = .string("application/json")
        return Envelope(topic: Self.topic, headers: answer, path: .root, value: payload(of: answers), status: 200)
    }

    static let topic = TopicPath(
        namespace: "_", name: "_", group: .policies, channel: nil, criterion: .commands(.checkPermissions))

    static func check(_ envelope: Envelope) throws(TwinspanError) {
        guard envelope.topic == topic else {
            throw .unknownTopicPath(envelope.topic, "The topic is '_/_/policies/commands/checkPermissions'.")
        }
        try envelope.checkRootPath()
    }
}

/// The answer to `checkPermissions`, as it came in an envelope.
public struct CheckPermissionsReply: Sendable {
    public var status: Int
    /// A boolean by name.
    public var value: JSONText?
    public var headers: DittoHeaders

    init(_ envelope: Envelope, status: Int) throws(TwinspanError) {
        try CheckPermissions.check(envelope)
        try envelope.headers.checkValues(isCommand: false)
        self.status = status
        value = envelope.value
        headers = envelope.headers
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(topic: CheckPermissions.topic, headers: headers, path: .root, value: value, status: status)
    }
}
