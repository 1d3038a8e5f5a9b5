import HTTPTypes
import Testing
import TwinspanProtocol

@testable import TwinspanHTTP

@Suite("Request target")
struct RequestTargetTests {
    @Test(
        "a path is split as it was sent",
        arguments: [
            ("/", [""]), ("/a", ["a"]), ("/a/", ["a", ""]), ("//a", ["", "a"]), ("/a//b", ["a", "", "b"]),
            ("/a%2Fb/c?d=/e", ["a%2Fb", "c"]), ("/a#/b", ["a"]), ("http://host/a/b?c", ["a", "b"]), ("http://host", []),
            ("", []), ("*", []),
        ])
    func splits(_ row: (target: String, segments: [String])) {
        let target = RequestTarget(row.target)
        #expect((0..<target.count).map { target.raw($0) } == row.segments)
    }

    @Test(
        "each segment is decoded once",
        arguments: [
            ("/a%2Fb", "a/b"), ("/%2525", "%25"), ("/a+b", "a+b"), ("/%C3%BC", "ü"), ("/%e2%82%ac", "€"),
        ])
    func decodes(_ row: (target: String, text: String)) throws {
        #expect(try RequestTarget(row.target).segment(0) == row.text)
    }

    @Test("what decodes to no text is refused", arguments: ["/%", "/%2", "/%G0", "/%FF", "/a%C3", "/%ED%A0%80"])
    func refuses(_ target: String) {
        #expect(throws: HTTPErrors.targetInvalid) { try RequestTarget(target).segment(0) }
    }

    @Test(
        "parameters keep their order; plus is a space",
        arguments: [
            ("/a", [String]()), ("/a?", []), ("/a?b", ["b="]), ("/a?b=c&b=d", ["b=c", "b=d"]), ("/a?b=c=d", ["b=c=d"]),
            ("/a?x+y=a+b%2B", ["x y=a b+"]), ("/a?b=1#c=2", ["b=1"]), ("/a?&&b=1", ["b=1"]),
        ])
    func parameters(_ row: (target: String, parameters: [String])) throws {
        let parameters = try RequestTarget(row.target).parameters()
        #expect(parameters.map { "\($0.name)=\($0.value)" } == row.parameters)
    }
}

@Suite("Command headers")
struct CommandHeadersTests {
    @Test(
        "timeouts are read with their units",
        arguments: [
            ("0", 0), ("10", 10_000), ("10s", 10_000), ("500ms", 500), ("1m", 60_000), ("60", 60_000), ("0h", 0),
        ])
    func timeouts(_ row: (text: String, milliseconds: Int)) throws {
        #expect(try CommandHeaders.duration(row.text) == .milliseconds(row.milliseconds))
    }

    @Test(
        "other timeouts are refused",
        arguments: ["", "s", "-1", "+1", "1.5", "1 s", "61", "2m", "1h", "60001ms", "99999999999"])
    func refused(_ text: String) {
        #expect(throws: TwinspanError.self) { try CommandHeaders.duration(text) }
    }

    @Test("credentials and the fields of the exchange never become headers of a command")
    func secrets() throws {
        let fields = RequestFields([
            .authorization: "Basic x", .cookie: "a=b", .contentLength: "3", .userAgent: "curl", .ifMatch: "\"rev:1\"",
            .contentType: "application/json",
        ])
        let headers = try CommandHeaders(
            fields, [("condition", "eq(attributes/a,1)")], correlationID: "c", isModifying: true)
        #expect(
            headers.headers.entries.map(\.name).sorted() == ["condition", "correlation-id", "if-match", "user-agent"])
        let reading = try CommandHeaders(fields, [], correlationID: "c", isModifying: false)
        #expect(reading.headers.entries.map(\.name) == ["if-match"])
    }
}
