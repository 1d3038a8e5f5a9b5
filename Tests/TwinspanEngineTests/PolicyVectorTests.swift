import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The policy commands of the specification's vectors, applied to a prepared policy, give the responses of the vectors.
@Suite("Vectors of policies", .enabled(if: SpecVectors.folder != nil, "the folder of spec vectors is absent"))
struct PolicyVectorTests {
    static let responses = SpecVectors.load("policies-responses.json")

    @Test("the responses are there")
    func count() { #expect(Self.responses.count >= 20) }

    @Test("a command is answered as its response says", arguments: responses)
    func answer(vector: SpecVector) throws {
        let response = try #require(vector.envelope.object)
        let status = try #require(response["status"]?.int64)
        let path = try #require(response["path"]?.string)
        let topic = try #require(response["topic"]?.string).split(separator: "/")
        let actions: [String: PolicyCommand.Action] = [
            "create": .create, "modify": .modify, "retrieve": .retrieve, "delete": .delete,
        ]
        let action = try #require(actions[String(topic[4])])
        let id = try PolicyID("\(topic[0]):\(topic[1])")
        let resource = try PolicyPath(try JSONPointer(policyPath: path))
        let fixture = try EngineFixture()
        let value = try Self.prepare(fixture, id, resource, response["value"], action, isCreated: status == 201)
        let command = PolicyCommand(policyID: id, action: action, resource: resource, value: value.map { JSONText($0) })
        let outcome = fixture.rig.engine.execute(command, as: EngineRig.owner)
        let answer = try outcome.result.get()
        #expect(answer.status == Int(status))
        #expect(answer.action == action)
        // `importable` is always written, which the documentation's examples leave out.
        let expected = response["value"].map { Self.withImportable($0, resource.kind) }
        if resource.kind == .policy, action == .retrieve {
            #expect(answer.value?.value.value(at: Self.label) == expected?.value(at: Self.label))
        } else if resource.kind == .entries, action == .retrieve {
            var read = try #require(answer.value?.value)
            read.remove(at: JSONPointer(segments: ["owner"]))
            #expect(read == expected)
        } else {
            #expect(answer.value?.value == expected)
        }
    }

    private static let label = JSONPointer(segments: ["entries", "the_label"])

    private static let samples: [PolicyPath.Kind: JSONValue] = [
        .entry: ["subjects": [:]], .subjects: [:], .subject: ["type": "t"], .resources: [:],
        .resource: ["grant": [], "revoke": []], .references: [["entry": "LOCAL_ENTRY"]], .imports: [:],
        .policyImport: ["entries": ["IMPORTED_ENTRY"]], .entries: ["the_label": [:]],
    ]

    /// Makes a policy in which the command does what its response says; returns the command's value.
    private static func prepare(
        _ fixture: EngineFixture, _ id: PolicyID, _ resource: PolicyPath, _ answered: JSONValue?,
        _ action: PolicyCommand.Action, isCreated: Bool
    ) throws -> JSONValue? {
        var policy = try json(Sample.policy())
        let owner = policy.value(at: JSONPointer(segments: ["entries", "E0"])) ?? [:]
        policy = ["entries": ["owner": owner, "the_label": [:], "LOCAL_ENTRY": [:]]]
        let isWhole = resource.kind == .policy
        if action == .retrieve, let answered, !isWhole {
            if resource.kind == .entries {
                policy = ["entries": .object(JSONObject(([("owner", owner)]) + answered.members))]
            } else {
                policy.set(answered, at: resource.path)
            }
        } else if action == .retrieve, let answered {
            policy = ["entries": .object(JSONObject([("owner", owner)] + (answered.object?["entries"]?.members ?? [])))]
        } else if !isCreated, !isWhole, resource.kind != .entries, let sample = samples[resource.kind] {
            policy.set(sample, at: resource.path)
        } else if isCreated {
            policy.remove(at: resource.path)
        }
        let whole = action == .modify && resource.kind == .imports ? answered : policy.object?["imports"]
        let imported = Set((whole?.members.map(\.0) ?? []) + (resource.importedID.map { [$0] } ?? []))
        try fixture.rig.makeImported(imported.sorted())
        try fixture.rig.policy(.create, id.text, policy.text)
        guard action == .modify else { return nil }
        if isWhole { return policy }
        if resource.kind == .entries { return policy.object?["entries"] }
        return answered ?? samples[resource.kind]
    }

    private static func withImportable(_ value: JSONValue, _ kind: PolicyPath.Kind) -> JSONValue {
        var value = value
        switch kind {
        case .entry: value.set("implicit", at: JSONPointer(segments: ["importable"]))
        case .entries:
            for (key, _) in value.members { value.set("implicit", at: JSONPointer(segments: [key, "importable"])) }
        case .policy:
            for (key, _) in value.object?["entries"]?.members ?? [] {
                value.set("implicit", at: JSONPointer(segments: ["entries", key, "importable"]))
            }
        default: break
        }
        return value
    }
}

extension JSONValue {
    fileprivate var members: [(String, JSONValue)] { object?.members.map { ($0.key, $0.value) } ?? [] }
}
