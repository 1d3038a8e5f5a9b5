// May I? Questions about permissions, many in one command (spec/protocol.md §6.3).
public import TwinspanJSON

/// The command `checkPermissions`.
public struct CheckPermissions: Sendable {
    /// What may be asked for.
    public enum Permission: String, Sendable { case read = "READ", write = "WRITE", execute = "EXECUTE" }

    /// The kinds of resource policies know.
    public enum ResourceType: String, Sendable { case thing, policy, message }

    /// What a question is about.
    public enum Entity: Sendable, Hashable {
        /// Also for questions about messages.
        case thing(ThingID)
        case policy(PolicyID)
    }

    /// One question.
    public struct Question: Sendable, Equatable {
        /// The name under which the answer stands.
        public let name: String
        public let resourceType: ResourceType
        public let path: JSONPointer
        /// A policy when the resource is one of a policy, else a thing.
        public let entity: Entity
        /// All of them have to be granted; at least one.
        public let permissions: [Permission]
    }

    /// In the order of the command.
    public var questions: [Question]
    public var headers: DittoHeaders

    /// Reads `{"<name>":{"resource":"thing:/…","entityId":"ns:name","hasPermissions":["READ"]},…}`, which is also the
    /// body over HTTP; it may stand in the member `permissionChecks` of an object. Members that are no objects are
    /// passed over. Throws `json.invalid`, `json.format.invalid` for another type of resource, `json.field.missing`,
    /// `json.pointer.invalid`, `things:id.invalid` or `policies:id.invalid`.
    public init(payload: JSONText, headers: DittoHeaders = DittoHeaders()) throws(TwinspanError) {
        questions = []
        for (name, value) in Self.unwrapped(try PayloadMembers.object(payload.value, "The value")) {
            guard let members = value.object else { continue }
            questions.append(try Self.question(name, PayloadMembers(members)))
        }
        self.headers = headers
    }

    /// The questions inside of `permissionChecks`, unless that is the name of a question itself.
    private static func unwrapped(_ object: JSONObject) -> JSONObject {
        guard let inner = object["permissionChecks"]?.object else { return object }
        let isQuestion = ["resource", "entityId", "hasPermissions"].contains { key in
            inner[key].map { $0.object == nil } ?? false
        }
        return isQuestion ? object : inner
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
            throw GeneralErrorTable.jsonFormatInvalid.error(
                "The resource '\(resource.shortened)' is not valid.",
                description: "A resource is 'thing:/…', 'policy:/…' or 'message:/…'.")
        }
        let path: JSONPointer
        do throws(JSONPointerError) {
            path = try JSONPointer(parsing: String(Substring(parts[1])))
        } catch {
            throw .pointerInvalid(resource)
        }
        let entityID = try members.requiredString("entityId")
        let entity: Entity
        switch type {
        case .policy: entity = .policy(try PolicyID(entityID))
        case .thing, .message: entity = .thing(try ThingID(entityID))
        }
        var permissions: [Permission] = []
        for text in try members.requiredStrings("hasPermissions") {
            guard let permission = Permission(rawValue: text) else {
                throw .jsonInvalid("'\(text.shortened)' is not a permission.", hint: "Use READ, WRITE or EXECUTE.")
            }
            permissions.append(permission)
        }
        guard !permissions.isEmpty else {
            throw .jsonInvalid(
                "'hasPermissions' of '\(name.shortened)' is empty.",
                hint: "Name one of READ, WRITE and EXECUTE at least.")
        }
        return Question(name: name, resourceType: type, path: path, entity: entity, permissions: permissions)
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        var object = JSONObject()
        for question in questions {
            object[question.name] = .object(
                JSONObject([
                    ("resource", .string("\(question.resourceType.rawValue):\(question.path)")),
                    ("entityId", .string(question.entity.text)),
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
    public func envelope(of answers: [Bool]) -> Envelope { envelope(of: payload(of: answers)) }

    /// The envelope of the answer with this value.
    public func envelope(of payload: JSONText) -> Envelope {
        var answer = headers.deliveredToOutside()
        answer[.responseRequired] = .bool(false)
        answer[.contentType] = .string("application/json")
        return Envelope(topic: Self.topic, headers: answer, path: .root, value: payload, status: 200)
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

extension CheckPermissions.Entity {
    /// The id.
    public var text: String {
        switch self {
        case .thing(let id): id.text
        case .policy(let id): id.text
        }
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
