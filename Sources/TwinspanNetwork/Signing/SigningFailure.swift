// Why a request or a login cannot be signed.

/// What is missing for a signature. Its texts never quote a key.
public enum SigningFailure: Error, Sendable, Equatable {
    /// The credentials name an algorithm that does not exist here.
    case unknownAlgorithm(String)
    /// A parameter of the algorithm is missing.
    case missing(parameter: String)
    /// A parameter is there and cannot be used; the second text says what is expected.
    case invalid(parameter: String, expected: String)
    /// A key that has to be Base64 is not.
    case keyNotBase64(parameter: String)
    /// The library computed no digest.
    case digestUnavailable

    /// What is wrong, one sentence.
    public var message: String {
        switch self {
        case .unknownAlgorithm(let name): "Unsupported HMAC algorithm: \(name)."
        case .missing(let parameter): "The parameter '\(parameter)' of the HMAC algorithm is missing."
        case .invalid(let parameter, let expected):
            "The parameter '\(parameter)' of the HMAC algorithm must be \(expected)."
        case .keyNotBase64(let parameter): "The key in '\(parameter)' is not Base64."
        case .digestUnavailable: "The signature could not be computed."
        }
    }

    /// The parameter it is about; nil when it is about none.
    public var parameter: String? {
        switch self {
        case .missing(let parameter), .invalid(let parameter, _), .keyNotBase64(let parameter): parameter
        case .unknownAlgorithm, .digestUnavailable: nil
        }
    }
}
