// Why a certificate was not accepted, in our words: what OpenSSL says while it verifies a chain.

/// What is wrong with a server's certificate, or with one above it.
public struct CertificateProblem: Sendable, Equatable {
    public var finding: TLSInspection.Finding
    /// Whose certificate it is, e.g. `CN = broker.example`.
    public var subject: String
    /// 0 for the server's own, 1 for the one that signed it, and so on.
    public var depth: Int

    public init(finding: TLSInspection.Finding, subject: String, depth: Int) {
        self.finding = finding
        self.subject = subject
        self.depth = depth
    }
}
