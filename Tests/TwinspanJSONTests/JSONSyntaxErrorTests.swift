import Testing
import TwinspanJSON

/// One unacceptable document.
struct MalformedDocument: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let offset: Int
    let reason: JSONSyntaxError.Reason

    init(_ text: String, _ offset: Int, _ reason: JSONSyntaxError.Reason) {
        self.init(Array(text.utf8), offset, reason)
    }

    init(_ bytes: [UInt8], _ offset: Int, _ reason: JSONSyntaxError.Reason) {
        self.bytes = bytes
        self.offset = offset
        self.reason = reason
    }

    /// A string whose content is `content`; the offset counts from the opening quote.
    static func string(_ content: [UInt8], _ offset: Int, _ reason: JSONSyntaxError.Reason) -> MalformedDocument {
        MalformedDocument([0x22] + content + [0x22], offset, reason)
    }

    var testDescription: String { "\(String(decoding: bytes, as: UTF8.self)) → \(offset) \(reason)" }

    static let structure: [MalformedDocument] = [
        .init("", 0, .empty),
        .init(" \n\t\r", 4, .empty),
        .init("{", 1, .unexpectedEnd),
        .init("[", 1, .unexpectedEnd),
        .init("}", 0, .unexpectedByte),
        .init("]", 0, .unexpectedByte),
        .init(",", 0, .unexpectedByte),
        .init(":", 0, .unexpectedByte),
        .init("[1", 2, .unexpectedEnd),
        .init("[1,", 3, .unexpectedEnd),
        .init("[1,]", 3, .unexpectedByte),
        .init("[,1]", 1, .unexpectedByte),
        .init("[1 2]", 3, .unexpectedByte),
        .init("[1}", 2, .unexpectedByte),
        .init("[1:2]", 2, .unexpectedByte),
        .init("[[]", 3, .unexpectedEnd),
        .init("{]", 1, .unexpectedByte),
        .init("{1:2}", 1, .unexpectedByte),
        .init("{a:1}", 1, .unexpectedByte),
        .init("{'a':1}", 1, .unexpectedByte),
        .init(#"{"a"}"#, 4, .unexpectedByte),
        .init(#"{"a""#, 4, .unexpectedEnd),
        .init(#"{"a":"#, 5, .unexpectedEnd),
        .init(#"{"a":}"#, 5, .unexpectedByte),
        .init(#"{"a" 1}"#, 5, .unexpectedByte),
        .init(#"{"a":1"#, 6, .unexpectedEnd),
        .init(#"{"a":1,"#, 7, .unexpectedEnd),
        .init(#"{"a":1,}"#, 7, .unexpectedByte),
        .init(#"{"a":1 "b":2}"#, 7, .unexpectedByte),
        .init(#"{"a":1]"#, 6, .unexpectedByte),
        .init(#"{,"a":1}"#, 1, .unexpectedByte),
        .init("1 2", 2, .trailingBytes),
        .init("{}}", 2, .trailingBytes),
        .init("null,", 4, .trailingBytes),
        .init("[]\u{0}", 2, .trailingBytes),
        .init(#""a" "b""#, 4, .trailingBytes),
        .init("\u{FEFF}{}", 0, .unexpectedByte),
        .init("/*c*/1", 0, .unexpectedByte),
        .init("1//c", 1, .trailingBytes),
        .init("\u{B}1", 0, .unexpectedByte),
        .init("\u{A0}1", 0, .unexpectedByte),
    ]

    static let literals: [MalformedDocument] = [
        .init("nul", 3, .unexpectedEnd),
        .init("nulL", 3, .unexpectedByte),
        .init("nullx", 4, .trailingBytes),
        .init("tru", 3, .unexpectedEnd),
        .init("trye", 2, .unexpectedByte),
        .init("True", 0, .unexpectedByte),
        .init("falze", 3, .unexpectedByte),
        .init("f", 1, .unexpectedEnd),
        .init("NaN", 0, .unexpectedByte),
        .init("Infinity", 0, .unexpectedByte),
        .init("undefined", 0, .unexpectedByte),
        .init("01", 1, .invalidNumber),
        .init("-01", 2, .invalidNumber),
        .init("00", 1, .invalidNumber),
        .init("1.", 2, .invalidNumber),
        .init("1.e5", 2, .invalidNumber),
        .init(".5", 0, .unexpectedByte),
        .init("+1", 0, .unexpectedByte),
        .init("-", 1, .invalidNumber),
        .init("-a", 1, .invalidNumber),
        .init("--1", 1, .invalidNumber),
        .init("-.5", 1, .invalidNumber),
        .init("1e", 2, .invalidNumber),
        .init("1e+", 3, .invalidNumber),
        .init("1E-x", 3, .invalidNumber),
        .init("1.5e", 4, .invalidNumber),
        .init("[1.]", 3, .invalidNumber),
        .init("[-]", 2, .invalidNumber),
        .init("0x10", 1, .trailingBytes),
        .init("1_000", 1, .trailingBytes),
        .init("1.2.3", 3, .trailingBytes),
        .init("1e5.5", 3, .trailingBytes),
        .init("[1e5e5]", 4, .unexpectedByte),
    ]

    static let strings: [MalformedDocument] = [
        .init("\"", 1, .unexpectedEnd),
        .init("\"abcdefghij", 11, .unexpectedEnd),
        .init("\"a\\", 3, .unexpectedEnd),
        .init("\"a\\\"", 4, .unexpectedEnd),
        .init("'a'", 0, .unexpectedByte),
        .init("\"a\nb\"", 2, .controlCharacter),
        .init("\"\t\"", 1, .controlCharacter),
        .init("\"\u{0}\"", 1, .controlCharacter),
        .init("\"0123456789\u{1F}\"", 11, .controlCharacter),
        .init("[\"01234567\u{1}\"]", 10, .controlCharacter),
        .init(#""\x""#, 1, .invalidEscape),
        .init(#""\'""#, 1, .invalidEscape),
        .init(#""ab\U0041""#, 3, .invalidEscape),
        .init(#""\u12""#, 1, .invalidEscape),
        .init(#""\u12G4""#, 1, .invalidEscape),
        .init(#""\u"#, 3, .unexpectedEnd),
        .init(#""\u123"#, 6, .unexpectedEnd),
        .init(#""\ud800""#, 1, .loneSurrogate),
        .init(#""ab\uDFFF""#, 3, .loneSurrogate),
        .init(#""\ud800\ud800""#, 1, .loneSurrogate),
        .init(#""\ud800\u0041""#, 1, .loneSurrogate),
        .init(#""\ud800\n""#, 1, .loneSurrogate),
        .init(#""\udc00\ud800""#, 1, .loneSurrogate),
        .init(#""\ud83d\ude0""#, 7, .invalidEscape),
        .init(#""\ud83d\u"#, 9, .unexpectedEnd),
    ]

    static let encoding: [MalformedDocument] = [
        .string([0x80], 1, .invalidUTF8),  // continuation without a lead
        .string([0xBF], 1, .invalidUTF8),
        .string([0xC0, 0x80], 1, .invalidUTF8),  // overlong NUL
        .string([0xC1, 0xBF], 1, .invalidUTF8),  // overlong U+007F
        .string([0xE0, 0x80, 0x80], 1, .invalidUTF8),  // overlong
        .string([0xE0, 0x9F, 0xBF], 1, .invalidUTF8),  // overlong U+07FF
        .string([0xF0, 0x80, 0x80, 0x80], 1, .invalidUTF8),
        .string([0xF0, 0x8F, 0xBF, 0xBF], 1, .invalidUTF8),  // overlong U+FFFF
        .string([0xED, 0xA0, 0x80], 1, .invalidUTF8),  // U+D800
        .string([0xED, 0xBF, 0xBF], 1, .invalidUTF8),  // U+DFFF
        .string([0xF4, 0x90, 0x80, 0x80], 1, .invalidUTF8),  // U+110000
        .string([0xF5, 0x80, 0x80, 0x80], 1, .invalidUTF8),
        .string([0xFF], 1, .invalidUTF8),
        .string([0xFE, 0xFF], 1, .invalidUTF8),
        .string([0xC3], 1, .invalidUTF8),  // truncated by the quote
        .string([0xE2, 0x82], 1, .invalidUTF8),
        .string([0xF0, 0x9F, 0x98], 1, .invalidUTF8),
        .string([0xC3, 0x41], 1, .invalidUTF8),
        .string([0xE2, 0x82, 0x41], 1, .invalidUTF8),
        .string([0xC3, 0xA9, 0x80], 3, .invalidUTF8),  // a good character before
        .string(Array("01234567".utf8) + [0xFF], 9, .invalidUTF8),
        .init([0x22, 0xF0, 0x9F], 1, .invalidUTF8),  // truncated by the end
        .init([0x22, 0xC3], 1, .invalidUTF8),
        .init([0xC3, 0xA9], 0, .unexpectedByte),  // well-formed, but outside a string
        .init([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D], 2, .invalidUTF8),  // in a key
    ]

    static let duplicates: [MalformedDocument] = [
        .init(#"{"a":1,"a":2}"#, 7, .duplicateKey("a")),
        .init(#"{"a":1,"\u0061":2}"#, 7, .duplicateKey("a")),
        .init(#"{"":1,"b":2,"":3}"#, 12, .duplicateKey("")),
        .init(#"{"x":{"a":1,"b":2,"a":3}}"#, 18, .duplicateKey("a")),
        .init(#"[{"a":{},"b":[{"a":1}],"a":0}]"#, 23, .duplicateKey("a")),
        .init(#"{"\n":1,"\u000A":2}"#, 8, .duplicateKey("\n")),
        .init(#"{"/":1,"\/":2}"#, 7, .duplicateKey("/")),
        .init(#"{"é":1,"\u00E9":2}"#, 8, .duplicateKey("é")),
        .init(#"{"😀":1,"\ud83d\ude00":2}"#, 10, .duplicateKey("😀")),
        .init(#"{"exactly8":1,"exactly8":2}"#, 14, .duplicateKey("exactly8")),
    ]
}

@Suite struct JSONSyntaxErrorTests {
    private func expect(_ document: MalformedDocument, limits: JSONLimits = .standard) {
        let expected = JSONSyntaxError(offset: document.offset, reason: document.reason)
        #expect(throws: expected) { try JSONValue.parse(document.bytes, limits: limits) }
        #expect(throws: expected) { try JSONText(validating: document.bytes, limits: limits) }
        var output: [UInt8] = [1, 2, 3]
        #expect(throws: expected) {
            try document.bytes.withUnsafeBytes { bytes in
                try JSONText.compact(bytes, into: &output, limits: limits) { _, _ in }
            }
        }
        #expect(output == [1, 2, 3])
    }

    @Test("a broken structure is refused at the byte that breaks it", arguments: MalformedDocument.structure)
    func structure(_ document: MalformedDocument) { expect(document) }

    @Test("a misspelt literal or number is refused", arguments: MalformedDocument.literals)
    func literals(_ document: MalformedDocument) { expect(document) }

    @Test("a malformed string is refused", arguments: MalformedDocument.strings)
    func strings(_ document: MalformedDocument) { expect(document) }

    @Test("malformed UTF-8 is refused at the first byte of the character", arguments: MalformedDocument.encoding)
    func encoding(_ document: MalformedDocument) { expect(document) }

    @Test("a second member of the same key is refused, however it is written", arguments: MalformedDocument.duplicates)
    func duplicates(_ document: MalformedDocument) { expect(document) }

    @Test("duplicates are found in objects of any size", arguments: [2, 23, 24, 25, 26, 100, 3000])
    func duplicatesInLargeObjects(count: Int) throws {
        let members = (0..<count).map { "\"key-\($0)\":{\"nested\":\($0)}" }
        let text = "{" + members.joined(separator: ",") + "}"
        #expect(try JSONValue.parse(text).object?.count == count)
        for index in [0, count / 2, count - 1] {
            expect(
                MalformedDocument(
                    text.dropLast() + ",\"key-\(index)\":0}", text.utf8.count, .duplicateKey("key-\(index)")))
        }
    }

    @Test("containers may be nested up to the limit", arguments: ["[", "{\"a\":"])
    func depth(opening: String) throws {
        func document(_ depth: Int) -> String {
            String(repeating: opening, count: depth) + (opening == "[" ? "" : "1")
                + String(repeating: opening == "[" ? "]" : "}", count: depth)
        }
        let deepest = document(200)
        #expect(try JSONValue.parse(deepest).text == deepest)
        expect(MalformedDocument(document(201), 200 * opening.utf8.count, .depthExceeded))
        expect(MalformedDocument(document(100_000), 200 * opening.utf8.count, .depthExceeded))
        expect(MalformedDocument("[[1]]", 1, .depthExceeded), limits: JSONLimits(depth: 1))
        expect(MalformedDocument("[]", 0, .depthExceeded), limits: JSONLimits(depth: 0))
        #expect(try JSONValue.parse("1", limits: JSONLimits(depth: 0)) == 1)
    }

    @Test("a text above the size limit is refused unread")
    func size() throws {
        expect(MalformedDocument("[1,2]", 4, .tooLarge), limits: JSONLimits(bytes: 4))
        #expect(try JSONValue.parse("[1,2]", limits: JSONLimits(bytes: 5)) == [1, 2])
    }

    @Test("every proper prefix of a document is refused, at its end or at a broken character")
    func truncation() throws {
        let text = Array(#"{"a":[1.5e3,true,null,"\u00e9\ud83d\ude00é"],"b":{"c":""}}"#.utf8)
        _ = try JSONValue.parse(text)
        for count in 0..<text.count {
            #expect(throws: JSONSyntaxError.self) { try JSONValue.parse(Array(text[..<count])) }
        }
    }

    @Test("random damage never traps, and what is accepted is printed back as valid")
    func damage() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RandomDocument(seed: seed)
        for _ in 0..<5000 {
            var bytes = Array(random.loose(random.value()).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random.generator) where !bytes.isEmpty {
                let position = Int.random(in: 0..<bytes.count, using: &random.generator)
                bytes[position] = UInt8.random(in: .min ... .max, using: &random.generator)
            }
            let value: JSONValue
            do throws(JSONSyntaxError) {
                value = try JSONValue.parse(bytes)
            } catch {
                #expect(error.offset >= 0 && error.offset <= bytes.count, "seed \(seed)")
                continue
            }
            #expect(try JSONValue.parse(value.bytes) == value, "seed \(seed)")
        }
    }

    @Test("an error says what and where")
    func description() {
        let error = JSONSyntaxError(offset: 7, reason: .duplicateKey("a"))
        #expect(error.description == "duplicate key \"a\" at offset 7")
    }
}
