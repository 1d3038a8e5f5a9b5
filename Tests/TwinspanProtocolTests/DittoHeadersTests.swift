import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("DittoHeaders")
struct DittoHeadersTests {
    static func headers(_ text: String) throws -> DittoHeaders {
        DittoHeaders(try #require(try JSONValue.parse(text).object))
    }

    @Test("names are compared in any case and written as they came")
    func names() throws {
        var headers = try Self.headers(#"{"Correlation-ID":"c","X-Own":"1","Content-TYPE":"t"}"#)
        #expect(headers.correlationID == "c")
        #expect(headers["x-OWN"]?.string == "1")
        headers.set("x-own", .string("2"))
        headers.set("CORRELATION-id", .string("d"))
        var bytes: [UInt8] = []
        headers.write(into: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"Correlation-ID":"d","X-Own":"2","Content-TYPE":"t"}"#)
    }

    @Test("null values are dropped")
    func nulls() throws {
        #expect(try Self.headers(#"{"a":null,"b":false}"#).entries.map(\.name) == ["b"])
    }

    @Test("every known header is found by its name, in both cases")
    func known() {
        for header in KnownHeader.allCases {
            #expect(KnownHeader.named(header.rawValue) == header)
            #expect(KnownHeader.named(header.rawValue.uppercased()) == header)
            #expect(KnownHeader.named(header.rawValue + "x") == nil)
        }
        #expect(KnownHeader.named("") == nil)
        #expect(KnownHeader.named(String(repeating: "a", count: 1000)) == nil)
    }

    static let passage: [(String, isIn: Bool, isOut: Bool)] = [
        ("correlation-id", true, true), ("my-header", true, true), ("condition", true, false),
        ("if-match", true, false),
        ("If-Equal", true, false), ("etag", false, true), ("entity-revision", false, true),
        ("ditto-originator", false, true), ("Ditto-Weak-Ack", false, true), ("ditto-auth-context", false, false),
        ("ditto-anything", false, false), ("DITTO-Sudo", false, false), ("raw-request-uri", false, false),
        ("Cache-Control", false, false), ("read-subjects", false, false), ("authorization", true, false),
        ("reply-to", true, true), ("traceparent", true, true), ("put-metadata", true, false),
        ("allow-policy-lockout", true, false), ("version", true, true), ("location", true, true),
    ]

    @Test("headers pass in and out as the table says", arguments: passage)
    func passages(name: String, isIn: Bool, isOut: Bool) throws {
        var headers = DittoHeaders()
        headers.append("first", .string("1"))
        headers.append(name, .string("x"))
        headers.append("last", .string("1"))
        #expect(headers.acceptedFromOutside().entries.contains { $0.name == name } == isIn)
        #expect(headers.deliveredToOutside().entries.contains { $0.name == name } == isOut)
        #expect(headers.acceptedFromOutside().entries.count == (isIn ? 3 : 2))
    }

    @Test("bytes are counted over names and values")
    func byteCount() throws {
        #expect(try Self.headers(#"{"ab":"cde","ü":[1,2]}"#).byteCount == 2 + 3 + 2 + 5)
    }
}
