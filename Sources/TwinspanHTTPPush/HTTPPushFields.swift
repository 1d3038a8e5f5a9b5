// The settings of an http-push connection (spec/connectivity-bindings.md §5.1), read once. Reading never fails: a value
// that `diagnose` reports is replaced by its default here, so that a connection which came past the lint still has
// defined behaviour.
public import TwinspanConnections
import TwinspanJSON
import TwinspanNetwork
import TwinspanProtocol

/// Settings of an http-push connection.
public struct HTTPPushFields: Sendable {
    /// Keys of `specificConfig` this binding knows.
    public enum Key: String, Sendable, CaseIterable {
        case parallelism
        case idleTimeout
        case omitRequestBody
    }

    /// How requests prove who sends them.
    enum Authentication: Sendable {
        case none
        /// The value of `Authorization`.
        case basic(Secret)
        case signed(RequestSigner)
        case token(OAuthSettings)
        /// The credentials cannot be used; no request can be sent.
        case unusable(String)
    }

    /// PEM texts of the client.
    struct ClientCertificate: Sendable {
        let certificate: String
        let key: Secret
    }

    /// The server, and the way to it.
    let endpoint: Endpoint
    let usesTLS: Bool
    /// What every target's path is appended to; without a slash at its end.
    let basePath: String
    let validatesCertificates: Bool
    /// PEM bundle; nil means the system's certificates.
    let trustedCertificates: String?
    let clientCertificate: ClientCertificate?
    let authentication: Authentication
    /// Requests under way at a time: a power of two, at most `maximumParallelism`. With 1 their order is kept.
    let parallelism: Int
    /// For the head of an answer, and for a connection that nobody uses.
    let idleTimeout: Duration
    /// Methods whose requests have no body.
    let methodsWithoutBody: Set<String>

    /// The methods of targets.
    static let methods = ["PUT", "PATCH", "POST", "GET", "DELETE"]
    static let secureScheme = "https"
    static let plainScheme = "http"
    /// More requests at a time than this gain nothing and would let a slow receiver hold unlimited memory.
    static let maximumParallelism = 1024
    static let defaultIdleTimeout = Duration.seconds(60)
    static let defaultMethodsWithoutBody: Set<String> = ["GET", "DELETE"]

    /// Reads the settings of a connection.
    public init(_ connection: Connection) {
        let settings = connection.specificConfig
        func text(_ key: Key) -> String? { settings[key.rawValue] }

        endpoint = Endpoint(connection)
        usesTLS = connection.uri.scheme == HTTPPushFields.secureScheme
        var path = connection.uri.path[...]
        while path.last == "/" { path.removeLast() }
        basePath = String(path)
        validatesCertificates = connection.validatesCertificates
        trustedCertificates = connection.trustedCertificates
        parallelism = text(.parallelism).flatMap(HTTPPushFields.parallelism) ?? 1
        // Nought would give no request time to be answered.
        let timeout = text(.idleTimeout).flatMap(HTTPPushFields.timeout) ?? HTTPPushFields.defaultIdleTimeout
        idleTimeout = timeout == .zero ? HTTPPushFields.defaultIdleTimeout : timeout
        methodsWithoutBody =
            text(.omitRequestBody).map { Set(HTTPPushFields.words($0)) } ?? HTTPPushFields.defaultMethodsWithoutBody
        let credentials = connection.credentials ?? JSONObject()
        clientCertificate = HTTPPushFields.clientCertificate(credentials)
        authentication = HTTPPushFields.authentication(credentials, connection)
    }

    /// The name in `uri`, which certificates are checked against.
    var host: String { endpoint.host }
    var port: Int { endpoint.port }
    /// `host:port`, for messages.
    var peer: String { endpoint.peer }

    private static func clientCertificate(_ credentials: JSONObject) -> ClientCertificate? {
        guard credentials["type"]?.string == "client-cert", let certificate = credentials["cert"]?.string,
            let key = credentials["key"]?.string
        else { return nil }
        return ClientCertificate(certificate: certificate, key: Secret(key))
    }

    private static func authentication(_ credentials: JSONObject, _ connection: Connection) -> Authentication {
        switch credentials["type"]?.string {
        case "hmac":
            do throws(SigningFailure) {
                let algorithm = credentials["algorithm"]?.string ?? ""
                let parameters = credentials["parameters"]?.object ?? JSONObject()
                return .signed(try RequestSigner(algorithm: algorithm, parameters: parameters))
            } catch {
                return .unusable(error.message)
            }
        case "oauth-client-credentials", "oauth-password":
            guard let settings = OAuthSettings(credentials, of: connection) else {
                return .unusable("The token endpoint is no URL.")
            }
            return .token(settings)
        default:
            let uri = connection.uri
            guard uri.user != nil || uri.password != nil else { return .none }
            let login = "\(uri.user ?? ""):\(uri.password?.exposed ?? "")"
            return .basic(Secret("Basic " + Base64.encode(Array(login.utf8))))
        }
    }

    // MARK: Values

    /// The next power of two; nil for what is no number above 0.
    static func parallelism(_ text: String) -> Int? {
        guard let number = Int(text), number > 0 else { return nil }
        var power = 1
        while power < min(number, maximumParallelism) { power *= 2 }
        return power
    }

    /// A duration of 0…60 s; nil for anything else.
    static func timeout(_ text: String) -> Duration? {
        guard let milliseconds = HeaderDuration.milliseconds(text), (0...60_000).contains(milliseconds) else {
            return nil
        }
        return .milliseconds(milliseconds)
    }

    /// The words of a list, separated by commas.
    static func words(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            var word = part
            while word.first == " " { word.removeFirst() }
            while word.last == " " { word.removeLast() }
            return String(word)
        }.filter { !$0.isEmpty }
    }
}
