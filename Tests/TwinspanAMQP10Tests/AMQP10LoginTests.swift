import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanAMQP10

@Suite("AMQP 1.0 login")
struct AMQP10LoginTests {
    private func login(_ credentials: JSONObject?, user: String? = nil) throws -> AMQP10Login {
        AMQP10Login(
            Connection(
                id: try ConnectionID("c"), type: .amqp10, isOpen: true,
                uri: ConnectionURI(scheme: "amqp", user: user, password: user.map { Secret($0) }, host: "h", port: 1),
                sources: [], targets: [], credentials: credentials))
    }

    private func signing(_ algorithm: String = "az-sasl", key: String = "c2VjcmV0") -> JSONObject {
        let parameters: JSONValue = [
            "sharedKeyName": "owner", "sharedKey": .string(key), "endpoint": "plant.azure-devices.net",
        ]
        return ["type": "hmac", "algorithm": .string(algorithm), "parameters": parameters]
    }

    @Test("a user logs in as himself, nobody as nobody")
    func plain() throws {
        let user = try login(nil, user: "twins")
        #expect(user.mechanism(allowed: nil) == "PLAIN")
        #expect(try user.credentials(at: 0) == ("twins", "twins"))
        #expect(try login(nil).mechanism(allowed: nil) == "ANONYMOUS")
    }

    @Test("a shared key makes a login that lasts from the moment it is asked for")
    func signed() throws {
        let login = try login(signing())
        let (user, password) = try login.credentials(at: 1_000)
        #expect(login.mechanism(allowed: nil) == "PLAIN" && user == "owner@sas.root.plant")
        #expect(password?.hasPrefix("SharedAccessSignature sr=plant.azure-devices.net&sig=") == true)
        #expect(password?.hasSuffix("&se=\(1_000 + 7 * 86_400)&skn=owner") == true)
    }

    @Test(
        "a shared key that cannot be used lets nobody in, and says why",
        arguments: [("az-sasl", "no base64!", "sharedKey"), ("aws4-hmac-sha256", "c2VjcmV0", "algorithm")])
    func unusable(algorithm: String, key: String, place: String) throws {
        let login = try login(signing(algorithm, key: key))
        #expect(login.mechanism(allowed: nil) == "PLAIN")
        let failure = #expect(throws: BrokerFailure.self) { try login.credentials(at: 0) }
        #expect(failure?.reason == "bad-credentials" && failure?.reaction == .misconfigured)
        #expect(failure?.hint?.contains(place) == true && failure?.message.contains(key) == false, "\(failure as Any)")
    }
}
