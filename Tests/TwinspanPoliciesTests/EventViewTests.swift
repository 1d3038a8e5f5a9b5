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
        EventRow("an array where READ is allowed", hole, "/attributes", #"[{"x":1},2]"#, "full"),
        EventRow("an array is cut by its elements", hole, "/attributes", #"[{"secret":1,"x":1},2]"#, #"[{"x":1},2]"#),
        EventRow("an array elsewhere is dropped", some, "/attributes", "[1]", "none"),
        EventRow("a patch at the root shows no ids it does not hold", some, "/", #"{"attributes":{"site":1}}"#, "none"),
        EventRow(
            "a patch at the root", some, "/", #"{"attributes":{"site":1,"serial":null}}"#,
            #"{"attributes":{"serial":null}}"#),
        EventRow("the thing id alone is not delivered", some, "/", #"{"thingId":"a:b","attributes":{"x":1}}"#, "none"),
    ]

    /// Merge patches: what was emptied says that something unreadable was changed, so it goes.
    static let patches: [EventRow] = [
        EventRow("nothing readable is left", hole, "/", #"{"attributes":{"secret":1}}"#, "none"),
        EventRow("a deletion in the hole", hole, "/", #"{"attributes":{"secret":null}}"#, "none"),
        EventRow("a deletion below the hole", hole, "/attributes", #"{"secret":{"a":null}}"#, "none"),
        EventRow(
            "a part is left", hole, "/", #"{"attributes":{"secret":null},"features":{"f":null}}"#,
            #"{"features":{"f":null}}"#),
        EventRow("an object that was empty", hole, "/", #"{"attributes":{}}"#, "full"),
        EventRow("a deletion of what is readable itself", hole, "/", #"{"attributes":null}"#, "full"),
        EventRow("a deletion above what is readable", some, "/", #"{"attributes":null,"features":null}"#, "none"),
        EventRow("a pattern above a hole", hole, "/attributes", #"{"{{ ~sec.*~ }}":null}"#, "none"),
        EventRow(
            "a pattern beside a member", hole, "/attributes", #"{"{{ /sec.*/ }}":null,"x":1}"#, #"{"x":1}"#),
        EventRow("a pattern where there is no hole", hole, "/features", #"{"{{ ~v.*~ }}":null}"#, "full"),
        EventRow("a key that looks like a pattern, with a value", hole, "/attributes", #"{"{{ ~s~ }}":1}"#, "full"),
    ]

    @Test("a patch shows what its subscriber may read", arguments: patches)
    func patch(_ row: EventRow) throws { try check(row, isPatch: true) }

    @Test("an event shows what its subscriber may read", arguments: rows)
    func event(_ row: EventRow) throws { try check(row, isPatch: false) }

    private func check(_ row: EventRow, isPatch: Bool) throws {
        let enforcer = PolicyEnforcer(try Sample.policy(row.entries), revision: 1)
        let caller = AuthorizationContext(["u:ann"])
        let path = try JSONPointer(parsing: row.path)
        let value: JSONValue?
        if row.value.isEmpty { value = .none } else { value = try JSONValue.parse(row.value) }
        let view = enforcer.eventView(of: value, at: path, isPatch: isPatch, subjects: caller, namespace: "acme")
        switch view {
        case .full: #expect(row.expected == "full")
        case .none: #expect(row.expected == "none")
        case .partial(let part): #expect(part.text == row.expected)
        }
        if enforcer.canReadEverything(at: path, subjects: caller, namespace: "acme") { #expect(view == .full) }
        switch enforcer.eventReader(at: path, subjects: caller, namespace: "acme") {
        case .full: #expect(view == .full)
        case .none: #expect(view == .none)
        case .depends(let classes):
            #expect(enforcer.eventView(of: value, at: path, isPatch: isPatch, for: classes) == view)
        }
    }

    @Test("metadata is no more visible than the place it is about (A.3.1, A.4)")
    func metadata() throws {
        let metadata = #""_metadata":{"attributes":{"secret":{"by":"x"},"y":{"by":"y"}},"features":{"v":{"k":1}}}"#
        let rows = [
            (Self.all, metadata),
            (Self.hole, #""_metadata":{"attributes":{"y":{"by":"y"}},"features":{"v":{"k":1}}}"#),
            (
                #"[{"s":["u:ann"],"g":{"thing:/":"R"},"r":{"thing:/attributes":"R","thing:/features":"R"}}]"#,
                #""_metadata":{}"#
            ),
            (#"[{"s":["u:ann"],"g":{"thing:/":"R"},"r":{"thing:/_metadata":"R"}}]"#, ""),
            (
                #"[{"s":["u:ann"],"g":{"thing:/":"R"},"r":{"thing:/_metadata/attributes":"R"}}]"#,
                #""_metadata":{"features":{"v":{"k":1}}}"#
            ),
            (#"[{"s":["u:ann"],"g":{"thing:/_metadata":"R"}}]"#, ""),
        ]
        for (entries, expected) in rows {
            let enforcer = PolicyEnforcer(try Sample.policy(entries), revision: 1)
            let thing = try JSONValue.parse(#"{"thingId":"acme:t",\#(metadata)}"#)
            let caller = AuthorizationContext(["u:ann"])
            let view = enforcer.view(of: thing, type: .thing, base: .root, subjects: caller, namespace: "acme")
            let tail = expected.isEmpty ? "" : "," + expected
            #expect(view?.text == #"{"thingId":"acme:t"\#(tail)}"#, "\(entries)")
        }
    }

    @Test("readers of the same entries are the same reader", arguments: [1, 63, 64, 65, 200])
    func classes(count: Int) throws {
        // So many entries of others, before and behind those of the two.
        let others = (0..<count).map { #"{"s":["u:o\#($0)"],"g":{"thing:/attributes/o\#($0)":"R"}}"# }
        let entries =
            others + [
                #"{"s":["u:ann","u:bob"],"g":{"thing:/attributes/x":"R"}}"#,
                #"{"s":["u:bob"],"n":["other"],"g":{"thing:/attributes/y":"R"}}"#,
            ]
        let policy = try Sample.policy("[\(entries.joined(separator: ","))]")
        let enforcer = PolicyEnforcer(policy, revision: 1)
        func reader(_ subject: String, _ namespace: String) -> EventReader {
            enforcer.eventReader(at: .root, subjects: AuthorizationContext([subject]), namespace: namespace)
        }
        #expect(reader("u:ann", "acme") == reader("u:bob", "acme"))
        #expect(reader("u:ann", "other") != reader("u:bob", "other"))
        #expect(reader("u:ann", "acme") != reader("u:o0", "acme"))
        #expect(reader("u:stranger", "acme") == .none)
        guard case .depends(let classes) = reader("u:bob", "other") else {
            Issue.record("bob reads a part")
            return
        }
        let value = try JSONValue.parse(#"{"attributes":{"x":1,"y":2,"o0":3}}"#)
        #expect(
            enforcer.eventView(of: value, at: .root, for: classes)
                == .partial(try JSONValue.parse(#"{"attributes":{"x":1,"y":2}}"#)))
    }
}
