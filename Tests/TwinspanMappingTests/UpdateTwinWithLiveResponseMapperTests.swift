import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper UpdateTwinWithLiveResponse")
struct UpdateTwinWithLiveResponseMapperTests {
    private static let answer =
        #"{"topic":"a/b/things/live/commands/retrieve","headers":{"correlation-id":"c","x":"y"},"#
        + #""path":"/features/f","value":{"properties":{"p":1}},"status":200}"#

    @Test("an answer to a live retrieve is merged into the twin")
    func merged() throws {
        let expected =
            #"{"topic":"a/b/things/twin/commands/merge","headers":{"response-required":false,"if-match":"*","#
            + #""correlation-id":"c-merge-into-twin","content-type":"application/merge-patch+json"},"#
            + #""path":"/features/f","value":{"properties":{"p":1}}}"#
        #expect(
            try MappingRig("UpdateTwinWithLiveResponse").inbound(Self.answer)
                == [.signals([try JSONValue.parse(expected)])])
    }

    @Test("the headers of the merge may be given")
    func headers() throws {
        let options = try object(
            #"{"dittoHeadersForMerge":{"from":"{{ header:gateway }}","none":"{{ header:none }}","#
                + #""if-match":"\"rev:1\""}}"#
        )
        let mapped = try MappingRig("UpdateTwinWithLiveResponse", options: options).inbound(
            Self.answer, ["gateway": "g"])
        guard case .signals(let signals) = mapped[0] else { return #expect(Bool(false)) }
        let expected =
            #"{"from":"g","if-match":"\"rev:1\"","correlation-id":"c-merge-into-twin","#
            + #""content-type":"application/merge-patch+json"}"#
        #expect(signals[0].object?["headers"] == (try JSONValue.parse(expected)))
    }

    @Test(
        "everything else is left out",
        arguments: [
            "", "{", "7", "[1]",
            #"{"topic":"a/b/things/live/commands/retrieve","path":"/features/f"}"#,
            #"{"topic":"a/b/things/live/commands/retrieve","path":"/features/f","status":404,"value":{}}"#,
            #"{"topic":"a/b/things/live/commands/retrieve","path":"/features/f","status":200}"#,
            #"{"topic":"a/b/things/twin/commands/retrieve","path":"/features/f","status":200,"value":{}}"#,
            #"{"topic":"a/b/things/live/commands/modify","path":"/features/f","status":200,"value":{}}"#,
            #"{"topic":"_/_/things/live/commands/retrieve","path":"/","status":200,"value":[]}"#,
            #"{"topic":"a/b/things/live/commands/retrieve","path":"/nonsense","status":200,"value":{}}"#,
            #"{"topic":"a/b/things/live/messages/s","path":"/inbox/messages/s","status":200,"value":{}}"#,
            #"{"topic":"a/b/things/live/events/modified","path":"/","value":{}}"#,
        ])
    func leftOut(_ payload: String) throws {
        #expect(try MappingRig("UpdateTwinWithLiveResponse").inbound(payload) == [.dropped])
    }

    @Test("outbound it makes nothing")
    func outbound() throws {
        #expect(try MappingRig("UpdateTwinWithLiveResponse").outbound(Self.answer)[0].get().isEmpty)
    }

    @Test(
        "options are read strictly",
        arguments: [
            #"{"dittoHeadersForMerge":"x"}"#, #"{"dittoHeadersForMerge":[]}"#,
            #"{"dittoHeadersForMerge":{"x":"{{ thing:id }}"}}"#, #"{"dittoHeadersForMerge":{"x":"{{ header:a"}}"#,
        ])
    func options(_ options: String) throws {
        let error = try #require(definitionError("UpdateTwinWithLiveResponse", try object(options)))
        #expect(error.code == "connectivity:message.mapper.config.invalid")
        #expect(error.status == 400)
        #expect(error.message.contains("'dittoHeadersForMerge'"))
    }
}
