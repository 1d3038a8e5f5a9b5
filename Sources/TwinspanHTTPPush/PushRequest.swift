// From a message of the queue to an HTTP request (spec/connectivity-bindings.md §5.2). Pure.
import TwinspanConnections
import TwinspanNetwork

/// A request as it goes to the server.
struct PushRequest: Sendable {
    let method: String
    /// Percent-encoded; begins with `/`.
    let path: String
    /// Percent-encoded, without `?`.
    let query: String?
    /// Names in lower case.
    let headers: [(name: String, value: String)]
    /// Nil when the request has no body at all.
    let body: [UInt8]?

    /// What is asked of the server: path and query.
    var target: String { query.map { "\(path)?\($0)" } ?? path }

    /// Whether the same request may be sent twice and does no more than once (RFC 9110 §9.2.2).
    var isIdempotent: Bool { method != "POST" && method != "PATCH" }

    /// - Parameters:
    ///   - token: the bearer token, where there is one.
    ///   - now: seconds since 1970, for signatures.
    init(
        _ message: OutboundMessage, fields: HTTPPushFields, token: String?, now: Int64
    ) throws(PublishRefusal) {
        guard let address = PushAddress(message.address) else {
            throw PublishRefusal(
                reason: "invalid-topic",
                detail: "The address '\(message.address.prefix(120))' is not of the form METHOD:path, with one of "
                    + HTTPPushFields.methods.joined(separator: ", ") + ".", status: 400)
        }
        method = address.method
        let hasBody = !fields.methodsWithoutBody.contains(address.method)
        let bytes = hasBody ? message.payload : []
        var path = fields.basePath + address.path
        var query = address.query
        var sent: [(name: String, value: String)] = []
        var contentType: String?
        for header in message.headers {
            try PushRequest.check(header)
            let name = header.name.lowercased()
            switch name {
            case "http.path": path = PushAddress.path(header.value)
            case "http.query": query = PushAddress.encodedQuery(header.value)
            case "content-type": contentType = header.value
            case _ where HTTPHeaderRules.ownNames.contains(name): continue
            default: sent.append((name, header.value))
            }
        }
        if path.isEmpty { path = "/" }
        if hasBody {
            let assumed = message.isBinary ? "application/octet-stream" : "text/plain; charset=UTF-8"
            sent.append(("content-type", contentType ?? assumed))
        }
        if !sent.contains(where: { $0.name == "host" }) { sent.append(("host", fields.hostHeader)) }
        let signable = SignableRequest(
            method: method, host: fields.host, path: path, query: query, headers: sent, body: bytes)
        let added = try PushRequest.credentials(fields.authentication, token: token, for: signable, now: now)
        sent.removeAll { header in added.contains { $0.name == header.name } }
        self.path = path
        self.query = query
        headers = sent + added
        body = hasBody ? bytes : nil
    }

    /// A request that is made up here.
    /// - Parameter target: path and query, percent-encoded.
    init(method: String, target: String, headers: [(name: String, value: String)], body: [UInt8]?) {
        let mark = target.firstIndex(of: "?")
        self.method = method
        path = String(target[..<(mark ?? target.endIndex)])
        query = mark.map { String(target[target.index(after: $0)...]) }
        self.headers = headers
        self.body = body
    }

    private static func check(_ header: (name: String, value: String)) throws(PublishRefusal) {
        let isPseudo = header.name == "http.path" || header.name == "http.query"
        guard isPseudo || HTTPHeaderRules.isName(header.name), HTTPHeaderRules.isValue(header.value) else {
            throw PublishRefusal(
                reason: "invalid-header",
                detail: "The header '\(header.name.prefix(80))' cannot be sent: its name or value has characters that "
                    + "HTTP does not admit.", status: 400)
        }
    }

    private static func credentials(
        _ authentication: HTTPPushFields.Authentication, token: String?, for request: SignableRequest, now: Int64
    ) throws(PublishRefusal) -> [(name: String, value: String)] {
        switch authentication {
        case .none: return []
        case .basic(let login): return [("authorization", login.exposed)]
        case .token: return token.map { [("authorization", "Bearer \($0)")] } ?? []
        case .signed(let signer):
            do throws(SigningFailure) {
                return try signer.headers(for: request, at: now)
            } catch {
                throw PublishRefusal(reason: "bad-credentials", detail: error.message, status: 400)
            }
        case .unusable(let problem):
            throw PublishRefusal(reason: "bad-credentials", detail: problem, status: 400)
        }
    }
}

/// What may stand in a header.
enum HTTPHeaderRules {
    /// Headers that belong to the connection or are computed; mapped ones are not sent.
    static let ownNames: Set<String> = [
        "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]

    /// Whether a text is a token (RFC 9110 §5.6.2).
    static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// Whether a text has no control characters, so that it cannot end its line.
    static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
    }
}

extension HTTPPushFields {
    /// The name for people and virtual hosts, whatever address is dialled.
    var hostHeader: String {
        HTTPEndpoint(isSecure: usesTLS, host: host, port: port, target: "/").hostHeader
    }
}
