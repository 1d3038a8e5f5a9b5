// `az-sasl` (spec/connectivity-bindings.md §8.2): the shared access signature of Azure IoT Hub and Service Bus. HTTP
// requests carry it in a header, AMQP 1.0 connections as the password of SASL PLAIN. Pure; the time is handed in.
public import TwinspanJSON
import TwinspanProtocol

/// Makes shared access signatures.
public struct SharedAccessSignature: Sendable {
    /// User and password of SASL PLAIN.
    public struct Login: Sendable, Equatable {
        /// `<name>@sas.root.<hub>`.
        public var user: String
        /// `SharedAccessSignature <token>`; a secret.
        public var password: String
    }

    /// The name under which the settings of this algorithm are known.
    public static let algorithm = "az-sasl"

    private let keyName: String
    private let key: [UInt8]
    private let endpoint: String
    private let secondsToLive: Int64

    /// Reads `sharedKeyName`, `sharedKey` (Base64), `endpoint` and `ttl` (`7d` unless given).
    public init(parameters: JSONObject) throws(SigningFailure) {
        let parameters = SigningParameters(parameters)
        keyName = try parameters.text("sharedKeyName")
        let encodedKey = try parameters.text("sharedKey")
        endpoint = try parameters.text("endpoint")
        let lifetime = try parameters.optionalText("ttl") ?? "7d"
        guard let milliseconds = HeaderDuration.milliseconds(lifetime), milliseconds >= 1000,
            milliseconds < 1 << 53
        else { throw .invalid(parameter: "ttl", expected: "a duration of at least a second, such as 7d") }
        secondsToLive = milliseconds / 1000
        guard let key = Base64.decode(encodedKey) else { throw .keyNotBase64(parameter: "sharedKey") }
        self.key = key
    }

    /// How long a signature lasts, in seconds; a connection that logs in with it has to be made anew by then.
    public var lifetime: Duration { .seconds(secondsToLive) }

    /// `sr=…&sig=…&se=…&skn=…`.
    /// - Parameter now: seconds since 1970.
    public func token(at now: Int64) throws(SigningFailure) -> String {
        let resource = FormEncoding.encode(endpoint)
        let expiry = now + secondsToLive
        let signature = try Digest.hmacSHA256(key: key, Array("\(resource)\n\(expiry)".utf8))
        return "sr=\(resource)&sig=\(FormEncoding.encode(Base64.encode(signature)))&se=\(expiry)&skn=\(keyName)"
    }

    /// The value of `Authorization` for HTTP, which is the password of AMQP as well.
    /// - Parameter now: seconds since 1970.
    public func authorization(at now: Int64) throws(SigningFailure) -> String {
        "SharedAccessSignature " + (try token(at: now))
    }

    /// Who logs in by SASL PLAIN.
    /// - Parameter now: seconds since 1970.
    public func login(at now: Int64) throws(SigningFailure) -> Login {
        let suffix = ".azure-devices.net"
        let hub = endpoint.hasSuffix(suffix) ? String(endpoint.dropLast(suffix.count)) : endpoint
        return Login(user: "\(keyName)@sas.root.\(hub)", password: try authorization(at: now))
    }
}
