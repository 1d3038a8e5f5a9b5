// What subscribers get of events: spec/policies-search.md A.4 and A.13.15, with Twinspan's decisions.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct EventRow: Sendable, CustomTestStringConvertible {
    let what: String
    let entries: String
    let path: String
    /// The value of the event, empty for a deletion.
    let value: String
    /// `full`, `none`, or the JSON of a partial value.
    let expected: String

    init(_ what: String, _ entries: String, _ path: String, _ value: String, _ expected: String) {
        self.what = what
        self.entries = entries
        self.path = path
        self.value = value
        self.expected = expected
    }

    var testDescription: String { "\(what): \(path) \(value)" }
}

@Suite("EventView")
struct EventViewTests {
    static let some = #"[{"s":["u:ann"],"g":{"thing:/attributes/serial":"R","thing:/features/valve":"R"}}]"#
    static let hole = #"[{"s":["u:ann"],"g":{"thing:/":"R"},"r":{"thing:/attributes/secret":"R"}}]"#
    static let all = #"[{"s":["u:ann"],"g":{"thing:/":"R"}}]"#
    static let otherHole = #"[{"s":["u:ann"],"g":{"thing:/":"R"}},{"s":["u:bob"],"r":{"thing:/attributes":"R"}}]"#

    static let rows: [EventRow] = [
        EventRow("A.13.15", some, "/attributes/serial", #""X1""#, "full"),
        EventRow("A.13.15", some, "/attributes/site/name", #""N""#, "none"),
        EventRow("A.13.15", some, "/features/valve/properties/open", "true", "full"),
        EventRow(
            "A.13.15", some, "/", Sample.thing,
            #"{"thingId":"acme:pump-7","attributes":{"serial":"X1"},"#
                + #""features":{"valve":{"definition":["acme:valve:1.0"],"properties":{"open":true}}}}"#),
        EventRow("a partial reader is not told of the deletion of the thing", some, "/", "", "none"),
        EventRow("a full reader gets everything", all, "/", Sample.thing, "full"),
        EventRow("a full reader gets deletions", all, "/", "", "full"),
        EventRow("revokes for others do not count", otherHole, "/", Sample.thing, "full"),
        EventRow("a stranger gets nothing", #"[{"s":["u:bob"],"g":{"thing:/":"R"}}]"#, "/", Sample.thing, "none"),
        EventRow("no READ", #"[{"s":["u:ann"],"g":{"thing:/":"W"}}]"#, "/attributes/serial", "1", "none"),
        EventRow("an object below the root is cut", some, "/attributes", #"{"serial":1,"site":2}"#, #"{"serial":1}"#),
        EventRow("an object with nothing readable is dropped", some, "/attributes", #"{"site":2}"#, "none"),
        EventRow("an empty object needs READ itself", some, "/attributes", "{}", "none"),
        EventRow("a fully readable object is passed on", some, "/features", #"{"valve":{"a":1}}"#, "full"),
        EventRow("a revoke leaves a hole", hole, "/attributes", #"{"secret":1,"x":2}"#, #"{"x":2}"#),
        EventRow("a hole that is not there cuts nothing", hole, "/attributes", #"{"x":2}"#, "full"),
        EventRow("only the hole", hole, "/attributes", #"{"secret":1}"#, "none"),
        EventRow("in the hole", hole, "/attributes/secret", "1", "none"),
        EventRow("below the hole", hole, "/attributes/secret/a", #"{"b":1}"#, "none"),
        EventRow("an empty object where READ is allowed", hole, "/attributes", "{}", "full"),
        EventRow("deletion above a hole", hole, "/attributes", "", "full"),
        EventRow("deletion of the hole", hole, "/attributes/secret", "", "none"),
        EventRow("deletion below a readable path", some, "/features/valve/properties", "", "full"),
        EventRow("deletion above a readable path", some, "/features", "", "none"),
        EventRow("an array where READ is allowed is passed on", hole, "/attributes", #"[{"secret":1}]"#, "full"),
        EventRow("an array elsewhere is dropped", some, "/attributes", "[1]", "none"),
        EventRow("a patch at the root shows no ids it does not hold", some, "/", #"{"attributes":{"site":1}}"#, "none"),
        EventRow(
            "a patch at the root", some, "/", #"{"attributes":{"site":1,"serial":null}}"#,
            #"{"attributes":{"serial":null}}"#),
        EventRow("the thing id alone is not delivered", some, "/", #"{"thingId":"a:b","attributes":{"x":1}}"#, "none"),
    ]

    @Test("an event shows what its subscriber may read", arguments: rows)
    func event(_ row: EventRow) throws {
        let enforcer = PolicyEnforcer(try Sample.policy(row.entries), revision: 1)
        let caller = AuthorizationContext(["u:ann"])
        let path = try JSONPointer(parsing: row.path)
        let value: JSONValue?
        if row.value.isEmpty { value = .none } else { value = try JSONValue.parse(row.value) }
        let view = enforcer.eventView(of: value, at: path, subjects: caller, namespace: "acme")
        switch view {
        case .full: #expect(row.expected == "full")
        case .none: #expect(row.expected == "none")
        case .partial(let part): #expect(part.text == row.expected)
        }
        if enforcer.canReadEverything(at: path, subjects: caller, namespace: "acme") { #expect(view == .full) }
    }
}
