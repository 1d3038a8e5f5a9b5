import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper Normalized")
struct NormalizedMapperTests {
    struct Row: Sendable, CustomStringConvertible {
        var description: String
        var options: JSONObject = [:]
        var event: String
        /// What the message has beside `_context`; nil when there is none.
        var expected: String?
    }

    private static let stamp = #""revision":7,"timestamp":"2030-01-01T00:00:00Z""#
    private static let tail = #""_modified":"2030-01-01T00:00:00Z","_revision":7"#

    static let rows: [Row] = [
        Row(
            description: "an attribute stands at its path",
            event: #"{"topic":"a/b/things/twin/events/modified","path":"/attributes/x/y","value":1,\#(stamp)}"#,
            expected: #"{"thingId":"a:b","attributes":{"x":{"y":1}},\#(tail)}"#),
        Row(
            description: "a whole thing is merged in",
            event:
                #"{"topic":"a/b/things/twin/events/created","path":"/","value":{"thingId":"a:b","attributes":{}},"#
                + #"\#(stamp)}"#,
            expected: #"{"thingId":"a:b","attributes":{},\#(tail)}"#),
        Row(
            description: "what was enriched fills gaps, and the event wins",
            event:
                #"{"topic":"a/b/things/twin/events/modified","path":"/features/f/properties/p","value":1,"#
                + #""extra":{"attributes":{"c":2},"features":{"f":{"properties":{"p":0,"q":3}}}},\#(stamp)}"#,
            expected:
                #"{"thingId":"a:b","attributes":{"c":2},"features":{"f":{"properties":{"p":1,"q":3}}},\#(tail)}"#),
        Row(
            description: "nulls of a merge and objects that hold nothing else are left out",
            event:
                #"{"topic":"a/b/things/twin/events/merged","path":"/attributes","#
                + #""value":{"a":null,"b":{"c":null},"d":{"e":null,"f":1},"g":{},"{{~h.*~}}":null},\#(stamp)}"#,
            expected: #"{"thingId":"a:b","attributes":{"d":{"f":1},"g":{}},\#(tail)}"#),
        Row(
            description: "a merge of nothing but null has no data",
            event: #"{"topic":"a/b/things/twin/events/merged","path":"/attributes/x","value":null,\#(stamp)}"#,
            expected: #"{"thingId":"a:b",\#(tail)}"#),
        Row(
            description: "the deletion of a thing has its instant",
            event: #"{"topic":"a/b/things/twin/events/deleted","path":"/",\#(stamp)}"#,
            expected: #"{"thingId":"a:b",\#(tail),"_deleted":"2030-01-01T00:00:00Z"}"#),
        Row(
            description: "the deletion of a part is left out",
            event: #"{"topic":"a/b/things/twin/events/deleted","path":"/attributes/x",\#(stamp)}"#, expected: nil),
        Row(
            description: "the deletion of a part is told where it is asked for",
            options: ["includeDeletedFields": true],
            event: #"{"topic":"a/b/things/twin/events/deleted","path":"/attributes/x/y",\#(stamp)}"#,
            expected:
                #"{"thingId":"a:b",\#(tail),"#
                + #""_deletedFields":{"attributes":{"x":{"y":"2030-01-01T00:00:00Z"}}}}"#),
        Row(
            description: "a deleted feature has its instant at its id",
            options: ["includeDeletedFields": "TRUE"],
            event: #"{"topic":"a/b/things/twin/events/deleted","path":"/features/f",\#(stamp)}"#,
            expected: #"{"thingId":"a:b",\#(tail),"_deletedFields":{"features":{"f":"2030-01-01T00:00:00Z"}}}"#),
        Row(
            description: "nulls of a merge are deletions, regular expressions are not",
            options: ["includeDeletedFields": true],
            event:
                #"{"topic":"a/b/things/twin/events/merged","path":"/features","#
                + #""value":{"f":null,"g":{"properties":{"p":null,"q":1}},"{{ /x/ }}":null,"{{~y~}}":null},\#(stamp)}"#,
            expected:
                #"{"thingId":"a:b","features":{"g":{"properties":{"q":1}}},\#(tail),"#
                + #""_deletedFields":{"features":{"f":"2030-01-01T00:00:00Z","#
                + #""g":{"properties":{"p":"2030-01-01T00:00:00Z"}}}}}"#),
        Row(
            description: "a merge without nulls deletes nothing",
            options: ["includeDeletedFields": true],
            event: #"{"topic":"a/b/things/twin/events/merged","path":"/attributes/x","value":1,\#(stamp)}"#,
            expected: #"{"thingId":"a:b","attributes":{"x":1},\#(tail)}"#),
        Row(
            description: "fields choose from the whole object",
            options: ["fields": "attributes/x,_revision,_context/topic,features"],
            event: #"{"topic":"a/b/things/twin/events/modified","path":"/attributes","value":{"x":1,"y":2},\#(stamp)}"#,
            expected: #"{"attributes":{"x":1},"_revision":7}"#),
        Row(
            description: "live events are events",
            event: #"{"topic":"a/b/things/live/events/modified","path":"/attributes/x","value":1}"#,
            expected: #"{"thingId":"a:b","attributes":{"x":1}}"#),
        Row(
            description: "answers are no events",
            event: #"{"topic":"a/b/things/twin/commands/modify","path":"/","status":204}"#, expected: nil),
        Row(
            description: "messages are no events",
            event: #"{"topic":"a/b/things/live/messages/x","path":"/inbox/messages/x","value":1}"#, expected: nil),
        Row(
            description: "policies are no things",
            event: #"{"topic":"a/b/policies/announcements/x","path":"/","value":{}}"#, expected: nil),
    ]

    @Test("an event becomes a changed thing", arguments: rows)
    func event(_ row: Row) throws {
        let rig = try MappingRig("Normalized", options: row.options)
        guard let expected = row.expected else {
            #expect(try rig.outbound(row.event)[0].get().isEmpty)
            return
        }
        let message = try rig.message(row.event)
        #expect(message.header("content-type") == "application/json")
        var json = try #require(try message.json?.object)
        json.remove("_context")
        #expect(JSONValue.object(json) == (try JSONValue.parse(expected)))
    }

    @Test("the context has topic, path, value and headers")
    func context() throws {
        let rig = try MappingRig("Normalized", options: ["fields": "_context"])
        let deleted =
            #"{"topic":"a/b/things/twin/events/deleted","headers":{"x":"y","n":1},"path":"/","fields":"attributes"}"#
        let expected =
            #"{"_context":{"topic":"a/b/things/twin/events/deleted","path":"/","value":null,"fields":"attributes","#
            + #""headers":{"x":"y","n":1}}}"#
        #expect(try rig.message(deleted).json == (try JSONValue.parse(expected)))
    }

    @Test("inbound it makes nothing")
    func inbound() throws {
        let rig = try MappingRig("Normalized")
        for payload in ["", "{", #"{"topic":"a/b/things/twin/commands/retrieve","path":"/"}"#] {
            #expect(try rig.inbound(payload) == [.dropped])
        }
    }

    @Test(
        "options are read strictly",
        arguments: [
            ("fields", #"{"fields":"a(b"}"#), ("fields", #"{"fields":""}"#), ("fields", #"{"fields":["a"]}"#),
            ("includeDeletedFields", #"{"includeDeletedFields":"yes"}"#),
            ("includeDeletedFields", #"{"includeDeletedFields":1}"#),
            ("includeDeletedFields", #"{"includeDeletedFields":{}}"#),
        ])
    func options(_ option: String, _ options: String) throws {
        let error = try #require(definitionError("Normalized", try object(options)))
        #expect(error.code == "connectivity:message.mapper.config.invalid")
        #expect(error.status == 400)
        #expect(error.message.contains("'\(option)'"))
    }
}
