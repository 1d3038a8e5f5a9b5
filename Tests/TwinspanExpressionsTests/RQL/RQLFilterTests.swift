import Testing
import TwinspanJSON

@testable import TwinspanExpressions

/// The examples of spec/policies-search.md B.8, column M (the model).
@Suite("RQLFilter")
struct RQLFilterTests {
    private static func document() throws -> JSONValue {
        try JSONValue.parse(
            #"""
            {"thingId":"acme:d1","policyId":"acme:p","definition":"acme:lamp:1.0.0","_modified":"2026-03-01T10:00:00Z",
            "_revision":7,"attributes":{"n":42,"f":1.5,"s":"Kitchen","num":"42","b":true,"z":null,"e":"",
            "arr":["red",3,{"room":"hall","lv":2}],"o":{"x":1},"eo":{},"ea":[],"deep":[[[5]],[null]],"lines":"a\nb"},
            "features":{"lamp":{"definition":["acme:lamp:1.0.0"],"properties":{"on":false,"dim":80}},
            "sensor":{"properties":{"dim":5}},"bare":{}}}
            """#)
    }

    /// Later than the document was modified.
    private static let resolver: TableResolver = {
        var resolver = TableResolver()
        resolver.now = 1_800_000_000_000
        return resolver
    }()

    @Test(
        "the examples of the specification hold",
        arguments: [
            ("eq(attributes/n,42)", true), ("eq(/attributes/n,42.0)", true), ("eq(attributes/n,\"42\")", true),
            ("eq(attributes/num,42)", true), ("eq(attributes/b,\"true\")", true), ("ne(attributes/n,41)", true),
            ("ne(attributes/missing,1)", true), ("not(eq(attributes/missing,1))", true),
            ("eq(attributes/z,null)", true),
            ("eq(attributes/missing,null)", false), ("ne(attributes/z,null)", false), ("exists(attributes/z)", true),
            ("empty(attributes/z)", true), ("empty(attributes/e)", true), ("empty(attributes/eo)", true),
            ("empty(attributes/ea)", true), ("empty(attributes/missing)", true), ("empty(attributes/b)", false),
            ("empty(attributes/n)", false), ("exists(attributes/o/x)", true), ("eq(attributes/o,1)", false),
            ("gt(attributes/n,41.9)", true), ("lt(attributes/z,1)", false), ("gt(attributes/s,\"A\")", true),
            ("gt(attributes/b,false)", true), ("in(attributes/s,\"Bath\",\"Kitchen\")", true),
            ("like(attributes/s,\"Kit*\")", true), ("like(attributes/s,\"kit*\")", false),
            ("ilike(attributes/s,\"kit*\")", true),
            ("like(attributes/s,\"K?tchen\")", true), ("like(attributes/s,\"K.tchen\")", false),
            ("like(attributes/s,\"itche\")", false), ("like(attributes/s,\"**itche***\")", true),
            ("eq(attributes/arr,\"red\")", true), ("ne(attributes/arr,\"red\")", false),
            ("ne(attributes/arr,99)", true),
            ("gt(attributes/arr,2)", true), ("eq(attributes/arr/room,\"hall\")", true),
            ("ge(attributes/arr/lv,2)", true),
            ("exists(attributes/arr/room)", true), ("exists(features/bare)", true),
            ("exists(features/bare/properties)", false),
            ("empty(features/bare)", true), ("eq(features/lamp/definition,\"acme:lamp:1.0.0\")", true),
            ("gt(features/*/properties/dim,50)", false),
            ("and(eq(features/*/properties/dim,5),eq(features/*/properties/on,false))", false),
            ("eq(definition,\"acme:lamp:1.0.0\")", true), ("lt(_modified,time:now)", true),
            ("gt(_modified,\"2026-02-01\")", true),
            ("eq(_revision,7)", true), ("or(eq(attributes/n,1))", false),
        ])
    func examples(text: String, expected: Bool) throws {
        let filter = try RQLFilter.parse(text, placeholders: .condition)
        #expect(filter.matches(try Self.document(), placeholders: Self.resolver) == expected)
    }

    @Test(
        "further consequences of the semantics hold",
        arguments: [
            ("and(eq(attributes/n,42),eq(attributes/s,\"Kitchen\"))", true),
            ("and(eq(attributes/n,42),eq(attributes/n,43))", false),
            ("or(eq(attributes/n,1),eq(attributes/n,42))", true), ("not(not(eq(attributes/n,42)))", true),
            ("eq(attributes/f,1.50)", true), ("eq(attributes/b,true)", true), ("ne(attributes/missing,null)", true),
            ("ne(attributes/n,null)", true), ("ge(attributes/z,null)", false), ("le(attributes/n,null)", false),
            ("gt(attributes/missing,0)", false), ("in(attributes/missing,1)", false), ("in(attributes/z,null)", true),
            ("like(attributes/n,\"4*\")", true), ("like(attributes/n,42)", true), ("like(attributes/z,\"*\")", false),
            ("like(attributes/s,null)", false), ("like(attributes/lines,\"a*\")", false),
            ("like(attributes/b,\"t*\")", true),
            ("eq(attributes/deep,5)", true), ("eq(attributes/deep,null)", true), ("eq(attributes/ea,1)", false),
            ("ne(attributes/o,1)", true), ("exists(attributes/n/x)", false), ("exists(attributes/z/x)", false),
            ("exists(attributes/arr/missing)", false), ("empty(attributes/arr/room)", false),
            ("empty(attributes/arr/missing)", true),
            ("empty(features/lamp)", false), ("empty(features/missing)", true), ("exists(features/missing)", false),
            ("exists(features/lamp/properties)", true), ("empty(features/sensor/definition)", true),
            ("eq(features/lamp/properties/on,false)", true), ("gt(features/lamp/properties/dim,50)", true),
            ("exists(_revision)", true), ("empty(_revision)", false), ("exists(namespace)", true),
            ("eq(namespace,\"acme\")", true),
            ("eq(_namespace,\"acme\")", true), ("eq(_namespace,\"other\")", false), ("exists(_metadata)", false),
            ("lt(_modified,time:now_epoch_millis)", false), ("gt(_revision,time:now_epoch_millis)", false),
            ("gt(_modified,time:now-100000d)", true), ("gt(attributes/num,9)", true),
            ("gt(attributes/num,\"9\")", false),
        ])
    func semantics(text: String, expected: Bool) throws {
        let filter = try RQLFilter.parse(text, placeholders: .condition)
        #expect(filter.matches(try Self.document(), placeholders: Self.resolver) == expected)
    }

    @Test("an own namespace field wins over the one in the thing id")
    func namespace() throws {
        let filter = try RQLFilter.parse("eq(namespace,\"x\")", placeholders: .condition)
        #expect(filter.matches(["_namespace": "x", "thingId": "acme:d1"]))
        #expect(!filter.matches([:]))
    }

    @Test("an event filter sees the change and the extra fields only")
    func events() throws {
        let change: JSONValue = ["thingId": "acme:d1", "attributes": ["n": 43]]
        let extra: JSONValue = ["thingId": "acme:d1", "attributes": ["n": 43, "s": "Kitchen"]]
        #expect(try RQLFilter.parse("gt(attributes/n,42)", placeholders: .connection).matches(change))
        let kitchen = try RQLFilter.parse("eq(attributes/s,\"Kitchen\")", placeholders: .connection)
        #expect(!kitchen.matches(change))
        #expect(kitchen.matches(extra))
    }

    @Test(
        "placeholders are properties where they are registered",
        arguments: [
            ("and(in(topic:action,'created','deleted'),eq(resource:path,'/'))", true),
            ("eq(topic:action,\"modified\")", false),
            ("exists(topic:action)", true), ("exists(topic:subject)", false), ("eq(topic:subject,'x')", false),
            ("ne(topic:subject,'x')", true), ("empty(topic:subject)", true), ("empty(topic:action)", false),
            ("like(entity:id,'acme:*')", true), ("eq(thing:name,'d1')", true), ("eq(feature:id,'b')", true),
            ("eq(header:Some-Header,5)", true), ("gt(header:some-header,4.5)", true), ("lt(time:now,'2025')", true),
            ("gt(time:now_epoch_millis,0)", true), ("exists(time:now)", true), ("empty(header:blank)", true),
        ])
    func placeholders(text: String, expected: Bool) throws {
        let resolver = TableResolver([
            "topic:action": .one("created"), "resource:path": .one("/"), "entity:id": .one("acme:d1"),
            "thing:name": .one("d1"), "feature:id": .many(["a", "b"]), "header:some-header": .one("5"),
            "header:blank": .one(""),
        ])
        let filter = try RQLFilter.parse(text, placeholders: .connection)
        #expect(filter.matches([:], placeholders: resolver) == expected)
    }

    @Test(
        "a context refuses placeholders that it does not register",
        arguments: [
            (.condition, "topic:action"), (.condition, "time:now"), (.history, "topic:action"),
            (.serverSentEvents, "entity:id"),
            (.serverSentEvents, "header:a"), (.connection, "connection:id"), (.connection, "thing-json:/a"),
            (.webSocket, "request:subjectId"), (.webSocket, "policy:id"),
        ] as [(RQLPlaceholders, String)])
    func unregistered(context: RQLPlaceholders, name: String) {
        let error = #expect(throws: RQLError.self) { try RQLFilter.parse("exists(\(name))", placeholders: context) }
        #expect(error?.message.hasPrefix("Unknown property name: \(name)") == true)
    }

    @Test(
        "unknown fields make a result unknown only if it depends on them",
        arguments: [
            ("eq(attributes/u,1)", .unknown), ("not(eq(attributes/u,1))", .unknown),
            ("exists(attributes/u)", .unknown),
            ("empty(attributes/u)", .unknown), ("eq(attributes/a,1)", .matches), ("eq(attributes/a,2)", .differs),
            ("and(eq(attributes/a,1),eq(attributes/u,1))", .unknown),
            ("and(eq(attributes/u,1),eq(attributes/a,2))", .differs),
            ("or(eq(attributes/u,1),eq(attributes/a,1))", .matches),
            ("or(eq(attributes/u,1),eq(attributes/a,2))", .unknown),
            ("not(and(eq(attributes/u,1),eq(attributes/a,2)))", .matches),
            ("not(or(eq(attributes/u,1),eq(attributes/a,1)))", .differs),
            ("eq(topic:action,'created')", .matches), ("and(eq(attributes/u,1),eq(topic:action,'x'))", .differs),
        ] as [(String, RQLOutcome)])
    func threeValued(text: String, expected: RQLOutcome) throws {
        let filter = try RQLFilter.parse(text, placeholders: .connection)
        let unknown = JSONPointer(segments: ["attributes", "u"])
        let outcome = filter.evaluate(
            ["attributes": ["a": 1]], placeholders: TableResolver(["topic:action": .one("created")]),
            isUnknown: { $0 == unknown })
        #expect(outcome == expected)
    }

    @Test("fields and placeholders are listed once, in reading order")
    func fields() throws {
        let filter = try RQLFilter.parse(
            "and(eq(attributes/a,1),or(exists(features/x),gt(/attributes/a,0)),eq(topic:action,'x'),eq(namespace,'n'),"
                + "eq(topic:action,'y'),eq(_namespace,'n'))",
            placeholders: .connection)
        #expect(filter.fields.map(\.description) == ["/attributes/a", "/features/x", "/_namespace"])
        #expect(filter.placeholders == [.topic(.action)])
    }
}
