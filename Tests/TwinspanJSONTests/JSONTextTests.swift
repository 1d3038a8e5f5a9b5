import Testing
import TwinspanJSON

@Suite struct JSONTextTests {
    private func text(_ source: String) throws -> JSONText {
        try JSONText(validating: Array(source.utf8))
    }

    @Test("compacting appends and reports the members of the top-level object only")
    func members() throws {
        let source = Array(#" { "a" : {"x":1} , "b\u0041\n":[ {"y":2} ], "":null } "#.utf8)
        var output = Array("prefix".utf8)
        var keys: [String] = []
        var ranges: [(Range<Int>, Range<Int>)] = []
        try source.withUnsafeBytes { bytes in
            try JSONText.compact(bytes, into: &output) { ranges.append(($0, $1)) }
        }
        #expect(String(decoding: output, as: UTF8.self) == #"prefix{"a":{"x":1},"bA\n":[{"y":2}],"":null}"#)
        for (key, _) in ranges { keys.append(String(decoding: output[key], as: UTF8.self)) }
        #expect(keys == ["a", #"bA\n"#, ""])
        #expect(ranges.map { String(decoding: output[$0.1], as: UTF8.self) } == [#"{"x":1}"#, #"[{"y":2}]"#, "null"])
    }

    @Test("there are no members to report in other documents", arguments: ["[{\"a\":1}]", "1", "{}", "\"{}\""])
    func noMembers(_ source: String) throws {
        var output: [UInt8] = []
        var count = 0
        try Array(source.utf8).withUnsafeBytes { bytes in
            try JSONText.compact(bytes, into: &output) { _, _ in count += 1 }
        }
        #expect(count == 0)
    }

    @Test("appending many documents to one buffer stays linear")
    func manyAppends() throws {
        var output: [UInt8] = []
        let source = Array(#"{"a":1}"#.utf8)
        var moves = 0
        var capacity = 0
        for _ in 0..<20_000 {
            try source.withUnsafeBytes { try JSONText.compact($0, into: &output) { _, _ in } }
            if output.capacity != capacity { moves += 1 }
            capacity = output.capacity
        }
        #expect(output.count == 20_000 * 7)
        #expect(moves < 100)
    }

    @Test("the room of a text that was mostly whitespace is given back")
    func capacity() throws {
        let spaces = String(repeating: " ", count: 10_000)
        let compact = try text("[\(spaces)1\(spaces)]")
        #expect(compact.text == "[1]")
        #expect(compact.bytes.capacity < 100)
    }

    @Test("kinds are told apart by the first byte")
    func kinds() throws {
        let texts = try ["{}", "[]", "null", "\"a\"", "1", "true"].map { try text($0) }
        #expect(texts.map(\.isObject) == [true, false, false, false, false, false])
        #expect(texts.map(\.isArray) == [false, true, false, false, false, false])
        #expect(texts.map(\.isNull) == [false, false, true, false, false, false])
        #expect(texts.map(\.isString) == [false, false, false, true, false, false])
        #expect(JSONText.emptyObject.value == [:])
        #expect(JSONText.null.value == nil)
    }

    @Test(
        "replacing keeps order, creates parents and replaces what is no object",
        arguments: [
            (#"{"a":1,"b":2}"#, ["a"], #"{"a":9,"b":2}"#, false), (#"{"a":1,"b":2}"#, ["b"], #"{"a":1,"b":9}"#, false),
            ("{}", ["a"], #"{"a":9}"#, true), ("{}", ["a", "b", "c"], #"{"a":{"b":{"c":9}}}"#, true),
            (#"{"a":1}"#, ["b"], #"{"a":1,"b":9}"#, true), (#"{"a":1}"#, ["b", "c"], #"{"a":1,"b":{"c":9}}"#, true),
            (#"{"a":1,"z":0}"#, ["a", "b"], #"{"a":{"b":9},"z":0}"#, true),
            (#"{"a":[1]}"#, ["a", "0"], #"{"a":{"0":9}}"#, true),
            (#"{"a":{}}"#, ["a", "b"], #"{"a":{"b":9}}"#, true), ("null", ["a", "b"], #"{"a":{"b":9}}"#, true),
            ("5", [], "9", false), (#"{"a":{"b":{"c":1}}}"#, ["a", "b"], #"{"a":{"b":9}}"#, false),
            ("{}", ["\"", "\n\u{1}"], #"{"\"":{"\n\u0001":9}}"#, true), (#"{"\"":1}"#, ["\""], #"{"\"":9}"#, false),
            (#"{"a\\nb":1}"#, ["a\nb"], #"{"a\\nb":1,"a\nb":9}"#, true),
            (#"{"a\nb":1}"#, ["a\nb"], #"{"a\nb":9}"#, false),
        ] as [(String, [String], String, Bool)])
    func replacing(_ document: String, _ segments: [String], _ expected: String, _ created: Bool) throws {
        let result = try text(document).replacing(at: JSONPointer(segments: segments), with: JSONText(9))
        #expect(result.text.text == expected)
        #expect(result.created == created)
    }

    @Test(
        "removing takes one comma with it",
        arguments: [
            (#"{"a":1}"#, ["a"], "{}"), (#"{"a":1,"b":2}"#, ["a"], #"{"b":2}"#),
            (#"{"a":1,"b":2}"#, ["b"], #"{"a":1}"#),
            (#"{"a":1,"b":2,"c":3}"#, ["b"], #"{"a":1,"c":3}"#),
            (#"{"a":{"b":1,"c":2}}"#, ["a", "b"], #"{"a":{"c":2}}"#),
            (#"{"a":1}"#, ["b"], nil), (#"{"a":1}"#, ["a", "b"], nil), ("[1]", ["0"], nil), (#"{"a":1}"#, [], nil),
            ("{}", ["a"], nil), (#"{"a,":"x,","b":2}"#, ["b"], #"{"a,":"x,"}"#),
        ] as [(String, [String], String?)])
    func removing(_ document: String, _ segments: [String], _ expected: String?) throws {
        #expect(try text(document).removing(at: JSONPointer(segments: segments))?.text == expected)
    }

    @Test("texts and trees agree on getting, setting and removing")
    func agreement() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RandomDocument(seed: seed)
        for _ in 0..<10_000 {
            let value = random.value()
            let text = JSONText(value)
            let pointer = random.pointer()
            #expect(text.text(at: pointer)?.text == value.value(at: pointer)?.text, "seed \(seed)")

            let part = random.value(depth: 1)
            var changed = value
            changed.set(part, at: pointer)
            let replaced = text.replacing(at: pointer, with: JSONText(part))
            #expect(replaced.text.bytes == changed.bytes, "seed \(seed)")
            #expect(replaced.created == (value.value(at: pointer) == nil), "seed \(seed)")

            var reduced = value
            let isRemoved = reduced.remove(at: pointer)
            #expect(text.removing(at: pointer)?.bytes == (isRemoved ? reduced.bytes : nil), "seed \(seed)")
        }
    }

    @Test("a splice allocates exactly what it needs")
    func allocation() throws {
        let document = try text(#"{"attributes":{"a":"\#(String(repeating: "x", count: 4000))"}}"#)
        let pointer = JSONPointer(segments: ["attributes", "b", "\"c"])
        let result = document.replacing(at: pointer, with: JSONText("v")).text
        // The allocator rounds up, by far less than one growth of the array would.
        #expect(result.bytes.capacity < result.bytes.count + 1100)
        #expect(result.value(at: pointer) == "v")
    }

    @Test("members and elements are visited in order until told to stop")
    func visiting() throws {
        let document = try text(#"{"a":1,"b":{"c":[1,"x,]",{}],"d":"}"},"e\"":null}"#)
        var visited: [String] = []
        document.forEachMember { key, value in
            visited.append(document.unescapedString(in: key) + "=" + document.text(in: value).text)
            return true
        }
        #expect(visited == ["a=1", #"b={"c":[1,"x,]",{}],"d":"}"}"#, "e\"=null"])
        visited = []
        document.forEachMember { key, _ in
            visited.append(document.unescapedString(in: key))
            return false
        }
        #expect(visited == ["a"])
        let inner = try #require(document.range(at: JSONPointer(segments: ["b"])))
        var count = 0
        document.forEachMember(in: inner) { _, _ in
            count += 1
            return true
        }
        #expect(count == 2)
        var elements: [String] = []
        let array: Range<Int> = try #require(document.range(of: "c", in: inner))
        document.forEachElement(in: array) {
            elements.append(document.text(in: $0).text)
            return true
        }
        #expect(elements == ["1", #""x,]""#, "{}"])
        JSONText(uncheckedBytes: Array("[]".utf8)).forEachMember { _, _ in
            Issue.record("an array has no members")
            return true
        }
    }

    @Test("damaged bytes give wrong answers, but never trap")
    func damagedBytes() {
        let seed = UInt64.random(in: .min ... .max)
        var random = RandomDocument(seed: seed)
        for _ in 0..<5000 {
            var bytes = random.value().bytes
            for _ in 0..<3 {
                let position = Int.random(in: 0..<bytes.count, using: &random.generator)
                bytes[position] = Array(#"{}[]",:\1nu"#.utf8)[Int.random(in: 0..<11, using: &random.generator)]
            }
            bytes.removeLast(Int.random(in: 0...bytes.count, using: &random.generator))
            let damaged = JSONText(uncheckedBytes: bytes)
            _ = damaged.value
            let pointer = random.pointer()
            _ = damaged.text(at: pointer)
            _ = damaged.removing(at: pointer)
            _ = damaged.replacing(at: pointer, with: .null)
            damaged.forEachMember { _, _ in true }
            damaged.forEachElement { _ in true }
        }
        let nested = JSONText(uncheckedBytes: Array(repeating: UInt8(ascii: "["), count: 1_000_000))
        _ = nested.value
    }

    @Test("escaped content becomes the string it stands for, and back")
    func strings() {
        let rows = [
            ("", ""), ("plain", "plain"), (#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{C}\n\r\t"), (#"\u0041\u00e9x"#, "Aéx"),
            (#"\ud83d\ude00"#, "😀"), ("é😀", "é😀"),
        ]
        for (escaped, expected) in rows {
            let string = Array(escaped.utf8).withUnsafeBytes { JSONText.unescape($0) }
            #expect(string == expected)
            var output: [UInt8] = []
            JSONText.writeString(expected, into: &output)
            #expect((try? JSONValue.parse(output))?.string == expected)  // `nil` fails the comparison
        }
    }
}
