import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

/// An answer of another kind than the test is about.
struct Unexpected: Error {}

/// What one requester has been told.
typealias Answers = Watched<[SignalAnswer]>

/// An engine with the thing `n:t`, whose owner may do everything, whose device may read everything, and whose limited
/// reader may read nothing but `/attributes/a`.
final class LiveFixture: Sendable {
    static let device = AuthorizationContext(["test:device"])
    static let limited = AuthorizationContext(["test:limited"])
    static let stranger = AuthorizationContext(["test:stranger"])

    let fixture: EngineFixture
    var rig: EngineRig { fixture.rig }
    var engine: TwinEngine { fixture.rig.engine }
    var live: LiveChannel { fixture.rig.engine.live }

    init(limits: TwinLimits = TwinLimits()) throws {
        fixture = try EngineFixture(settings: EngineRig.settings(limits: limits))
        let rules = [
            (subject: "test:device", resources: ["thing:/": "R", "message:/": "R"]),
            (subject: "test:limited", resources: ["thing:/attributes/a": "R", "message:/inbox": "R-R"]),
            (subject: "test:writer", resources: ["thing:/attributes": "W", "message:/inbox/messages/ask": "W"]),
        ]
        try fixture.rig.policy(.create, "n:policy", Sample.policy(rules))
        try fixture.make("n:t", Sample.guarded)
    }

    static func session(_ name: String) throws -> ConnectionID { try ConnectionID(name) }

    func subscribe(
        _ kinds: [LiveKind] = LiveKind.allCases, as subjects: AuthorizationContext = LiveFixture.device,
        session: String = "device", acks: [String] = [], namespaces: Set<String> = [], capacity: Int = 1000,
        admits: (@Sendable (LiveSignal) -> Bool)? = nil
    ) throws -> LiveSubscription {
        let subscription = LiveSubscription(
            topics: kinds.map { LiveTopic($0, namespaces: namespaces, admits: admits) }, subjects: subjects,
            session: try Self.session(session), declaredAcks: try acks.map { try AckLabel($0) }, capacity: capacity,
            byteCapacity: 1 << 20, wake: {}, onOverflow: { _ in })
        try live.add(subscription)
        return subscription
    }

    static func headers(_ headers: [String: JSONValue]) -> DittoHeaders {
        var all = DittoHeaders()
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { all.append(name, value) }
        return all
    }

    static func message(
        _ subject: String = "ask", _ value: String? = #"{"q":1}"#, id: String = "n:t", feature: String? = nil,
        direction: Message.Direction = .inbox, headers: [String: JSONValue] = ["correlation-id": "c"],
        status: Int? = nil
    ) throws -> Message {
        Message(
            thingID: try ThingID(id), featureID: feature, direction: direction, subject: subject,
            value: try value.map { JSONText(try json($0)) }, headers: Self.headers(headers), status: status)
    }

    static func command(
        _ action: ThingCommand.Action, _ path: String = "/attributes", _ value: String? = nil, id: String = "n:t",
        headers: [String: JSONValue] = ["correlation-id": "c"], channel: TopicPath.Channel = .live
    ) throws -> ThingCommand {
        var command = try EngineRig.command(action, id, path, value)
        command.headers = Self.headers(headers)
        command.channel = channel
        return command
    }

    static func response(
        _ action: ThingCommand.Action, _ path: String = "/attributes", _ status: Int, _ value: String? = nil,
        id: String = "n:t", headers: [String: JSONValue] = ["correlation-id": "c"], isError: Bool = false
    ) throws -> LiveResponse {
        LiveResponse(
            thingID: try ThingID(id), action: action, path: try JSONPointer(parsing: path), status: status,
            value: try value.map { JSONText(try json($0)) }, headers: Self.headers(headers), isError: isError)
    }

    static func ack(
        _ label: String, _ status: Int = 200, id: String = "n:t", correlationID: String = "c", payload: String? = nil
    ) throws -> Acknowledgement {
        Acknowledgement(
            label: try AckLabel(label), thingID: try ThingID(id), channel: .twin, status: status,
            payload: try payload.map { JSONText(try json($0)) },
            headers: headers(["correlation-id": .string(correlationID)]))
    }

    func send(
        _ message: Message, as sender: AuthorizationContext = EngineRig.owner, origin: String? = nil
    ) throws -> Answers {
        let answers = Answers([])
        engine.send(message, as: sender, origin: try origin.map(Self.session)) { answer in
            answers.update { $0.append(answer) }
        }
        return answers
    }

    func send(
        _ event: LiveEvent, as sender: AuthorizationContext = EngineRig.owner, origin: String? = nil
    ) throws -> Answers {
        let answers = Answers([])
        engine.send(event, as: sender, origin: try origin.map(Self.session)) { answer in
            answers.update { $0.append(answer) }
        }
        return answers
    }

    func request(
        _ command: ThingCommand, as sender: AuthorizationContext = EngineRig.owner, origin: String? = nil
    ) throws -> Answers {
        let answers = Answers([])
        engine.request(command, as: sender, origin: try origin.map(Self.session)) { answer in
            answers.update { $0.append(answer) }
        }
        return answers
    }

    func responder(_ name: String = "device", _ kind: LiveResponder.Kind = .session) throws -> LiveResponder {
        LiveResponder(try Self.session(name), kind: kind)
    }

    /// Moves the clock and lets everything that is due by then be answered.
    func pass(_ duration: Duration) {
        rig.clock.advance(by: duration)
        live.expireDue()
    }
}

extension Watched where Value == [SignalAnswer] {
    /// The only answer there is, after a moment's patience.
    func only(sourceLocation: SourceLocation = #_sourceLocation) throws -> SignalAnswer {
        _ = wait(10) { !$0.isEmpty }
        let all = current
        #expect(all.count == 1, sourceLocation: sourceLocation)
        return try #require(all.first, sourceLocation: sourceLocation)
    }

    /// Expects the only answer to be an error.
    @discardableResult
    func expectError(
        _ code: String, _ status: Int, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> TwinspanError? {
        guard case .failure(let error) = try only(sourceLocation: sourceLocation) else {
            Issue.record("answered with \(current)", sourceLocation: sourceLocation)
            return nil
        }
        #expect(error.code == code, comment, sourceLocation: sourceLocation)
        #expect(error.status == status, comment, sourceLocation: sourceLocation)
        return error
    }
}
