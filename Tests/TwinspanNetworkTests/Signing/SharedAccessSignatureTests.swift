import Testing
import TwinspanJSON

@testable import TwinspanNetwork

@Suite("shared access signatures")
struct SharedAccessSignatureTests {
    private static let hub: JSONObject = [
        "sharedKeyName": "iothubowner", "sharedKey": "c2VjcmV0IGtleSBvZiB0aGUgaHVi",
        "endpoint": "hub.azure-devices.net",
    ]
    private static let hubToken =
        "sr=hub.azure-devices.net&sig=4rLx%2B2sxCLj5JnEGuE%2BoBQ46%2BM3%2FGYVtMyxywjAnEu0%3D&se=1441542960"
        + "&skn=iothubowner"

    @Test("a token names resource, signature, expiry and key, as computed independently")
    func token() throws {
        #expect(try SharedAccessSignature(parameters: Self.hub).token(at: 1_440_938_160) == Self.hubToken)
        let bus = try SharedAccessSignature(
            parameters: [
                "sharedKeyName": "Root", "sharedKey": "c2VjcmV0IGtleSBvZiB0aGUgaHVi",
                "endpoint": "sb://ns.servicebus.windows.net/a b", "ttl": "1h",
            ])
        #expect(
            try bus.token(at: 1_440_938_160)
                == "sr=sb%3A%2F%2Fns.servicebus.windows.net%2Fa+b"
                + "&sig=Q4f2o4t57c86M%2BSmRcdnzV0RHarENlYbQcxo3mf2a0I%3D&se=1440941760&skn=Root")
        #expect(bus.lifetime == .seconds(3600))
    }

    @Test("the login of AMQP names key and hub")
    func login() throws {
        let login = try SharedAccessSignature(parameters: Self.hub).login(at: 1_440_938_160)
        #expect(login.user == "iothubowner@sas.root.hub")
        #expect(login.password == "SharedAccessSignature " + Self.hubToken)
    }

    @Test("HTTP requests carry it as authorization")
    func header() throws {
        let signer = try RequestSigner(algorithm: "az-sasl", parameters: Self.hub)
        let headers = try signer.headers(
            for: SignableRequest(method: "POST", host: "h", path: "/"), at: 1_440_938_160)
        #expect(headers.map(\.name) == ["authorization"])
        #expect(headers[0].value == "SharedAccessSignature " + Self.hubToken)
    }

    @Test(
        "parameters that are missing or wrong are named",
        arguments: [
            ("sharedKeyName", nil, .missing(parameter: "sharedKeyName")),
            ("sharedKey", nil, .missing(parameter: "sharedKey")),
            ("sharedKey", "no base64!", .keyNotBase64(parameter: "sharedKey")),
            ("sharedKey", 5, .invalid(parameter: "sharedKey", expected: "text that is not empty")),
            ("endpoint", nil, .missing(parameter: "endpoint")),
            ("endpoint", "", .invalid(parameter: "endpoint", expected: "text that is not empty")),
            (
                "ttl", "soon",
                .invalid(parameter: "ttl", expected: "a duration of at least a second, such as 7d")
            ),
            ("ttl", 7, .invalid(parameter: "ttl", expected: "text")),
        ] as [(String, JSONValue?, SigningFailure)])
    func invalid(_ name: String, _ value: JSONValue?, _ expected: SigningFailure) {
        var parameters = Self.hub
        parameters[name] = value ?? .null
        #expect(throws: expected) { try SharedAccessSignature(parameters: parameters) }
    }
}
