import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

@Suite("Declared labels")
struct AckDeclarationTests {
    @Test("a label has one session at a time, and is free again when its subscriber leaves")
    func unique() throws {
        let live = try LiveFixture()
        let first = try live.subscribe(session: "one", acks: ["my:a", "my:b"])
        expectRefusal("acknowledgement:label.not.unique", 409) {
            _ = try live.subscribe(session: "two", acks: ["my:c", "my:b"])
        }
        // Nothing of the refused one is left.
        _ = try live.subscribe(session: "three", acks: ["my:c"])
        #expect(live.live.load.subscribers == 2)
        // The same session may declare it for another of its subscriptions, and keeps it until both are gone.
        let second = try live.subscribe(session: "one", acks: ["my:b"])
        live.live.remove(first)
        live.live.remove(first)
        expectRefusal("acknowledgement:label.not.unique", 409) {
            _ = try live.subscribe(session: "two", acks: ["my:b"])
        }
        live.live.remove(second)
        _ = try live.subscribe(session: "two", acks: ["my:b", "my:a"])
    }

    @Test("sessions without subscription declare too, and give everything back at once")
    func withoutSubscription() throws {
        let live = try LiveFixture()
        let (one, two) = (try LiveFixture.session("one"), try LiveFixture.session("two"))
        let labels = [try AckLabel("my:a"), try AckLabel("my:b")]
        try live.live.declareAcks(labels, by: one)
        try live.live.declareAcks(labels, by: one)
        expectRefusal("acknowledgement:label.not.unique", 409) { try live.live.declareAcks([labels[1]], by: two) }
        live.live.releaseAcks(of: one)
        try live.live.declareAcks(labels, by: two)
    }

    @Test("built-in labels are nobody's", arguments: ["twin-persisted", "live-response", "search-persisted"])
    func builtIn(label: String) throws {
        let live = try LiveFixture()
        let session = try LiveFixture.session("one")
        expectRefusal("acknowledgement:ditto.acklabel.forbidden", 400) {
            try live.live.declareAcks([try AckLabel(label)], by: session)
        }
        expectRefusal("acknowledgement:ditto.acklabel.forbidden", 400) {
            _ = try live.live.answer(try LiveFixture.ack(label), from: session)
        }
    }

    @Test("an acknowledgement needs a correlation id and a label that its sender declared")
    func undeclared() throws {
        let live = try LiveFixture()
        let (one, two) = (try LiveFixture.session("one"), try LiveFixture.session("two"))
        try live.live.declareAcks([try AckLabel("my:a")], by: one)
        for (label, session) in [("my:a", two), ("my:b", one)] {
            let error = expectRefusal("acknowledgement:label.not.declared", 400) {
                _ = try live.live.answer(try LiveFixture.ack(label), from: session)
            }
            let text =
                #"{"status":400,"error":"acknowledgement:label.not.declared","message":"Cannot send acknowledgement "#
                + "with label <\(label)>, which is not declared.\",\"description\":\"Each connection may only send "
                + "acknowledgements whose label matches one declared for the connection.\"}"
            #expect(error?.json == (try json(text)))
        }
        expectRefusal("acknowledgement:correlation-id.missing", 400) {
            _ = try live.live.answer(try LiveFixture.ack("my:a", correlationID: ""), from: one)
        }
        #expect(try live.live.answer(try LiveFixture.ack("my:a"), from: one) == .unknown)
    }

}

/// Expects the body to throw the error of a code and status.
@discardableResult
func expectRefusal(
    _ code: String, _ status: Int, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> TwinspanError? {
    do {
        try body()
        Issue.record("\(code) was not thrown", sourceLocation: sourceLocation)
    } catch let error as TwinspanError {
        #expect(error.code == code, sourceLocation: sourceLocation)
        #expect(error.status == status, sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
    return nil
}
