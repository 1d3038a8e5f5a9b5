// An HTTP request as far as signatures cover it, and the choice of the algorithm (spec/connectivity-bindings.md §8.2).
public import TwinspanJSON

/// What a signature is computed over.
public struct SignableRequest: Sendable {
    /// In upper case.
    public var method: String
    /// Without port.
    public var host: String
    /// As it is sent, percent-encoded; empty stands for `/`.
    public var path: String
    /// As it is sent, without `?`; nil when there is none.
    public var query: String?
    /// Names in lower case, values as they are sent.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]

    public init(
        method: String, host: String, path: String, query: String? = nil,
        headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.host = host
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The values of a header, joined by commas; nil when it is absent.
    func value(of name: String) -> String? {
        let values = headers.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }
}

/// Signs requests with one of the HMAC algorithms.
public enum RequestSigner: Sendable {
    case aws(AWSSignature)
    case azureMonitor(AzureMonitorSignature)
    case sharedAccess(SharedAccessSignature)

    /// - Parameters:
    ///   - algorithm: a name of §8.2.
    ///   - parameters: as they stand in the credentials.
    public init(algorithm: String, parameters: JSONObject) throws(SigningFailure) {
        switch algorithm {
        case AWSSignature.algorithm: self = .aws(try AWSSignature(parameters: parameters))
        case AzureMonitorSignature.algorithm: self = .azureMonitor(try AzureMonitorSignature(parameters: parameters))
        case SharedAccessSignature.algorithm: self = .sharedAccess(try SharedAccessSignature(parameters: parameters))
        default: throw .unknownAlgorithm(algorithm)
        }
    }

    /// The headers that have to be added to a request, in place of those of the same name; names in lower case.
    /// - Parameter now: seconds since 1970.
    public func headers(
        for request: SignableRequest, at now: Int64
    ) throws(SigningFailure) -> [(name: String, value: String)] {
        switch self {
        case .aws(let signature): try signature.headers(for: request, at: now)
        case .azureMonitor(let signature): try signature.headers(for: request, at: now)
        case .sharedAccess(let signature): [("authorization", try signature.authorization(at: now))]
        }
    }
}
