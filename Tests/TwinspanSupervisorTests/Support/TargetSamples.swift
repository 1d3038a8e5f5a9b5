import Synchronization
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

/// A topic; extra fields are separated by commas.
func topic(
    _ kind: TargetTopic.Kind = .twinEvents, namespaces: [String] = [], filter: String? = nil, extra: String? = nil
) throws -> TargetTopic {
    TargetTopic(
        kind: kind, namespaces: namespaces,
        filter: try filter.map { try RQLFilter.parse($0, placeholders: .connection) },
        extraFields: try extra.map { text in
            ExtraFields(
                text: text, pointers: try text.split(separator: ",").map { try template("/\($0)", .extraFields) })
        })
}

func target(
    _ address: String = "out", topics: [TargetTopic], subjects: [String] = ["test:owner"],
    headers: [(String, String)] = [], payload: [String] = [], label: String? = nil
) throws -> Target {
    Target(
        address: try template(address, .address), topics: topics, qos: 1, authorizationContext: subjects,
        headerMapping: try headers.map { HeaderMapping(name: $0.0, template: try template($0.1, .headerMapping)) },
        payloadMapping: payload, issuedAcknowledgementLabel: try label.map { try AckLabel($0) })
}

func source(
    declaredAcks: [String] = [], replyTo: String? = "replies",
    types: Set<ReplyTarget.ResponseType> = [.response, .error], replyHeaders: [(String, String)] = [],
    headers: [(String, String)] = [], payload: [String] = [], isReplyEnabled: Bool = true
) throws -> Source {
    Source(
        addresses: ["in/#"], authorizationContext: [try template("test:owner", .sourceAuthorization)],
        headerMapping: try headers.map { HeaderMapping(name: $0.0, template: try template($0.1, .headerMapping)) },
        payloadMapping: payload,
        replyTarget: try replyTo.map {
            ReplyTarget(
                address: try template($0, .address),
                headerMapping: try replyHeaders.map {
                    HeaderMapping(name: $0.0, template: try template($0.1, .headerMapping))
                }, expectedResponseTypes: types, isEnabled: isReplyEnabled)
        }, declaredAcks: try declaredAcks.map { try AckLabel($0) })
}

/// What one requester has been told.
typealias Answers = Watched<[SignalAnswer]>

extension PipelineRig {
    /// A twin command whose acknowledgements are gathered.
    func request(
        _ action: ThingCommand.Action, _ path: String, _ value: String? = nil, asking labels: [String],
        origin: String? = nil, thing: String = "n:t"
    ) throws -> Answers {
        var command = try EngineRig.command(action, thing, path, value, headers: ["correlation-id": "c"])
        command.headers[.requestedAcks] = .array(labels.map { .string($0) })
        let answers = Answers([])
        rig.engine.request(command, as: EngineRig.owner, origin: try origin.map { try ConnectionID($0) }) { answer in
            answers.update { $0.append(answer) }
        }
        rig.engine.commitSoon()
        return answers
    }

    /// A message to `n:t`.
    func message(
        _ subject: String = "ask", asking labels: [String] = [], response: Bool = true, origin: String? = nil,
        headers: [String: String] = [:]
    ) throws -> Answers {
        var all = DittoHeaders()
        all.correlationID = "m"
        all[.responseRequired] = .bool(response)
        for (name, value) in headers { all.append(name, .string(value)) }
        if !labels.isEmpty { all[.requestedAcks] = .array(labels.map { .string($0) }) }
        let answers = Answers([])
        rig.engine.send(
            Message(
                thingID: try ThingID("n:t"), direction: .inbox, subject: subject, value: JSONText(1), headers: all),
            as: EngineRig.owner, origin: try origin.map { try ConnectionID($0) }
        ) { answer in answers.update { $0.append(answer) } }
        rig.engine.commitSoon()
        return answers
    }

