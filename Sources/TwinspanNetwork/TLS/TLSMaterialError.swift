// Certificates, keys and ciphers that cannot be used: found by the lint, and again when a session begins, because a
// connection may come past the lint.
public import TwinspanConnections

/// Why TLS cannot be set up with what the connection says (spec/connectivity.md §9.1).
public struct TLSMaterialError: Error, Sendable, Equatable {
    /// JSON pointer of the field, e.g. `/credentials/key`.
    public var pointer: String
    /// What is wrong with it, without its value: `bad format. Expect …`.
    public var message: String
    public var hint: String

    public init(pointer: String, message: String, hint: String) {
        self.pointer = pointer
        self.message = message
        self.hint = hint
    }

    /// The same as the failure of a session.
    public var failure: BrokerFailure {
        BrokerFailure(
            step: .tls, reaction: .misconfigured, reason: "invalid-setting", message: "\(text).", hint: hint)
    }

    /// The field and what is wrong with it, without a full stop.
    var text: String { "\(pointer): \(message)" }

    static func format(_ pointer: String, _ noun: String, _ label: String, _ detail: String? = nil) -> Self {
        TLSMaterialError(
            pointer: pointer,
            message: "bad format. Expect PEM-encoded \(noun) starting with '-----BEGIN \(label)-----'"
                + (detail.map { " (\($0))" } ?? ""),
            hint: "${file:/path} reads a file; 'openssl x509 -text' and 'openssl pkey -check' show what is in it")
    }
}
