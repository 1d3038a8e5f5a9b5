import Testing
import TwinspanJSON

@testable import TwinspanNetwork

@Suite("signed requests")
struct RequestSignerTests {
    /// The credentials and the moment of AWS's own test suite.
    private static let suite: JSONObject = [
        "region": "us-east-1", "service": "service", "accessKey": "AKIDEXAMPLE",
        "secretKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "canonicalHeaders": ["host", "x-amz-date"],
    ]
    private static let now: Int64 = 1_440_938_160
    private static let start =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let method: String
        let path: String
        let query: String?
        let signature: String
        /// The suite writes paths unencoded, so what it signs is the path encoded once.
        var isTwice = true
    }

    @Test(
        "requests of AWS's test suite have its signatures",
        arguments: [
            Row(
                testDescription: "get-vanilla", method: "GET", path: "/", query: nil,
                signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            Row(
                testDescription: "post-vanilla", method: "POST", path: "/", query: nil,
                signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            Row(
                testDescription: "get-vanilla-query-order-key-case", method: "GET", path: "/",
                query: "Param2=value2&Param1=value1",
                signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
            Row(
                testDescription: "get-utf8", method: "GET", path: "/%E1%88%B4", query: nil,
                signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", isTwice: false),
            Row(
                testDescription: "get-space", method: "GET", path: "/example%20space/", query: nil,
                signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", isTwice: false),
            // Computed by botocore, which encodes the path it sends once more.
            Row(
                testDescription: "utf8, encoded twice", method: "GET", path: "/%E1%88%B4", query: nil,
                signature: "697b34846207a3f72246f99d74ae1ee4fe54f44bb06730c58a0d339eb079596d"),
            Row(
                testDescription: "space, encoded twice", method: "GET", path: "/example%20space/", query: nil,
                signature: "446b817944c553435b35e813c261ff4e161fff982d1bacdef1c87f6785dd1662"),
            Row(
                testDescription: "get-slashes", method: "GET", path: "//example//", query: nil,
                signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        ])
    func aws(_ row: Row) throws {
        var parameters = Self.suite
        parameters["doubleEncode"] = .bool(row.isTwice)
        let signer = try RequestSigner(algorithm: "aws4-hmac-sha256", parameters: parameters)
        let request = SignableRequest(
            method: row.method, host: "example.amazonaws.com", path: row.path, query: row.query)
        let headers = try signer.headers(for: request, at: Self.now)
        #expect(headers.map(\.name) == ["x-amz-date", "authorization"])
        #expect(headers[0].value == "20150830T123600Z")
        #expect(headers[1].value == Self.start + "SignedHeaders=host;x-amz-date, Signature=\(row.signature)")
    }

    @Test(
        "queries are decoded, encoded and sorted",
        arguments: [
            ("", ""), ("b=2&a=1", "a=1&b=2"), ("a=2&a=1", "a=1&a=2"), ("a", "a="), ("a=b=c", "a=b%253Dc"),
            ("a=b%3Dc", "a=b%253Dc"), ("a=%e4&Z=x%20y", "Z=x%20y&a=%E4"), ("k=~-._*/", "k=~-._%2A%2F"),
            ("a=%zz", "a=%25zz"),
        ])
    func query(_ query: String, _ expected: String) {
        #expect(AWSSignature.canonicalQuery(query) == expected)
    }

    @Test(
        "paths are encoded twice, or once as S3 has it",
        arguments: [
            ("", "/", "/"), ("/", "/", "/"), ("/a//b/", "/a/b/", "/a//b/"), ("/a%20b", "/a%2520b", "/a%20b"),
            ("/a:b*c", "/a%253Ab%252Ac", "/a%3Ab%2Ac"),
        ])
    func path(_ path: String, _ twice: String, _ once: String) throws {
        for (isTwice, expected) in [(true, twice), (false, once)] {
            var parameters = Self.suite
            parameters["doubleEncode"] = .bool(isTwice)
            let request = SignableRequest(method: "GET", host: "h", path: path)
            let text = try AWSSignature(parameters: parameters).canonicalRequest(request, hash: "x")
            #expect(text.split(separator: "\n", omittingEmptySubsequences: false)[1] == expected)
        }
    }

    @Test("the canonical headers are sorted, in lower case, without runs of spaces, and the body's hash joins them")
    func canonicalHeaders() throws {
        var parameters = Self.suite
        parameters["canonicalHeaders"] = [" X-B ", "host", "Content-Type", "host", "absent"]
        parameters["xAmzContentSha256"] = "unsigned"
        let request = SignableRequest(
            method: "PUT", host: "Example.org", path: "/p", query: "q=1",
            headers: [
                ("x-b", "  two   words "), ("content-type", "text/plain; charset=UTF-8"), ("x-b", "more"),
                ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ], body: [1])
        let signature = try AWSSignature(parameters: parameters)
        #expect(
            signature.canonicalRequest(request, hash: "UNSIGNED-PAYLOAD") == """
                PUT
                /p
                q=1
                absent:
                content-type:text/plain; charset=UTF-8
                host:example.org
                x-amz-content-sha256:UNSIGNED-PAYLOAD
                x-b:two words ,more

                absent;content-type;host;x-amz-content-sha256;x-b
                UNSIGNED-PAYLOAD
                """)
        let added = try signature.headers(for: request, at: Self.now)
        #expect(added.map(\.name) == ["x-amz-date", "x-amz-content-sha256", "authorization"])
        #expect(added[1].value == "UNSIGNED-PAYLOAD")
    }

    @Test("the hash of the body is sent when it is included")
    func included() throws {
        var parameters = Self.suite
        parameters["xAmzContentSha256"] = "INCLUDED"
        let request = SignableRequest(method: "PUT", host: "h", path: "/", body: Array("abc".utf8))
        let added = try AWSSignature(parameters: parameters).headers(for: request, at: Self.now)
        #expect(added[1].value == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("requests to Azure Monitor are signed as computed independently")
    func azureMonitor() throws {
        let signer = try RequestSigner(
            algorithm: "az-monitor-2016-04-01",
            parameters: ["workspaceId": "workspace", "sharedKey": "c2VjcmV0IGtleSBvZiB0aGUgaHVi"])
        let request = SignableRequest(
            method: "POST", host: "h", path: "/api/logs", query: "api-version=2016-04-01",
            headers: [("content-type", "application/json")], body: Array("{\"a\":1}".utf8))
        let headers = try signer.headers(for: request, at: Self.now)
        #expect(headers.map(\.name) == ["x-ms-date", "authorization"])
        #expect(headers[0].value == "Sun, 30 Aug 2015 12:36:00 GMT")
        #expect(headers[1].value == "SharedKey workspace:7A9cSqVguSRSSX2nOzZVp2djsYxckPHDTQQVU7ucjOo=")
    }

    @Test(
        "parameters that are missing or wrong are named, and no key is quoted",
        arguments: [
            ("aws4-hmac-sha256", "region", nil), ("aws4-hmac-sha256", "service", nil),
            ("aws4-hmac-sha256", "accessKey", nil), ("aws4-hmac-sha256", "secretKey", nil),
            ("aws4-hmac-sha256", "secretKey", 5), ("aws4-hmac-sha256", "doubleEncode", "yes"),
            ("aws4-hmac-sha256", "canonicalHeaders", "host"), ("aws4-hmac-sha256", "canonicalHeaders", [1]),
            ("aws4-hmac-sha256", "xAmzContentSha256", "MAYBE"), ("az-monitor-2016-04-01", "workspaceId", nil),
            ("az-monitor-2016-04-01", "sharedKey", "!!!"), ("az-monitor-2016-04-01", "sharedKey", nil),
        ] as [(String, String, JSONValue?)])
    func invalid(_ algorithm: String, _ name: String, _ value: JSONValue?) throws {
        var parameters = Self.suite
        parameters["workspaceId"] = "w"
        parameters["sharedKey"] = "c2VjcmV0"
        parameters[name] = value ?? .null
        let failure = try #require(throws: SigningFailure.self) {
            _ = try RequestSigner(algorithm: algorithm, parameters: parameters)
        }
        #expect(failure.parameter == name)
        #expect(!failure.message.contains("wJalr") && failure.message.contains(name))
    }

    @Test("an algorithm nobody knows is refused")
    func unknown() {
        #expect(throws: SigningFailure.unknownAlgorithm("rot13")) {
            _ = try RequestSigner(algorithm: "rot13", parameters: [:])
        }
    }

    @Test(
        "forms are encoded as browsers do it",
        arguments: [("a b", "a+b"), ("ä&=/", "%C3%A4%26%3D%2F"), ("x.-*_~", "x.-*_%7E"), ("", "")])
    func form(_ text: String, _ expected: String) {
        #expect(FormEncoding.encode(text) == expected)
    }
}
