// Where tokens come from and what is asked (spec/connectivity-bindings.md §8.1), and what an answer means. Pure.
import TwinspanConnections
import TwinspanJSON
import TwinspanNetwork
import TwinspanProtocol

/// The request for a token.
struct OAuthSettings: Sendable {
    let endpoint: HTTPEndpoint
    /// The way to it: under the same rules and through the same tunnel as the connection itself.
    let place: Endpoint
    /// The body of the request; holds secrets.
    let form: Secret

    /// Nil when the endpoint is no URL.
    init?(_ credentials: JSONObject, of connection: Connection) {
        guard let endpoint = credentials["tokenEndpoint"]?.string.flatMap({ HTTPEndpoint($0) }) else { return nil }
        self.endpoint = endpoint
        place = Endpoint(connection, host: endpoint.host, port: endpoint.port)
        let isPassword = credentials["type"]?.string == "oauth-password"
        var pairs: [(name: String, value: String)] = [
            ("grant_type", isPassword ? "password" : "client_credentials")
        ]
        for (name, field) in [
            ("client_id", "clientId"), ("scope", "requestedScopes"), ("client_secret", "clientSecret"),
            ("audience", "audience"), ("username", "username"), ("password", "password"),
        ] {
            let isOfPassword = name == "username" || name == "password"
            guard isPassword || !isOfPassword, let value = credentials[field]?.string else { continue }
            pairs.append((name, value))
        }
        form = Secret(FormEncoding.encode(pairs))
    }

    /// The token in an answer.
    func token(in answer: BrokerAnswer) throws(BrokerFailure) -> AccessToken {
        guard answer.isSuccess else {
            // 400, 401 and 403 are what RFC 6749 §5.2 has for wrong clients, secrets and scopes.
            let isRefusal = [400, 401, 403].contains(answer.status)
            throw HTTPPushFailure.tokenRequestFailed(
                endpoint.text, detail: "it answered \(answer.status)", isRefusal: isRefusal)
        }
        let type = answer.headers.first { $0.name == "content-type" }?.value ?? ""
        let mediaType = type.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard mediaType == "application/json" else {
            throw HTTPPushFailure.invalidToken(endpoint.text, detail: "its content type is '\(type.prefix(80))'")
        }
        // What is no JSON has no token either.
        guard let token = (try? JSONValue.parse(answer.body))?.object?["access_token"]?.string else {
            throw HTTPPushFailure.invalidToken(endpoint.text, detail: "it has no 'access_token'")
        }
        guard let parsed = AccessToken(token) else {
            throw HTTPPushFailure.invalidToken(endpoint.text, detail: "the token is no JWT with an expiry")
        }
        return parsed
    }
}

/// A token of JWT form. Its signature is the receiver's business.
struct AccessToken: Sendable, Equatable {
    /// Is replaced so long before it expires, in seconds.
    static let clockSkew: Int64 = 60

    let text: Secret
    /// Seconds since 1970.
    let expiry: Int64

    /// Nil when the text is not `header.claims.signature`, or the claims have no `exp`.
    init?(_ token: String) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, HTTPHeaderRules.isValue(token), !token.contains(" "),
            AccessToken.object(parts[0]) != nil, let claims = AccessToken.object(parts[1]), let time = claims["exp"]
        else { return nil }
        guard let seconds = time.int64 ?? time.double.flatMap({ Int64(exactly: $0.rounded(.down)) }) else {
            return nil
        }
        text = Secret(token)
        expiry = seconds
    }

    /// Whether it can still be sent.
    /// - Parameter now: seconds since 1970.
    func isFresh(at now: Int64) -> Bool {
        now < expiry.subtractingReportingOverflow(AccessToken.clockSkew).partialValue
    }

    private static func object(_ part: Substring) -> JSONObject? {
        let standard = part.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        // A part that is no JSON makes the token invalid, whatever is wrong with it.
        return Base64.decode(String(standard)).flatMap { try? JSONValue.parse($0) }?.object
    }
}
