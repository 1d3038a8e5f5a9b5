// Where the secrets of a connection stand in its JSON (spec/connectivity.md §9.3). Whoever stores connections encrypts
// these values; how is not known here.
public import TwinspanJSON

/// The secret values of a connection's JSON.
public enum ConnectionSecrets {
    /// Pointers of values that are secret as a whole.
    public static let pointers: [JSONPointer] = [
        ["credentials", "key"], ["sshTunnel", "credentials", "password"], ["sshTunnel", "credentials", "privateKey"],
        ["credentials", "parameters", "accessKey"], ["credentials", "parameters", "secretKey"],
        ["credentials", "parameters", "sharedKey"], ["credentials", "clientSecret"], ["credentials", "password"],
    ].map { JSONPointer(segments: $0) }

    /// The pointer of the URI, of which only the password is secret.
    public static let uri = JSONPointer(segments: ["uri"])

    /// Where the password stands in a URI, in UTF-8 offsets, percent-encoded as it is; nil without one.
    public static func passwordRange(inURI text: String) -> Range<Int>? {
        let bytes = Array(text.utf8)
        guard let scheme = text.range(of: "://") else { return nil }
        let start = text.utf8.distance(from: text.startIndex, to: scheme) + 3
        let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        guard let at = bytes[start..<end].lastIndex(of: UInt8(ascii: "@")),
            let colon = bytes[start..<at].firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return (colon + 1)..<at
    }

    /// The JSON with each secret replaced by what `transform` makes of it. A password inside of the URI is given as it
    /// stands there, and what comes back has to be fit for a URI.
    public static func transformed<Failure: Error>(
        _ json: JSONObject, _ transform: (_ pointer: JSONPointer, _ text: String) throws(Failure) -> String
    ) throws(Failure) -> JSONObject {
        var value = JSONValue.object(json)
        for pointer in pointers {
            guard let text = value.value(at: pointer)?.string else { continue }
            value.set(.string(try transform(pointer, text)), at: pointer)
        }
        if let text = value.value(at: uri)?.string, let range = passwordRange(inURI: text) {
            let bytes = Array(text.utf8)
            let password = try transform(uri, String(decoding: bytes[range], as: UTF8.self))
            let changed = bytes[..<range.lowerBound] + Array(password.utf8) + bytes[range.upperBound...]
            value.set(.string(String(decoding: changed, as: UTF8.self)), at: uri)
        }
        return value.object ?? json
    }
}
