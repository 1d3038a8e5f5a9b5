// `{scheme}://[user:password@]host:port[/path]` (spec/connectivity.md §1.2). Messages quote neither user nor password,
// nor what might be a part of them.

/// Why a text is no connection URI.
public struct ConnectionURIError: Error, Sendable, Equatable {
    /// The part that is wrong, in UTF-8 offsets of the text.
    public let range: Range<Int>
    public let message: String
    public let hint: String
}

extension ConnectionURI {
    static let form = "write scheme://[user:password@]host:port[/path]"

    /// Reads a URI. The port has to be explicit, a query is not allowed, user and password are percent-decoded.
    ///
    /// User information without a colon counts as none, as in Ditto.
    public static func parse(_ text: String) throws(ConnectionURIError) -> ConnectionURI {
        let bytes = Array(text.utf8)
        if let index = bytes.firstIndex(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            throw ConnectionURIError(
                range: index..<(index + 1), message: "a URI holds only printable ASCII characters",
                hint: "percent-encode others, a space as %20")
        }
        let schemeEnd = bytes.prefix(while: isSchemeByte).count
        guard schemeEnd > 0, bytes[schemeEnd...].starts(with: Array("://".utf8)) else {
            throw ConnectionURIError(range: 0..<bytes.count, message: "this is not a broker's URI", hint: form)
        }
        let start = schemeEnd + 3
        let end = bytes[start...].firstIndex { [0x2F, 0x3F, 0x23].contains($0) } ?? bytes.count
        if let index = bytes[end...].firstIndex(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) {
            throw ConnectionURIError(
                range: index..<bytes.count, message: "a broker's URI has no query and no fragment",
                hint: "remove it; in a password write %3F for '?' and %23 for '#'")
        }
        if bytes[end...].contains(UInt8(ascii: "@")) {
            throw ConnectionURIError(
                range: start..<end, message: "user or password hold a '/' that is not percent-encoded",
                hint: "write %2F for '/'")
        }
        let authority = bytes[start..<end]
        let at = authority.lastIndex(of: UInt8(ascii: "@"))
        if let at, authority.firstIndex(of: UInt8(ascii: "@")) != at {
            throw ConnectionURIError(
                range: start..<at, message: "user or password hold an '@' that is not percent-encoded",
                hint: "write %40 for '@'")
        }
        var login: (user: String?, password: Secret?) = (nil, nil)
        if let at { login = try credentials(bytes, start..<at) }
        let (host, port) = try hostAndPort(bytes, (at.map { $0 + 1 } ?? start)..<end)
        var uri = ConnectionURI(
            scheme: String(decoding: bytes[..<schemeEnd], as: UTF8.self).lowercased(), user: login.user,
            password: login.password, host: host, port: port, path: String(decoding: bytes[end...], as: UTF8.self))
        uri.written = Secret(text)
        return uri
    }

    private static func credentials(
        _ bytes: [UInt8], _ range: Range<Int>
    ) throws(ConnectionURIError) -> (user: String?, password: Secret?) {
        guard let colon = bytes[range].firstIndex(of: UInt8(ascii: ":")) else { return (nil, nil) }
        let user = try percentDecoded(bytes, range.lowerBound..<colon)
        let password = try percentDecoded(bytes, (colon + 1)..<range.upperBound)
        return (user.isEmpty ? nil : user, Secret(password))
    }

    private static func percentDecoded(_ bytes: [UInt8], _ range: Range<Int>) throws(ConnectionURIError) -> String {
        var decoded: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < range.upperBound, let byte = PercentEncoding.byte(bytes[index + 1], bytes[index + 2])
                else {
                    throw ConnectionURIError(
                        range: index..<(index + 1), message: "two hexadecimal digits must follow '%'",
                        hint: "write %25 for '%'")
                }
                decoded.append(byte)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw ConnectionURIError(
                range: range, message: "user or password are not UTF-8", hint: "percent-encode their UTF-8 bytes")
        }
        return text
    }

    private static func hostAndPort(
        _ bytes: [UInt8], _ range: Range<Int>
    ) throws(ConnectionURIError) -> (host: String, port: Int) {
        var hostRange = range
        var portStart: Int?
        if bytes[range].first == UInt8(ascii: "[") {
            guard let close = bytes[range].firstIndex(of: UInt8(ascii: "]")) else {
                throw ConnectionURIError(range: range, message: "'[' without ']' in the host", hint: form)
            }
            hostRange = (range.lowerBound + 1)..<close
            if close + 1 < range.upperBound, bytes[close + 1] == UInt8(ascii: ":") { portStart = close + 2 }
        } else if let colon = bytes[range].lastIndex(of: UInt8(ascii: ":")) {
            hostRange = range.lowerBound..<colon
            portStart = colon + 1
        }
        let hostBytes = bytes[hostRange]
        let isAddress = hostRange.lowerBound > range.lowerBound
        guard !hostBytes.isEmpty, hostBytes.allSatisfy({ isHostByte($0) || (isAddress && $0 == UInt8(ascii: ":")) })
        else {
            throw ConnectionURIError(
                range: hostRange.isEmpty ? range : hostRange, message: "the URI has no valid host", hint: form)
        }
        let host = String(decoding: hostBytes, as: UTF8.self)
        guard let portStart, portStart < range.upperBound else {
            throw ConnectionURIError(
                range: range, message: "the URI has no port", hint: "write it behind the host, e.g. \(host):1883")
        }
        let portText = String(decoding: bytes[portStart..<range.upperBound], as: UTF8.self)
        guard portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(portText),
            (1...65_535).contains(port)
        else {
            throw ConnectionURIError(
                range: portStart..<range.upperBound, message: "this is not a port",
                hint: "a port is a number from 1 to 65535")
        }
        return (host, port)
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        isSchemeByte(byte) && byte != UInt8(ascii: "+") || byte == UInt8(ascii: "_")
    }
}

enum PercentEncoding {
    /// The byte of two hexadecimal digits.
    static func byte(_ high: UInt8, _ low: UInt8) -> UInt8? {
        guard let high = digit(high), let low = digit(low) else { return nil }
        return high << 4 | low
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
