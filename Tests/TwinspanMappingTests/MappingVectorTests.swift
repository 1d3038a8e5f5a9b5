// The envelopes of the specification through the mappers.
import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanTestSupport

@Suite("envelopes of the specification", .enabled(if: SpecVectors.folder != nil, "the specification is not there"))
struct MappingVectorTests {
    private static let events = SpecVectors.load("things-events.json")
    private static let all =
        events + SpecVectors.load("things-commands.json") + SpecVectors.load("messages.json")
        + SpecVectors.load("things-responses.json")

    /// The envelope as it goes out, nil where the vector is not to be read.
    private static func bytes(_ vector: SpecVector) -> String? {
        // Some vectors are broken on purpose; those are the business of the envelope's own tests.
        (try? Envelope.parse(vector.envelope.bytes)).map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test("there are some")
    func count() {
        #expect(Self.events.count > 20)
        #expect(Self.all.compactMap(Self.bytes).count > 100)
    }

    @Test("an event as a changed thing has its value at its path", arguments: events)
    func normalized(_ vector: SpecVector) throws {
        guard let event = Self.bytes(vector) else { return }
        let rig = try MappingRig("Normalized", options: ["includeDeletedFields": true])
        let envelope = try Envelope.parse(Array(event.utf8))
        guard case .events(let action) = envelope.topic.criterion, action != .migrated else { return }
        let json = try #require(try rig.message(event).json)
        #expect(json.object?["thingId"] == .string(envelope.topic.entityID))
        #expect(json.object?["_context"]?.object?["topic"] == .string(envelope.topic.text))
        if action != .merged, !envelope.path.isRoot, let value = envelope.value?.value {
            #expect(json.value(at: envelope.path) == value)
        }
        if action == .deleted {
            let deleted = JSONPointer(segments: envelope.path.isRoot ? ["_deleted"] : ["_deletedFields"])
            #expect(json.value(at: deleted) != nil)
        }
    }

    @Test("what went out as a CloudEvent comes in again", arguments: all)
    func cloudEvent(_ vector: SpecVector) throws {
        guard let envelope = Self.bytes(vector) else { return }
        let rig = try MappingRig("CloudEvents")
        let message = try rig.message(envelope)
        let mapped = try rig.inbound(message.payload, ["content-type": "application/cloudevents+json"])
        var expected = try Envelope.parse(Array(envelope.utf8))
        expected.headers.correlationID = try message.json?.object?["id"]?.string
        #expect(mapped == [.signals([MappingRig.json(expected)])])
    }

    @Test("all of them together are an array")
    func array() throws {
        let envelopes = Self.all.compactMap(Self.bytes)
        let mapped = try MappingRig("Ditto").inbound("[" + envelopes.joined(separator: ",") + "]")
        #expect(mapped == [.signals(try envelopes.map { try JSONValue.parse($0) })])
    }
}
