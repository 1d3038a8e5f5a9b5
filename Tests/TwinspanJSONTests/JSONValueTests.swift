import Testing
import TwinspanJSON

@Suite struct JSONValueTests {
    @Test(
        "a compact document is printed back unchanged",
        arguments: [
            "null", "true", "false", "0", "-1", "\"\"", "[]", "{}", "[[],{}]", "[null,true,false]",
            #"{"a":1,"b":[1,2,{"c":"d"}],"":""}"#, #""\"\\\b\f\n\r\t\u0000\u001f""#, "\"/\u{7F}\u{2028}é日😀\"",
            #"{"z":1,"a":2,"m":3}"#, "[1.10,1E5,-0,-0.0,1e400,18446744073709551615,0.1]",
        ])
    func unchanged(_ text: String) throws {
        let value = try JSONValue.parse(text)
        #expect(value.text == text)
        #expect(value.bytes == Array(text.utf8))
        #expect(try JSONText(validating: Array(text.utf8)).bytes == Array(text.utf8))
    }

    @Test(
        "whitespace and needless escapes disappear",
        arguments: [
            (" [ 1 , 2 ] ", "[1,2]"), ("\r\n{\t\"a\" :\n1 }\t", #"{"a":1}"#), ("[ ]", "[]"), ("{ }", "{}"),
            (#""\u0041\/\u00e9\uD83D\uDE00""#, "\"A/é😀\""), (#""\u0008\u0009\u000a\u000C\u000d""#, #""\b\t\n\f\r""#),
            (#""\u0022\u005c\u001F\u007f""#, "\"\\\"\\\\\\u001f\u{7F}\""),
            (#""\uFFFF\uD7FF\uE000""#, "\"\u{FFFF}\u{D7FF}\u{E000}\""),
            (#""\u0000""#, #""\u0000""#), (#""\uDBFF\uDFFF""#, "\"\u{10FFFF}\""),
        ])
    func canonical(_ source: String, _ expected: String) throws {
        #expect(try JSONValue.parse(source).text == expected)
        #expect(try JSONText(validating: Array(source.utf8)).text == expected)
    }

    @Test("100,000 random documents survive writing, reading and compacting")
    func roundTrip() throws {
        let seed: UInt64 = 0x7715_3A11
        var random = RandomDocument(seed: seed)
        for _ in 0..<100_000 {
            let value = random.value(depth: 2)
            let bytes = value.bytes
            let text = try JSONText(validating: bytes)
            let again = try JSONValue.parse(bytes)
            guard again == value, text.bytes == bytes, again.bytes == bytes else {
                Issue.record("seed \(seed): \(value.text)")
                return
            }
        }
    }

    @Test("loosely written documents become the canonical ones")
    func loose() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RandomDocument(seed: seed)
        for _ in 0..<3000 {
            let value = random.value()
            let source = Array(random.loose(value).utf8)
            #expect(try JSONValue.parse(source) == value, "seed \(seed)")
            #expect(try JSONText(validating: source).bytes == value.bytes, "seed \(seed)")
        }
    }

    @Test("strings of every length and position of an escape are read")
    func stringLengths() throws {
        for length in 0..<40 {
            let plain = String(repeating: "x", count: length)
            for tail in ["", "\n", "é", "\"", "\u{1}y", "漢字z"] {
                let value = JSONValue.array([.string(plain + tail), .string(tail + plain)])
                #expect(try JSONValue.parse(value.text) == value)
            }
        }
    }

    @Test("equality ignores the order of members and the spelling of numbers")
    func equality() throws {
        #expect(try JSONValue.parse(#"{"a":1,"b":[1.0,2e1]}"#) == JSONValue.parse(#"{"b":[1,20],"a":1.00}"#))
        let unequal: [(JSONValue, JSONValue)] = [
            (["a": 1], ["a": 2]), (["a": 1], ["b": 1]), (["a": 1], ["a": 1, "b": 1]), ([1, 2], [2, 1]), ([], [:]),
            (nil, false), (0, false), ("1", 1), (nil, [nil]), ("é", "e\u{301}"), (["é": 1], ["e\u{301}": 1]),
        ]
        for (left, right) in unequal {
            #expect(left != right)
            #expect(right != left)
        }
    }

    @Test("large objects are equal in any order")
    func largeEquality() {
        let members = (0..<500).map { ("key-\($0)", JSONValue.number(JSONNumber($0))) }
        #expect(JSONObject(members) == JSONObject(members.reversed()))
        #expect(JSONObject(members) != JSONObject(members.dropLast() + [("other", 1)]))
    }

    @Test("composed and decomposed characters make different strings and keys")
    func combiningCharacters() throws {
        let value = try JSONValue.parse("{\"é\":1,\"e\u{301}\":2}")
        #expect(value.object?.count == 2)
        #expect(value.object?["é"] == 1)
        #expect(value.object?["e\u{301}"] == 2)
        #expect(value.value(at: JSONPointer(segments: ["e\u{301}"])) == 2)
        #expect(JSONText(value).text(at: JSONPointer(segments: ["e\u{301}"]))?.text == "2")
        // A combining character right behind a quote belongs to the string, not to the quote.
        #expect(try JSONValue.parse("{\"\u{301}\":\"\u{301}\"}").object?["\u{301}"] == "\u{301}")
        #expect(try JSONValue.parse("[\"\r\\n\"]".replacingCarriageReturn) == ["\r\n"])
    }

    @Test("accessors give the value of their kind only")
    func accessors() {
        let values: [JSONValue] = [nil, true, 1, 1.5, "s", [1], ["a": 1]]
        #expect(values.map(\.isNull) == [true, false, false, false, false, false, false])
        #expect(values.map(\.bool) == [nil, true, nil, nil, nil, nil, nil])
        #expect(values.map(\.int64) == [nil, nil, 1, nil, nil, nil, nil])
        #expect(values.map(\.double) == [nil, nil, 1, 1.5, nil, nil, nil])
        #expect(values.map(\.string) == [nil, nil, nil, nil, "s", nil, nil])
        #expect(values.map(\.array) == [nil, nil, nil, nil, nil, [1], nil])
        #expect(values.map(\.object) == [nil, nil, nil, nil, nil, nil, ["a": 1]])
    }

    @Test("set creates parents and replaces what is no object")
    func set() throws {
        let rows: [(String, String, String)] = [
            ("{}", "a", #"{"a":9}"#), ("{}", "a/b/c", #"{"a":{"b":{"c":9}}}"#),
            (#"{"a":1,"b":2}"#, "a", #"{"a":9,"b":2}"#),
            (#"{"a":1}"#, "a/b", #"{"a":{"b":9}}"#), (#"{"a":[1]}"#, "a/0", #"{"a":{"0":9}}"#), ("5", "a", #"{"a":9}"#),
            ("null", "a/b", #"{"a":{"b":9}}"#), (#"{"a":1}"#, "/", "9"), (#"{"a":null}"#, "a/b", #"{"a":{"b":9}}"#),
        ]
        for (document, path, expected) in rows {
            var value = try JSONValue.parse(document)
            let pointer = try JSONPointer(parsing: path)
            value.set(9, at: pointer)
            #expect(value.text == expected)
            #expect(value.value(at: pointer) == 9)
        }
    }

    @Test("remove says whether there was something")
    func remove() throws {
        let rows: [(String, String, String, Bool)] = [
            (#"{"a":1}"#, "a", "{}", true), (#"{"a":{"b":1,"c":2}}"#, "a/b", #"{"a":{"c":2}}"#, true),
            (#"{"a":1}"#, "b", #"{"a":1}"#, false), (#"{"a":1}"#, "a/b", #"{"a":1}"#, false),
            ("[1]", "0", "[1]", false),
            (#"{"a":1}"#, "/", #"{"a":1}"#, false), (#"{"a":{}}"#, "b/c", #"{"a":{}}"#, false),
        ]
        for (document, path, expected, removed) in rows {
            var value = try JSONValue.parse(document)
            #expect(try value.remove(at: JSONPointer(parsing: path)) == removed)
            #expect(value.text == expected)
        }
    }
}

extension String {
    /// The text with its raw carriage return as an escape; written raw it would be a control character.
    fileprivate var replacingCarriageReturn: String {
        unicodeScalars.map { $0 == "\r" ? "\\r" : String($0) }.joined()
    }
}
