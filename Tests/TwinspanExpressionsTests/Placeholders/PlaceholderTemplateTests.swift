import Testing

@testable import TwinspanExpressions

@Suite("PlaceholderTemplate")
struct PlaceholderTemplateTests {
    private static let resolver = TableResolver([
        "thing:id": .one("acme:d1"), "thing:name": .one("d1"), "header:a": .one("A"),
        "header:many": .many(["1", "2"]),
        "header:more": .many(["x", "y"]), "header:none": .many([]), "header:single": .many(["s"]),
        "header:gone": .deleted, "thing-json:/it's": .one("quoted"), "thing-json:/x}y": .one("brace"),
        "header:a:b": .one("colon"), "request:subjectId": .many(["google:1", "nginx:2"]),
    ])

    @Test(
        "a template resolves",
        arguments: [
            ("", .one("")),
            ("constant", .one("constant")),
            ("{{ thing:id }}", .one("acme:d1")),
            ("{{thing:id}}", .one("acme:d1")),
            ("{{\n thing:id\t}}", .one("acme:d1")),
            ("a/{{ thing:name }}/b", .one("a/d1/b")),
            ("{{ thing:name }}{{ header:a }}", .one("d1A")),
            ("${thing:name}/x", .one("d1/x")),
            ("${ thing:name }", .one("d1")),
            ("${thing:name | fn:upper()}-{{ thing:name }}", .one("D1-d1")),
            ("${request:subjectId}", .many(["google:1", "nginx:2"])),
            ("${request.subjectId}", .many(["google:1", "nginx:2"])),
            ("$ {x} } $", .one("$ {x} } $")),
            ("price ${", .one("price ${")),
            ("{", .one("{")),
            ("{\"a\":{\"b\":1}}", .one("{\"a\":{\"b\":1}}")),
            ("{{ header:a:b }}", .one("colon")),
            ("{{ thing-json:/it's }}", .one("quoted")),
            ("{{ thing-json:/x}y }}", .one("brace")),
            ("ä{{ thing:name }}ö", .one("äd1ö")),
            ("{{ header:missing }}", .unresolved),
            ("x{{ header:missing }}y", .unresolved),
            ("{{ header:none }}", .unresolved),
            ("{{ header:single }}", .one("s")),
            ("{{ fn:delete() }}", .deleted),
            ("{{ header:gone }}", .deleted),
            ("{{ fn:delete() }}{{ header:gone }}", .deleted),
            ("x{{ fn:delete() }}y", .one("xy")),
            ("{{ fn:delete() }}{{ header:missing }}", .unresolved),
            ("{{ header:missing }}{{ fn:delete() }}", .unresolved),
            ("p{{ header:many }}", .many(["p1", "p2"])),
            ("{{ header:many }}-{{ header:more }}", .many(["1-x", "1-y", "2-x", "2-y"])),
            ("{{ header:many | fn:join(',') }}-{{ header:more }}", .many(["1,2-x", "1,2-y"])),
            ("{{ header:many }}{{ header:missing }}", .unresolved),
            ("{{ time:now }}", .one("2024-01-06T14:23:42.123Z")),
            ("{{ time:now-1d[d] | fn:substring-before('T') }}", .one("2024-01-05")),
            ("{{ fn:default('x') }}", .one("x")),
            ("{{ fn:default('a|b') | fn:upper() }}", .one("A|B")),
            ("{{ thing:id|fn:substring-after(':')|fn:upper() }}", .one("D1")),
        ] as [(String, PlaceholderValues)])
    func resolves(text: String, expected: PlaceholderValues) throws {
        let template = try PlaceholderTemplate.parse(text, scope: .headerMapping)
        #expect(template.resolve(Self.resolver) == expected)
        #expect(template.text == text)
    }

