import Testing
import TwinspanJSON

@Suite struct JSONMergePatchTests {
    @Test(
        "the examples of RFC 7396 hold",
        arguments: [
            (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
            (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
            (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
            (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
            (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
            (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, "null", "null"),
            (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
            (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
            ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
        ])
    func standard(_ target: String, _ patch: String, _ expected: String) throws {
        let result = try JSONMergePatch.apply(JSONValue.parse(patch), to: JSONValue.parse(target))
        #expect(result.text == expected)
    }

    @Test(
        "nulls are dropped from what is added, but not inside arrays",
        arguments: [
            ("{}", #"{"a":[null,{"b":null}]}"#, #"{"a":[null,{"b":null}]}"#), ("{}", #"{"a":null}"#, "{}"),
            ("{}", #"{"a":{"b":null,"c":{"d":null,"e":1}}}"#, #"{"a":{"c":{"e":1}}}"#),
            (#"{"a":1}"#, #"{"a":{"b":null}}"#, #"{"a":{}}"#),
            (#"{"a":[1]}"#, #"{"a":{"b":null,"c":1}}"#, #"{"a":{"c":1}}"#),
            (#"{"a":{"b":1}}"#, #"{"a":{}}"#, #"{"a":{"b":1}}"#),
            (#"{"a":{"b":1}}"#, #"{"a":{"b":{}}}"#, #"{"a":{"b":{}}}"#),
        ])
    func nulls(_ target: String, _ patch: String, _ expected: String) throws {
        let result = try JSONMergePatch.apply(JSONValue.parse(patch), to: JSONValue.parse(target))
        #expect(result.text == expected)
    }

    @Test("a patch for something absent is the patch without nulls")
    func absent() throws {
        #expect(try JSONMergePatch.apply(["a": 1, "b": nil], to: nil) == ["a": 1])
        #expect(try JSONMergePatch.apply("x", to: nil) == "x")
    }

    @Test(
        "regular expressions remove the members whose whole key matches",
        arguments: [
            (#"{"{{~2023-.*~}}":null}"#, #"{"a":1}"#), (#"{"{{ ~2023-.*~ }}":null}"#, #"{"a":1}"#),
            (#"{"{{/2023-.*/}}":null}"#, #"{"a":1}"#), (#"{"{{~.*~}}":null}"#, "{}"),
            (#"{"{{~2023~}}":null}"#, #"{"2023-01":{"x":1},"2023-02":{"x":2},"a":1}"#),
            (#"{"{{~2023-.*~}}":null,"2023-02":{"y":3,"z":null}}"#, #"{"2023-02":{"y":3},"a":1}"#),
            (#"{"2023-02":{"y":3},"{{~2023-.*~}}":null}"#, #"{"2023-02":{"y":3},"a":1}"#),
            (#"{"{{~[a-z]~}}":null,"b":2}"#, #"{"2023-01":{"x":1},"2023-02":{"x":2},"b":2}"#),
            (#"{"{{~2023-0(1|3)~}}":null}"#, #"{"2023-02":{"x":2},"a":1}"#),
            (#"{"{{~\\d{4}-\\d+~}}":null}"#, #"{"a":1}"#),
            (#"{"{{~~}}":null}"#, #"{"2023-01":{"x":1},"2023-02":{"x":2},"a":1}"#),
        ])
    func removal(_ patch: String, _ expected: String) throws {
        let target: JSONValue = ["2023-01": ["x": 1], "2023-02": ["x": 2], "a": 1]
        #expect(try JSONMergePatch.apply(JSONValue.parse(patch), to: target).text == expected)
    }

    @Test("a regular expression works at its own level only")
    func removalLevel() throws {
        let target: JSONValue = ["a": ["a": 1, "b": 2], "b": 3]
        #expect(try JSONMergePatch.apply(["a": ["{{~b~}}": nil]], to: target).text == #"{"a":{"a":1},"b":3}"#)
        #expect(
            try JSONMergePatch.apply(["c": ["{{~b~}}": nil]], to: target).text == #"{"a":{"a":1,"b":2},"b":3,"c":{}}"#)
    }

    @Test("a key of that form with a value, and keys of similar forms, are ordinary")
    func ordinaryKeys() throws {
        #expect(try JSONMergePatch.apply(["{{~(~}}": 1], to: ["a": 1]) == ["a": 1, "{{~(~}}": 1])
        for key in ["{{~a}}", "{~a~}", "{{a}}", "{{~}}", "~a~", "{{}}", "{{~a/}}", "{{ }}"] {
            #expect(try JSONMergePatch.apply(.object([key: nil]), to: ["a": 1]) == ["a": 1])
        }
    }

    @Test("a bad regular expression is refused", arguments: ["(", "[", "a)", "*", "a{2,1}", "\\", "(?<n"])
    func badPatterns(_ pattern: String) {
        #expect(throws: JSONMergePatchError.self) {
            try JSONMergePatch.apply(.object(["{{~\(pattern)~}}": nil]), to: ["a": 1])
        }
    }

    @Test("a regular expression that is too long is refused")
    func longPattern() {
        let pattern = String(repeating: "a", count: 5000)
        #expect(throws: JSONMergePatchError.self) {
            try JSONMergePatch.apply(.object(["{{~\(pattern)~}}": nil]), to: ["a": 1])
        }
    }

    @Test("a patch at a pointer equals the wrapped patch at the root")
    func wrap() throws {
        let pointer = try JSONPointer(parsing: "/a/b")
        #expect(JSONMergePatch.wrap(1, at: pointer) == ["a": ["b": 1]])
        #expect(JSONMergePatch.wrap(nil, at: pointer).text == #"{"a":{"b":null}}"#)
        #expect(JSONMergePatch.wrap(["x": 1], at: .root) == ["x": 1])
        let result = try JSONMergePatch.apply(JSONMergePatch.wrap(nil, at: pointer), to: ["a": ["b": 1, "c": 2]])
        #expect(result == ["a": ["c": 2]])
    }

    @Test("merging the difference of large objects is exact")
    func large() throws {
        let target = JSONObject((0..<200).map { ("key-\($0)", JSONValue.number(JSONNumber($0))) })
        let patch = JSONObject((100..<300).map { ("key-\($0)", $0 % 2 == 0 ? .null : "new") })
        let result = try JSONMergePatch.apply(.object(patch), to: .object(target))
        #expect(result.object?.count == 200)
        #expect(result.object?["key-99"] == 99)
        #expect(result.object?["key-100"] == nil)
        #expect(result.object?["key-101"] == "new")
        #expect(result.object?["key-299"] == "new")
    }

    @Test("after any patch, applying it again changes nothing")
    func idempotence() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RandomDocument(seed: seed)
        for _ in 0..<2000 {
            let patch = JSONValue.object(random.object())
            let once = try JSONMergePatch.apply(patch, to: .object(random.object()))
            #expect(try JSONMergePatch.apply(patch, to: once) == once, "seed \(seed)")
        }
    }

    @Test("removing nulls reaches all levels of objects")
    func removingNulls() {
        #expect(JSONMergePatch.removingNulls(["a": nil, "b": ["c": nil, "d": [nil]]]).text == #"{"b":{"d":[null]}}"#)
        #expect(JSONMergePatch.removingNulls(nil) == nil)
    }
}
