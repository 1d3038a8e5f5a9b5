// Reads the `Authorization` header of basic authentication (RFC 7617).

/// A user name and a password as a client sent them.
struct BasicCredentials: Sendable, Equatable {
    let user: String
    let password: String

    /// Reads `Basic <base64 of user:password>`; nil when it is anything else.
    init?(_ header: String) {
        let scheme = header.utf8.prefix(6)
        guard scheme.count == 6, String(Substring(scheme)).lowercased() == "basic " else { return nil }
        guard let bytes = Self.decode(header.utf8.dropFirst(6)) else { return nil }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        guard let user = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        self.user = user
        self.password = password
    }

    /// Base64 with or without its padding; blanks around it are ignored.
    private static func decode(_ text: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var digits = text.drop { $0 == UInt8(ascii: " ") }
        while let last = digits.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "=") { digits.removeLast() }
        for digit in digits {
            guard let value = value(of: digit) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        // A single digit of the last group cannot stand for a byte.
        return count == 6 ? nil : bytes
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
