import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The examples of the public documentation against the engine: every command is answered as its example says, every
/// response and event example is what the engine makes of the command that belongs to it. Revisions, times, tags and
/// correlation ids are not compared.
@Suite(
    "Vectors of things in the engine",
    .enabled(if: SpecVectors.folder != nil, "the folder of spec vectors is absent"))
struct SpecVectorTests {
    /// The vectors of a file. Some have a value of another thing than their topic, which is an accident of the
    /// documentation, and one has marks of the program that makes its pages.
    private static func load(_ file: String) -> [SpecVector] {
        SpecVectors.load(file).map { vector in
            let text = vector.envelope.text.replacing("fancy-thing_53", with: "fancy-thing")
                .replacing("{% raw %}", with: "").replacing("{% endraw %}", with: "")
            // A text that was JSON still is.
            return SpecVector(name: vector.name, envelope: (try? JSONValue.parse(text)) ?? vector.envelope)
        }
    }

    private static let id = "org.eclipse.ditto:fancy-thing"
    private static let policyID = "org.eclipse.ditto:the_policy_id"

    private static let base = """
        {"policyId":"org.eclipse.ditto:old","definition":"org.eclipse.ditto:Old:1.0.0",\
        "attributes":{"location":{"latitude":1},"other":1},"features":{"accelerometer":{\
        "definition":["org.eclipse.ditto:old:1.0.0"],"properties":{"x":1,"old":true},\
        "desiredProperties":{"x":1,"old":true}},"other":{}}}
        """