    @Test("a template without expression is constant")
    func constant() throws {
        #expect(try PlaceholderTemplate.parse("a/b", scope: .sourceAddress).constant == "a/b")
        #expect(try PlaceholderTemplate.parse("{{ thing:id }}", scope: .address).constant == nil)
    }

    @Test("placeholders are listed with those in arguments")
    func placeholders() throws {
        let template = try PlaceholderTemplate.parse(
            "{{ thing:id | fn:default(header:a) }}/{{ fn:filter(topic:action,'eq',header:b) }}", scope: .address)
        #expect(template.placeholders == [.thingID, .header("a"), .topic(.action), .header("b")])
    }

    @Test("a product above the bound is unresolved")
    func bounded() throws {
        let many = PlaceholderValues.many((0..<200).map(String.init))
        let resolver = TableResolver(["header:a": many, "header:b": .many(["1", "2"])])
        let small = try PlaceholderTemplate.parse("{{ header:a }}{{ header:b }}", scope: .address)
        let large = try PlaceholderTemplate.parse("{{ header:a }}{{ header:a }}", scope: .address)
        #expect(small.resolve(resolver).values.count == 400)
        #expect(large.resolve(resolver) == .unresolved)
    }

    @Test(
        "a broken template is refused with code and offset",
        arguments: [
            ("{{ }}", "unresolved", 3), ("{{}}", "unresolved", 2), ("{{ thing:id", "unresolved", 0),
            ("ab{{ thing:id }", "unresolved", 2), ("{{ thing:id }} {{", "unresolved", 15),
            ("{{ thing:nam }}", "unresolved", 3), ("ä{{ thing:nam }}", "unresolved", 5), ("${}", "unresolved", 2),
            ("${foo}", "unresolved", 2), ("{{ foo }}", "unresolved", 3), ("{{ misc:a }}", "unresolved", 3),
            ("{{{ thing:id }}}", "unresolved", 2), ("{{ time:now-1x }}", "unresolved", 3),
            ("{{ request.subjectId }}", "unresolved", 3),
            ("{{ | fn:lower() }}", "unresolved", 3),
            ("{{ thing:id | fn:default(foo:bar) }}", "unresolved", 25),
            ("{{ thing:id | fn:lowr() }}", "function.unknown", 14),
            ("{{ thing:id | thing:name }}", "function.unknown", 14),
            ("{{ thing:id | }}", "function.unknown", 14),
            ("{{ thing:id || fn:lower() }}", "function.unknown", 13),
            ("{{ thing:id | fn:Lower() }}", "function.unknown", 14),
            ("{{ fn: }}", "function.unknown", 3),
            ("{{ thing:id | fn:lower }}", "function.signature.invalid", 22),
            ("{{ thing:id | fn:lower( }}", "function.signature.invalid", 24),
            ("{{ thing:id | fn:lower() x }}", "function.signature.invalid", 25),
            ("{{ thing:id | fn:lower(), fn:upper() }}", "function.signature.invalid", 24),
        ])
    func refuses(text: String, code: String, offset: Int) {
        let error = #expect(throws: PlaceholderError.self) {
            try PlaceholderTemplate.parse(text, scope: .address)
        }
        #expect(error?.code == "placeholder:\(code)")
        #expect(error?.offset == offset)
        #expect(error?.description.isEmpty == false)
    }

    @Test("ten functions are allowed, eleven are too complex")
    func complexity() throws {
        let ten = Array(repeating: "fn:lower()", count: 10).joined(separator: " | ")
        #expect(
            try PlaceholderTemplate.parse("{{ thing:name | \(ten) }}", scope: .address).resolve(Self.resolver)
                == .one("d1"))
        for text in ["{{ thing:name | \(ten) | fn:lower() }}", "{{ \(ten) | fn:lower() }}"] {
            let error = #expect(throws: PlaceholderError.self) {
                try PlaceholderTemplate.parse(text, scope: .address)
            }
            #expect(error?.code == "placeholder:function.too.complex")
        }
    }
}
