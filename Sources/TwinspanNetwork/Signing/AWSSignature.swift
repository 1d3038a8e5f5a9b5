// `aws4-hmac-sha256` (spec/connectivity-bindings.md §8.2): version 4 of the signatures of Amazon Web Services. Pure;
// the time is handed in. The steps are those of AWS's documentation, "Create a signed AWS API request".
public import TwinspanJSON

/// Signs requests for one service in one region.
public struct AWSSignature: Sendable {
    /// Whether the hash of the body is sent as a header, and signed.
    enum BodyHash: String, CaseIterable {
        /// Signed, but not sent.
        case excluded = "EXCLUDED"
        case included = "INCLUDED"
        /// Sent as `UNSIGNED-PAYLOAD`.
        case unsigned = "UNSIGNED"
    }

    /// The name under which the settings of this algorithm are known.
    public static let algorithm = "aws4-hmac-sha256"

    private let region: String
    private let service: String
    private let accessKey: String
    private let secretKey: String
    private let isPathEncodedTwice: Bool
    /// Lower case, sorted, each once.
    private let signedNames: [String]
    private let bodyHash: BodyHash

    /// Reads `region`, `service`, `accessKey`, `secretKey`, `doubleEncode`, `canonicalHeaders` and
    /// `xAmzContentSha256`.
    public init(parameters: JSONObject) throws(SigningFailure) {
        let parameters = SigningParameters(parameters)
        region = try parameters.text("region")
        service = try parameters.text("service")
        accessKey = try parameters.text("accessKey")
        secretKey = try parameters.text("secretKey")
        isPathEncodedTwice = try parameters.flag("doubleEncode", default: true)
        let word = try parameters.optionalText("xAmzContentSha256") ?? BodyHash.excluded.rawValue
        guard let bodyHash = BodyHash(rawValue: word.uppercased()) else {
            throw .invalid(parameter: "xAmzContentSha256", expected: "EXCLUDED, INCLUDED or UNSIGNED")
        }
        self.bodyHash = bodyHash
        var names = Set(try parameters.texts("canonicalHeaders", default: ["host"]).map { $0.lowercased().trimmed })
        names.remove("")
        if bodyHash != .excluded { names.insert(AWSSignature.hashName) }
        signedNames = names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// `x-amz-date`, `authorization` and, unless excluded, `x-amz-content-sha256`.
    func headers(
        for request: SignableRequest, at now: Int64
    ) throws(SigningFailure) -> [(name: String, value: String)] {
        let timestamp = UTCTime(now).basic
        let hash =
            bodyHash == .unsigned ? "UNSIGNED-PAYLOAD" : Digest.hex(try Digest.sha256(request.body))
        var added: [(name: String, value: String)] = [("x-amz-date", timestamp)]
        if bodyHash != .excluded { added.append((AWSSignature.hashName, hash)) }
        var signable = request
        signable.headers.removeAll { header in added.contains { $0.name == header.name } }
        signable.headers += added
        let scope = "\(timestamp.prefix(8))/\(region)/\(service)/aws4_request"
        let canonical = canonicalRequest(signable, hash: hash)
        let text = [
            "AWS4-HMAC-SHA256", timestamp, scope, Digest.hex(try Digest.sha256(Array(canonical.utf8))),
        ].joined(separator: "\n")
        var key = Array("AWS4\(secretKey)".utf8)
        for part in scope.split(separator: "/") { key = try Digest.hmacSHA256(key: key, Array(part.utf8)) }
        let signature = Digest.hex(try Digest.hmacSHA256(key: key, Array(text.utf8)))
        let names = signedNames.joined(separator: ";")
        added.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
            ))
        return added
    }

    private static let hashName = "x-amz-content-sha256"

    // MARK: Canonical form

    func canonicalRequest(_ request: SignableRequest, hash: String) -> String {
        var lines = [request.method, canonicalPath(request.path), Self.canonicalQuery(request.query ?? "")]
        for name in signedNames {
            let value = name == "host" ? request.host.lowercased() : request.value(of: name) ?? ""
            lines.append("\(name):\(Self.withSingleSpaces(value))")
        }
        return (lines + ["", signedNames.joined(separator: ";"), hash]).joined(separator: "\n")
    }

    private func canonicalPath(_ path: String) -> String {
        let segments = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: isPathEncodedTwice)
            .map { segment in
                let once = URIEncoding.encode(URIEncoding.decode(segment))
                return isPathEncodedTwice ? URIEncoding.encode(once.utf8) : once
            }
        let joined = segments.joined(separator: "/")
        if !isPathEncodedTwice { return joined.isEmpty ? "/" : joined }
        return segments.isEmpty ? "/" : "/" + joined + (path.hasSuffix("/") ? "/" : "")
    }

    static func canonicalQuery(_ query: String) -> String {
        let pairs = query.utf8.split(separator: UInt8(ascii: "&")).map { part -> (name: String, value: String) in
            let end = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let value = URIEncoding.decode(part[end...].dropFirst())
            // An equals sign in a value is encoded before the value is, so twice (AWS: "double-encode any equals").
            let prepared = value.flatMap { $0 == UInt8(ascii: "=") ? URIEncoding.escape($0) : [$0] }
            return (URIEncoding.encode(URIEncoding.decode(part[..<end])), URIEncoding.encode(prepared))
        }
        // All ASCII by now, so texts are ordered as their bytes are.
        return pairs.sorted { ($0.name, $0.value) < ($1.name, $1.value) }.map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }

    private static func withSingleSpaces(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