    /// A fixture with the policies that the examples name, and the thing unless it is to be made.
    private static func fixture(thing: JSONValue? = nil, copiesPolicy: Bool = false) throws -> EngineFixture {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "org.eclipse.ditto:old", Sample.policy())
        try fixture.rig.policy(.create, "com:acme:the_policy_id_to_copy", Sample.policy())
        try fixture.rig.run(.create, "com:acme:fancy-thing_52", "/", "{}")
        fixture.forgetEvents(1)
        if !copiesPolicy { try fixture.rig.policy(.create, policyID, Sample.policy()) }
        if let thing { try fixture.make(id, thing.text) }
        return fixture
    }

    /// The base thing with a value at a path; without it for nil.
    private static func thing(_ value: JSONValue?, at path: JSONPointer) throws -> JSONValue {
        var thing = try json(base)
        if path.isRoot { return value ?? thing }
        if let value { thing.set(value, at: path) } else { thing.remove(at: path) }
        return thing
    }

    /// Runs a command as a peer sends it and gives its answer as the peer gets it.
    private static func run(_ envelope: Envelope, in fixture: EngineFixture) throws -> Envelope {
        let command = try ThingCommand(envelope)
        let outcome = fixture.rig.engine.execute(command, as: EngineRig.owner)
        fixture.rig.engine.commitSoon()
        try fixture.rig.awaitCommit(outcome.ticket)
        switch outcome.result {
        case .success(let response): return command.envelope(of: response)
        case .failure(let error): return error.envelope(topic: envelope.topic, headers: envelope.headers)
        }
    }

    private static func envelope(
        _ action: ThingCommand.Action, _ path: JSONPointer, _ value: JSONText?
    ) throws -> Envelope {
        var headers = DittoHeaders()
        if action == .merge { headers[.contentType] = "application/merge-patch+json" }
        let command = ThingCommand(
            thingID: try ThingID(id), action: action, resource: try ThingResource(path), value: value)
        return Envelope(topic: command.topic(), headers: headers, path: path, value: value)
    }

    @Test("every command is answered with the success of its kind", arguments: load("things-commands.json"))
    func commands(vector: SpecVector) throws {
        let envelope = try Envelope.parse(vector.envelope.bytes)
        guard case .commands(let action) = envelope.topic.criterion, envelope.topic.name != "_", action != .migrate
        else { return }
        let copiesPolicy = envelope.value?.value.object?["_copyPolicyFrom"] != nil
        // A bare nil would be the JSON null.
        let thing: JSONValue? = action == .create ? .none : .some(try json(Self.base))
        let fixture = try Self.fixture(thing: thing, copiesPolicy: copiesPolicy && action == .create)
        let answer = try Self.run(envelope, in: fixture)
        let expected = [.create: 201, .retrieve: 200][action] ?? 204
        #expect(answer.status == expected, "\(answer.value?.text ?? "")")
        #expect(answer.topic == envelope.topic)
        #expect(answer.path == envelope.path)
        #expect(answer.headers.correlationID == envelope.headers.correlationID)
        guard expected != 204 else {
            #expect(answer.value == nil)
            return
        }
        #expect(answer.value != nil)
    }

    @Test("every response is what the engine answers", arguments: load("things-responses.json"))
    func responses(vector: SpecVector) throws {
        let wanted = try Envelope.parse(vector.envelope.bytes)
        guard case .commands(let topicAction) = wanted.topic.criterion, wanted.topic.name != "_",
            topicAction != .migrate
        else { return }
        // A thing always has a policyId, so that it is never created (spec/protocol.md D4).
        if wanted.status == 201, wanted.path.description == "/policyId" { return }
        let known = Self.load("things-commands.json").first { vector.name == "\($0.name)response" }
        var command = try known.map { try Envelope.parse($0.envelope.bytes) }
        let absent: JSONValue? = nil
        let prepared: JSONValue?
        switch topicAction {
        case .create: prepared = absent
        case .retrieve: prepared = try Self.thing(wanted.value?.value, at: wanted.path)
        default:
            prepared =
                wanted.status == 201 && wanted.path.isRoot
                ? absent
                : wanted.status == 201 ? try Self.thing(absent, at: wanted.path) : try json(Self.base)
        }
        if command == nil || topicAction == .retrieve {
            let action: ThingCommand.Action =
                switch topicAction {
                case .create: .create
                case .retrieve: .retrieve
                case .merge: .merge
                case .delete: .delete
                default: .modify
                }
            let given = wanted.value.flatMap { $0.isNull ? nil : $0 }
            let value = action == .retrieve || action == .delete ? nil : try given ?? Self.present(wanted.path)
            command = try Self.envelope(action, wanted.path, value)
        }
        let fixture = try Self.fixture(thing: prepared)
        let answer = try Self.run(try #require(command), in: fixture)
        #expect(answer.status == wanted.status, "\(answer.value?.text ?? "")")
        #expect(answer.topic == wanted.topic)
        #expect(answer.path == wanted.path)
        // Some examples of 204 carry a null that the reference does not send.
        if wanted.status != 204 { #expect(answer.value?.value == wanted.value?.value) }
    }

    /// The value the base thing has at a path.
    private static func present(_ path: JSONPointer) throws -> JSONText? {
        try json(base).value(at: path).map { JSONText($0) }
    }

    @Test("every event is what the engine publishes", arguments: load("things-events.json"))
    func events(vector: SpecVector) throws {
        let wanted = try Envelope.parse(vector.envelope.bytes)
        guard case .events(let action) = wanted.topic.criterion else { return }
        if action == .created, wanted.path.description == "/policyId" { return }
        let absent: JSONValue? = nil
        let isMade = action == .created && wanted.path.isRoot
        let fixture = try Self.fixture(
            thing: isMade
                ? absent : action == .created ? try Self.thing(absent, at: wanted.path) : try json(Self.base))
        let command: ThingCommand.Action
        switch action {
        case .created: command = isMade ? .create : .modify
        case .modified: command = .modify
        case .merged: command = .merge
        case .deleted: command = .delete
        case .migrated: return
        }
        let answer = try Self.run(try Self.envelope(command, wanted.path, wanted.value), in: fixture)
        #expect(answer.status.map { $0 < 300 } == true, "\(answer.value?.text ?? "")")
        let event = try #require(fixture.published(1).first).envelope(headers: DittoHeaders())
        #expect(event.topic == wanted.topic)
        #expect(event.path == wanted.path)
        #expect(event.value?.value == wanted.value?.value)
        #expect(event.revision != nil)
        #expect(event.timestamp != nil)
    }

    /// What makes an error: who sends which command. The thing is under the policy `org.eclipse.ditto:old`, where
    /// `test:reader` has READ.
    private static func cause(
        of code: String
    ) -> (action: ThingCommand.Action, path: String, value: String?, subject: String)? {
        let legal = [
            "definition": #""a:b:1""#, "features": "{}", "attributes": "{}", "feature": "{}", "policyId": #""a:b""#,
            "feature.definition": #"["a:b:1"]"#, "feature.properties": "{}", "feature.desiredProperties": "{}",
            "thing": "{}",
        ]
        let paths = [
            "thing": "/", "policyId": "/policyId", "definition": "/definition", "attributes": "/attributes",
            "attribute": "/attributes/location", "features": "/features", "feature": "/features/accelerometer",
            "feature.definition": "/features/accelerometer/definition",
            "feature.properties": "/features/accelerometer/properties",
            "feature.property": "/features/accelerometer/properties/x",
            "feature.desiredProperties": "/features/accelerometer/desiredProperties",
            "feature.desiredProperty": "/features/accelerometer/desiredProperties/x",
        ]
        let word = code.dropFirst("things:".count)
        if word.hasSuffix(".notfound"), let path = paths[String(word.dropLast(9))] {
            return (.retrieve, path, nil, word == "thing.notfound" ? "test:stranger" : "test:owner")
        }
        if word.hasSuffix(".notmodifiable"), let path = paths[String(word.dropLast(14))] {
            return (.modify, path, legal[String(word.dropLast(14))] ?? "1", "test:reader")
        }
        switch code {
        case "things:feature.definition.empty":
            return (.modify, "/features/accelerometer/definition", "[]", "test:owner")
        case "things:feature.definition.identifier.invalid", "things:definition.identifier.invalid":
            return (.modify, "/features/accelerometer/definition", #"["foo:bar"]"#, "test:owner")
        case "things:id.notdeletable": return (.merge, "/", #"{"thingId":null}"#, "test:owner")
        case "things:policyId.notdeletable": return (.merge, "/policyId", "null", "test:owner")
        case "things:merge.invalid": return (.merge, "/", "{}", "test:owner")
        case "things:id.notsettable": return (.modify, "/", #"{"thingId":"a:b"}"#, "test:owner")
        case "things:thing.conflict": return (.create, "/", "{}", "test:owner")
        case "things:thing.notdeletable": return (.delete, "/", nil, "test:reader")
        default: return nil
        }
    }

    @Test("every error that a command can cause is what the engine answers", arguments: load("things-exceptions.json"))
    func exceptions(vector: SpecVector) throws {
        let wanted = try Envelope.parse(vector.envelope.bytes)
        let code = try #require(wanted.value?.value.object?["error"]?.string)
        guard let cause = Self.cause(of: code) else { return }
        let fixture = try Self.fixture()
        try fixture.rig.policy(.modify, "org.eclipse.ditto:old", Sample.policy([("test:reader", ["thing:/": "R"])]))
        let isBare = code.hasSuffix(".notfound")
        let isBelow = code.contains(":feature.") && code != "things:feature.notfound"
        try fixture.make(
            Self.id,
            isBare
                ? #"{"policyId":"org.eclipse.ditto:old"\#(isBelow ? #","features":{"accelerometer":{}}"# : "")}"#
                : Self.base)
        let command = try EngineRig.command(cause.action, Self.id, cause.path, cause.value)
        let error = try #require(
            throws: TwinspanError.self,
            performing: {
                try fixture.rig.engine.execute(command, as: AuthorizationContext([cause.subject])).result.get()
            })
        // The code of the example is an older one (spec/protocol.md §12.13).
        let renamed = ["things:feature.definition.identifier.invalid": "things:definition.identifier.invalid"]
        #expect(error.code == renamed[code] ?? code)
        let answer = error.envelope(topic: command.topic(), headers: command.headers)
        #expect(answer.status == wanted.status)
        #expect(answer.topic == wanted.topic)
        #expect(answer.path == wanted.path)
    }
}
