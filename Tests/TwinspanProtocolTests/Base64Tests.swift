import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("Base64 and payloads of messages")
struct Base64Tests {
    static let pairs: [(String, String)] = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]

    @Test("the vectors of RFC 4648", arguments: pairs)
    func rfc(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
        #expect(Base64.decode(String(encoded.filter { $0 != "=" })) == Array(plain.utf8))
    }

    @Test("every byte in every place comes back")
    func roundTrip() {
        for length in 0..<260 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7 + length) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test(
        "other text is no Base64",
        arguments: [
            "A", "AAAAA", "AA=", "AAA==", "A===", "====", "=", "AA==AA==", "A A=", "AA\n", "-_8=", "hello world", "Ä",
            "Zm9v=",
        ])
    func illegal(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    static let forms: [(String?, MessagePayload)] = [
        (nil, .base64), ("", .base64), ("application/octet-stream", .base64), ("image/png", .base64),
        ("application/json", .json), ("APPLICATION/JSON; charset=utf-8", .json),
        ("application/merge-patch+json", .json), ("application/vnd.eclipse.ditto+json", .json),
        ("application/jsonx", .base64), ("image/x+json", .base64), ("json", .base64), ("text/plain", .text),
        ("text/html;charset=x", .text), ("application/javascript", .text), ("application/ecmascript", .text),
        ("application/x+javascript", .text), ("application/xml", .base64),
    ]

    @Test("the content type decides over the form", arguments: forms)
    func form(contentType: String?, form: MessagePayload) {
        #expect(MessagePayload(contentType: contentType) == form)
    }

    static let values: [(MessagePayload, String, String)] = [
        (.json, #"{"a":[1,"é"]}"#, #"{"a":[1,"é"]}"#), (.json, #""text""#, #""text""#),
        (.text, #""a\n\u00e9""#, "a\né"),
        (.text, #"{"not":"text"}"#, #"{"not":"text"}"#), (.base64, #""Zm9v""#, "foo"), (.base64, #""Zm9v!""#, "Zm9v!"),
        (.base64, "17", "17"), (.base64, #""""#, ""),
    ]

    @Test("a value stands for bytes", arguments: values)
    func bytes(form: MessagePayload, value: String, expected: String) throws {
        let text = try JSONText(validating: Array(value.utf8))
        #expect(String(decoding: form.bytes(of: text), as: UTF8.self) == expected)
    }

    @Test("bytes become the value of their form")
    func value() throws {
        #expect(try MessagePayload.json.value(of: Array(#" {"a": 1} "#.utf8))?.text == #"{"a":1}"#)
        #expect(try MessagePayload.text.value(of: Array("a\"b".utf8))?.text == #""a\"b""#)
        #expect(try MessagePayload.base64.value(of: [0, 255])?.text == #""AP8=""#)
        #expect(try MessagePayload.json.value(of: []) == nil)
        #expect(throws: TwinspanError.self) { try MessagePayload.json.value(of: Array("{".utf8)) }
    }
}
