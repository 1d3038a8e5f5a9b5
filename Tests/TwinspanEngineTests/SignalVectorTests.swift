import Glibc
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

/// Every example of the public documentation through the one door: whatever comes in is answered under its topic and
/// correlation id, and never with a failure of ours.
@Suite("Vectors through the one door", .enabled(if: SpecVectors.folder != nil, "the folder of spec vectors is absent"))
struct SignalVectorTests {
    /// The examples that are envelopes; some are bare values.
    private static func load(_ files: String...) -> [SpecVector] {
        files.flatMap { SpecVectors.load($0) }.filter { $0.envelope.object?["topic"] != nil }
    }

    /// A store in which the thing and the policy of the envelope are there, under its names.
    private static func rig(_ envelope: Envelope) throws -> EngineFixture {
        let fixture = try EngineFixture()
        let topic = envelope.topic
        let policyID = topic.group == .policies ? topic.entityID : "n:policy"
        if topic.group != .policies || topic.criterion != .commands(.create) {
            try fixture.rig.policy(.create, policyID, Sample.policy())
        }
        if topic.group == .things, topic.name != "_", topic.criterion != .commands(.create) {
            try fixture.make(topic.entityID, Sample.guarded)
        }
        return fixture
    }

    private static func serve(_ vector: SpecVector) throws -> (asked: Envelope, answer: Envelope?) {
        let envelope = try Envelope.parse(vector.envelope.bytes)
        let fixture = try rig(envelope)
        let replies = Replies([])
        let session = LiveResponder(try ConnectionID("session"), kind: .session)
        do throws(TwinspanError) {
            fixture.rig.engine.serve(try Signal(envelope), as: EngineRig.owner, from: session) { answer in
                replies.update { $0.append(answer) }
            }
        } catch {
            return (envelope, error.envelope(topic: envelope.topic, headers: envelope.headers))
        }
        if envelope.topic.channel == .live, envelope.status == nil {
            // Nobody is there to answer; time runs out as soon as the request waits.
            for _ in 0..<5_000 where replies.current.isEmpty && fixture.rig.engine.live.load.pending == 0 {
                usleep(1_000)
            }
            fixture.rig.clock.advance(by: .seconds(60))
            fixture.rig.engine.live.expireDue()
        }
        #expect(replies.wait(10) { !$0.isEmpty })
        #expect(replies.current.count == 1)
        return (envelope, replies.current.first ?? nil)
    }

    @Test(
        "every command is answered under its topic, path and correlation id",
        arguments: load("things-commands.json", "policies-commands.json"))
    func commands(vector: SpecVector) throws {
        let (asked, given) = try Self.serve(vector)
        let answer = try #require(given)
        let status = try #require(answer.status)
        #expect(status < 500, "\(answer.value?.text ?? "")")
        #expect((answer.topic.namespace, answer.topic.name) == (asked.topic.namespace, asked.topic.name))
        #expect((answer.topic.group, answer.topic.channel) == (asked.topic.group, asked.topic.channel))
        #expect(answer.headers.correlationID == asked.headers.correlationID)
        #expect(answer.headers[.responseRequired]?.bool == false)
        if status < 300 {
            guard case .commands = answer.topic.criterion else {
                Issue.record("answered on \(answer.topic.text)")
                return
            }
            #expect(answer.path == asked.path)
        } else {
            #expect(answer.topic.criterion == .errors)
            #expect(answer.path.isRoot)
            #expect(answer.value?.value.object?["status"]?.int64 == Int64(status))
        }
    }

    @Test(
        "messages, acknowledgements and other examples are answered or taken, without a failure of ours",
        arguments: load("messages.json", "acks.json", "docs-envelopes.json", "search.json", "connections.json"))
    func others(vector: SpecVector) throws {
        let (asked, given) = try Self.serve(vector)
        guard let answer = given else {
            // Answers and events are taken in silence.
            #expect(asked.status != nil || asked.topic.channel == .live)
            return
        }
        #expect(answer.status.map { $0 < 500 } == true, "\(answer.value?.text ?? "")")
        // Connections have no errors of their own.
        let isOfConnection = asked.topic.group == .connections
        let entity = isOfConnection ? ("unknown", "unknown") : (asked.topic.namespace, asked.topic.name)
        #expect((answer.topic.namespace, answer.topic.name) == entity)
        #expect(answer.headers.correlationID == asked.headers.correlationID)
    }

    @Test(
        "what only the server sends is refused",
        arguments: load(
            "things-responses.json", "things-events.json", "things-exceptions.json", "policies-responses.json",
            "policies-exceptions.json", "policies-announcements.json"))
    func serverOnly(vector: SpecVector) throws {
        let envelope = try Envelope.parse(vector.envelope.bytes)
        let signal: Signal
        do throws(TwinspanError) {
            signal = try Signal(envelope)
        } catch {
            // One documented path is misspelt.
            #expect(error.code == "protocoladapter:unknown.path")
            return
        }
        guard envelope.topic.channel != .live else { return }
        let fixture = try EngineFixture()
        let replies = Replies([])
        let session = LiveResponder(try ConnectionID("session"), kind: .session)
        fixture.rig.engine.serve(signal, as: EngineRig.owner, from: session) { answer in
            replies.update { $0.append(answer) }
        }
        guard envelope.headers.isResponseRequired else {
            #expect(replies.isSilent)
            return
        }
        let answer = try replies.only()
        #expect((answer.errorCode, answer.status) == ("protocoladapter:unknown.topicpath", 400))
    }
}
