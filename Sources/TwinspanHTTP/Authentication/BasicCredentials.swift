// Reads the `Authorization` header of basic authentication (RFC 7617).
import TwinspanProtocol

/// A user name and a password as a client sent them.
struct BasicCredentials: Sendable, Equatable {
    let user: String
    let password: String

    /// Reads `Basic <base64 of user:password>`; nil when it is anything else.
    init?(_ header: String) {
        let scheme = header.utf8.prefix(6)
        guard scheme.count == 6, String(Substring(scheme)).lowercased() == "basic " else { return nil }
        // Blanks around it are ignored, and so is padding, of which some clients send too much or too little.
        var digits = header.utf8.dropFirst(6).drop { $0 == UInt8(ascii: " ") }
        while let last = digits.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "=") { digits.removeLast() }
        guard let bytes = Base64.decode(String(Substring(digits))) else { return nil }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        guard let user = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        self.user = user
        self.password = password
    }
}
