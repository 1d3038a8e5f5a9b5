import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanHTTPPush

@Suite("http-push settings")
struct HTTPPushFieldsTests {
    private static func connection(
        uri: String = "https://host.example:443", address: String = "POST:/a", settings: [String: String] = [:],
        credentials: JSONObject? = nil, headers: [String] = [], sources: [Source] = []
    ) throws -> Connection {
        Connection(
            id: try ConnectionID("push"), type: .httpPush, isOpen: true, uri: try ConnectionURI.parse(uri),
            sources: sources,
            targets: [
                Target(
                    address: try PlaceholderTemplate.parse(address, scope: .address), topics: [],
                    authorizationContext: ["a:b"],
                    headerMapping: try headers.map {
                        HeaderMapping(name: $0, template: try PlaceholderTemplate.parse("x", scope: .headerMapping))
                    })
            ], specificConfig: settings, credentials: credentials)
    }

    @Test("the defaults are Ditto's")
    func defaults() throws {
        let fields = HTTPPushFields(try Self.connection())
        #expect(fields.usesTLS && fields.parallelism == 1 && fields.idleTimeout == .seconds(60))
        #expect(fields.methodsWithoutBody == ["GET", "DELETE"] && fields.basePath == "")
        #expect(try HTTPPushFields.diagnose(Self.connection()).isEmpty)
    }

    @Test(
        "settings that are wrong are reported with their place",
        arguments: [
            ("parallelism", "0", false), ("parallelism", "-1", false), ("parallelism", "two", false),
            ("parallelism", "3", true), ("parallelism", "5000", true), ("idleTimeout", "61s", false),
            ("idleTimeout", "soon", false), ("idleTimeout", "-1s", false), ("omitRequestBody", "GET,FETCH", false),
            ("omitRequestBody", "get", false),
        ])
    func settings(_ key: String, _ value: String, _ isWarning: Bool) throws {
        let problems = HTTPPushFields.diagnose(try Self.connection(settings: [key: value]))
        #expect(problems.map(\.path) == ["/specificConfig/\(key)"])
        #expect(problems.map(\.isWarning) == [isWarning])
    }

    @Test(
        "settings that are right are taken",
        arguments: [("parallelism", "4"), ("idleTimeout", "0"), ("idleTimeout", "60s"), ("omitRequestBody", "")])
    func accepted(_ key: String, _ value: String) throws {
        #expect(HTTPPushFields.diagnose(try Self.connection(settings: [key: value])).isEmpty)
    }

    @Test(
        "addresses name a method in capitals",
        arguments: [
            ("POST:/a", true), ("GET:?a=b", true), ("DELETE:", true), ("PATCH:{{ thing:id }}", true),
            ("post:/a", false), ("FETCH:/a", false), ("/a", false), ("HEAD:/a", false), ("OPTIONS:/a", false),
        ])
    func addresses(_ address: String, _ isValid: Bool) throws {
        let problems = HTTPPushFields.diagnose(try Self.connection(address: address))
        #expect(problems.map(\.path) == (isValid ? [] : ["/targets/0/address"]))
    }

    @Test("sources, foreign schemes and impossible headers are reported")
    func others() throws {
        let source = Source(addresses: ["a"], authorizationContext: [])
        #expect(HTTPPushFields.diagnose(try Self.connection(sources: [source])).map(\.path) == ["/sources"])
        #expect(HTTPPushFields.diagnose(try Self.connection(uri: "tcp://h:1")).map(\.path) == ["/uri"])
        let headers = HTTPPushFields.diagnose(
            try Self.connection(headers: ["x-device", "http.path", "content-length", "x y"]))
        #expect(headers.map(\.path) == ["/targets/0/headerMapping/content-length", "/targets/0/headerMapping/x y"])
        #expect(headers.map(\.isWarning) == [true, false])
    }

    @Test(
        "parameters of HMAC are checked; a key that is not Base64 is a warning",
        arguments: [
            (["workspaceId": "w"], "/credentials/parameters/sharedKey", false),
            (["workspaceId": 5, "sharedKey": "aaaa"], "/credentials/parameters/workspaceId", false),
            (["workspaceId": "w", "sharedKey": "no!"], "/credentials/parameters/sharedKey", true),
        ] as [(JSONValue, String, Bool)])
    func parameters(_ parameters: JSONValue, _ path: String, _ isWarning: Bool) throws {
        let credentials: JSONObject = [
            "type": "hmac", "algorithm": "az-monitor-2016-04-01", "parameters": parameters,
        ]
        let problems = HTTPPushFields.diagnose(try Self.connection(credentials: credentials))
        #expect(problems.map(\.path) == [path] && problems.map(\.isWarning) == [isWarning])
    }

    @Test(
        "URLs of token endpoints are read",
        arguments: [
            ("https://id.example/token", "https://id.example/token", 443),
            ("http://id.example:8080?a=b", "http://id.example:8080/", 8080),
            ("HTTPS://[::1]:9/x", "https://[::1]:9/x", 9), ("https://id.example", "https://id.example/", 443),
        ])
    func endpoint(_ url: String, _ text: String, _ port: Int) {
        let endpoint = HTTPEndpoint(url)
        #expect(endpoint?.text == text && endpoint?.port == port)
    }

    @Test(
        "what is no URL of HTTP is none",
        arguments: ["", "id.example", "ftp://id.example", "https://", "https://u@h/", "http://h:0", "http://h:x/"])
    func noEndpoint(_ url: String) {
        #expect(HTTPEndpoint(url) == nil)
    }
}
