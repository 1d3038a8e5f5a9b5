import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The examples of the public documentation, all files: each is exactly one signal and is written back equal as JSON.
@Suite("Vectors as signals", .enabled(if: SpecVectors.folder != nil, "the folder of spec vectors is absent"))
struct SignalVectorTests {
    static let files = [
        "acks.json", "connections.json", "docs-envelopes.json", "messages.json", "policies-announcements.json",
        "policies-commands.json", "policies-exceptions.json", "policies-responses.json", "search.json",
        "things-commands.json", "things-events.json", "things-exceptions.json", "things-responses.json",
    ]
    static let vectors = files.flatMap { SpecVectors.load($0) }
    static let envelopes = vectors.filter { $0.envelope.object?["topic"] != nil && $0.name != withoutContentType }
    /// An example that shows a merge without its content type, which the reference refuses (spec/protocol.md §4.2).
    static let withoutContentType = "basic-conditional-requests.ditto-protocol-2"
    /// Bare maps of acknowledgements, as HTTP answers with them.
    static let fragments = vectors.filter { $0.envelope.object?["topic"] == nil }

    @Test("every file has vectors", arguments: files)
    func filesAreThere(file: String) {
        #expect(!SpecVectors.load(file).isEmpty)
    }

    @Test("an envelope becomes a signal and comes back equal", arguments: envelopes)
    func roundTrip(vector: SpecVector) throws {
        let signal = try Signal(try Envelope.parse(vector.envelope.bytes))
        let written = try JSONValue.parse(signal.envelope.bytes)
        #expect(written == vector.envelope, "\(written.text)\n is not \n\(vector.envelope.text)")
    }

    @Test("the example of a merge without its content type is refused")
    func contentType() throws {
        let vector = try #require(Self.vectors.first { $0.name == Self.withoutContentType })
        let envelope = try Envelope.parse(vector.envelope.bytes)
        do throws(TwinspanError) {
            _ = try Signal(envelope)
            Issue.record("it was taken")
        } catch {
            #expect((error.code, error.status) == ("mediatype.unsupported", 415))
        }
    }

    @Test("a file has signals of the kind it says")
    func kinds() throws {
        for vector in SpecVectors.load("things-commands.json") {
            guard case .thingCommand = try Signal(try Envelope.parse(vector.envelope.bytes)) else {
                // Retrieves of several things stand in the same file.
                #expect(vector.envelope.object?["topic"]?.string?.contains("/_/") == true, "\(vector)")
                continue
            }
        }
        for vector in SpecVectors.load("policies-commands.json") {
            guard case .policyCommand = try Signal(try Envelope.parse(vector.envelope.bytes)) else {
                Issue.record("\(vector)")
                continue
            }
        }
        for vector in SpecVectors.load("policies-exceptions.json") + SpecVectors.load("things-exceptions.json") {
            guard case .error = try Signal(try Envelope.parse(vector.envelope.bytes)) else {
                Issue.record("\(vector)")
                continue
            }
        }
    }

    @Test("a bare map of acknowledgements comes back equal", arguments: fragments)
    func acknowledgements(vector: SpecVector) throws {
        let acks = try Acknowledgements(
            payload: JSONText(vector.envelope), thingID: try ThingID("n:t"), channel: .twin)
        #expect(acks.payload.value == vector.envelope)
        let signal = try Signal(try Envelope.parse(acks.envelope.bytes))
        #expect(signal.envelope == acks.envelope)
    }

    @Test(
        "every example of an error has a row with its status",
        arguments: SpecVectors.load("policies-exceptions.json") + SpecVectors.load("things-exceptions.json"))
    func exceptions(vector: SpecVector) throws {
        guard case .error(let signal) = try Signal(try Envelope.parse(vector.envelope.bytes)) else {
            Issue.record("no error")
            return
        }
        // Two codes that only the examples have (spec/protocol.md §12.13).
        let obsolete = ["things:feature.definition.identifier.invalid", "things:policyId.notallowed"]
        if obsolete.contains(signal.error.code) { return }
        let row = ErrorTables.all.first { $0.code == signal.error.code }
        #expect(row != nil, "no row for \(signal.error.code)")
        let hasManyStatuses = signal.error.code == ThingErrorTable.notCreatable.code
        #expect(row?.status == signal.error.status || hasManyStatuses, "\(signal.error)")
    }
}
