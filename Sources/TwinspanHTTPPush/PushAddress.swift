// `VERB:path`, the address of a target (spec/connectivity-bindings.md §5.1).
import TwinspanNetwork

/// Method and place of a request.
struct PushAddress: Equatable {
    let method: String
    /// Begins with `/`, or is empty; percent-encoded.
    let path: String
    /// Without `?`, percent-encoded; nil when there is none.
    let query: String?

    /// Reads an address whose placeholders are resolved. Nil when it names no method.
    init?(_ address: String) {
        guard let colon = address.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        method = String(address[..<colon])
        guard HTTPPushFields.methods.contains(method) else { return nil }
        var rest = address[address.utf8.index(after: colon)...]
        // What stands behind '#' is for browsers and is never sent.
        if let hash = rest.utf8.firstIndex(of: UInt8(ascii: "#")) { rest = rest[..<hash] }
        let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?"))
        let name = rest[..<(mark ?? rest.endIndex)]
        path = PushAddress.path(name)
        query = mark.map { PushAddress.encodedQuery(rest[rest.utf8.index(after: $0)...]) }
    }

    /// A path that begins with `/` unless it is empty, with what a URI does not admit percent-encoded.
    static func path(_ text: some StringProtocol) -> String {
        let encoded = encode(text, admitting: "-._~!$&'()*+,;=:@/")
        return encoded.isEmpty || encoded.hasPrefix("/") ? encoded : "/" + encoded
    }

    /// A query with what a URI does not admit percent-encoded.
    static func encodedQuery(_ text: some StringProtocol) -> String {
        encode(text, admitting: "-._~!$&'()*+,;=:@/?")
    }

    private static func encode(_ text: some StringProtocol, admitting marks: String) -> String {
        let bytes = Array(text.utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for (position, byte) in bytes.enumerated() {
            let isEscape =
                byte == UInt8(ascii: "%") && position + 2 < bytes.count && isDigit(bytes[position + 1])
                && isDigit(bytes[position + 2])
            if isEscape || isAlphanumeric(byte) || marks.utf8.contains(byte) {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
