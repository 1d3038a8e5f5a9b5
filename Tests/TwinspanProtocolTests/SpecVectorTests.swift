import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The examples of the public documentation: each parses, and is written back equal as JSON.
@Suite("Vectors of things", .enabled(if: SpecVectors.folder != nil, "the folder of spec vectors is absent"))
struct SpecVectorTests {
    static let files = [
        "things-commands.json", "things-responses.json", "things-events.json", "things-exceptions.json",
    ]

    @Test("every file has vectors", arguments: files)
    func filesAreThere(file: String) {
        #expect(SpecVectors.load(file).count >= 10)
    }

    @Test("an envelope parses and is written back equal", arguments: files.flatMap { SpecVectors.load($0) })
    func roundTrip(vector: SpecVector) throws {
        let envelope = try Envelope.parse(vector.envelope.bytes)
        let written = try JSONValue.parse(envelope.bytes)
        #expect(written == vector.envelope, "\(written.text)\n is not \n\(vector.envelope.text)")
        #expect(try Envelope.parse(envelope.bytes) == envelope)
    }

    @Test("every command is understood", arguments: SpecVectors.load("things-commands.json"))
    func commands(vector: SpecVector) throws {
        let envelope = try Envelope.parse(vector.envelope.bytes)
        // Commands on several things at once have the name `_`; they come with a later version.
        guard envelope.topic.name != "_" else { return }
        guard case .commands(let action) = envelope.topic.criterion, action != .migrate else { return }
        let command = try ThingCommand(envelope)
        #expect(command.topic() == envelope.topic)
        #expect(command.resource.path == envelope.path)
    }

    @Test(
        "every error has a status, and those of things have a row",
        arguments: SpecVectors.load("things-exceptions.json"))
    func exceptions(vector: SpecVector) throws {
        let envelope = try Envelope.parse(vector.envelope.bytes)
        let error = try #require(envelope.value?.value.object)
        #expect(error["status"]?.int64 == envelope.status.map { Int64($0) })
        let code = try #require(error["error"]?.string)
        // Codes that only the examples have, or that belong to signals of later versions (spec/protocol.md §12.13).
        let foreign = [
            "things:feature.definition.identifier.invalid", "things:policyId.notallowed", "things:policy.id.notallowed",
            "things:policy.notallowed", "messages:", "acknowledgement:", "thing-search:",
        ]
        if foreign.contains(where: { code.hasPrefix($0) }) { return }
        let row = (ThingErrorTable.all + GeneralErrorTable.all).first { $0.code == code }
        #expect(row != nil, "no row for \(code)")
        #expect(row.map { Int64($0.status) } == error["status"]?.int64 || code == ThingErrorTable.notCreatable.code)
    }
}