    /// Waits until so many messages are there for the broker, and takes them.
    func awaitSent(_ count: Int) throws -> [OutboundMessage] {
        var messages: [OutboundMessage] = []
        for _ in 0..<2_000 {
            queue.take(upTo: count - messages.count, into: &messages)
            if messages.count >= count { return messages }
            usleepMilliseconds(5)
        }
        throw ScenarioFailure("\(messages.count) of \(count) messages were sent")
    }

    /// Pairs of a signal and a target are published, filtered, denied, dropped, or wait.
    func checkBalance(waiting: [OutboundMessage] = [], sourceLocation: SourceLocation = #_sourceLocation) {
        var receipts: Set<ObjectIdentifier> = []
        var pairs = 0
        for message in waiting + sent() where message.target != nil {
            if let receipt = message.receipt, !receipts.insert(ObjectIdentifier(receipt)).inserted { continue }
            pairs += 1
        }
        var ended = 0
        for counter in counters.snapshot where counter.direction == .outbound {
            switch counter.outcome {
            case "published", "filtered", "denied": ended += Int(counter.value)
            case "dropped" where !counter.reason.hasPrefix("reply-"): ended += Int(counter.value)
            default: break
            }
        }
        #expect(Int(counters.value(.offered)) == ended + pairs, "\(counts)", sourceLocation: sourceLocation)
    }
}

extension OutboundMessage {
    /// The envelope in the payload.
    var envelope: JSONObject {
        get throws { try #require(try JSONValue.parse(payload).object) }
    }

    func member(_ path: String) throws -> JSONValue? {
        try JSONValue.parse(payload).value(at: try JSONPointer(parsing: path))
    }
}

extension Acknowledgements {
    /// Label, status and whether it is weak.
    var summary: [String] {
        acknowledgements.map { "\($0.label) \($0.status)\($0.isWeak ? " weak" : "")" }
    }
}

extension Watched where Value == [SignalAnswer] {
    /// The only answer, awaited.
    func answer() throws -> SignalAnswer {
        try require(wait(10) { !$0.isEmpty }, "there is no answer")
        #expect(current.count == 1)
        return current[0]
    }

    /// The acknowledgements of the only answer.
    func acknowledgements() throws -> Acknowledgements {
        guard case .acknowledgements(let all) = try answer() else { throw ScenarioFailure("it is \(current)") }
        return all
    }
}

/// A mapper that makes of a signal what a test wants.
struct TestMapper: PayloadMapper {
    let name: String
    let isQuick: Bool
    let make: @Sendable (OutboundSignal) throws(TwinspanError) -> [MappedMessage]

    func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        try DittoMapper().inbound(message, scene, scratch: &scratch)
    }

    func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage] {
        try make(signal)
    }
}

extension MapperRegistry {
    /// The built-in kinds and some for tests: `Twice` makes two messages, `Nothing` none, `Failing` throws, `Slow` is
    /// not quick and notes that on the message, `Topic` gives an address.
    static let forTests: MapperRegistry = {
        func engine(
            _ name: String, isQuick: Bool = true,
            _ make: @escaping @Sendable (OutboundSignal) throws(TwinspanError) -> [MappedMessage]
        ) -> MapperEngine {
            MapperEngine(name: name) { definition in
                .mapper(TestMapper(name: definition.name, isQuick: isQuick, make: make))
            }
        }
        let kinds = [
            engine("Twice") { signal in
                (0..<2).map { MappedMessage(payload: Array("\($0)".utf8), headers: [(name: "part", value: "\($0)")]) }
            },
            engine("Nothing") { _ in [] },
            engine("Failing") { _ throws(TwinspanError) in throw GeneralErrorTable.mappingFailed.error("on purpose") },
            engine("Slow", isQuick: false) { signal in
                [MappedMessage(payload: signal.bytes, headers: [(name: "thread", value: currentThreadName())])]
            },
            engine("Topic") { _ in
                [
                    MappedMessage(
                        payload: [], headers: [(name: "mqtt.topic", value: "mapper"), (name: "mqtt.qos", value: "0")])
                ]
            },
        ]
        return MapperRegistry(engines: MapperRegistry.builtIn.engines + kinds)
    }()
}
