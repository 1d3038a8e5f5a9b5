// How the payload of a message stands in an envelope, and back (spec/protocol.md §7.1).
public import TwinspanJSON

/// The form of a payload in `value`, which the content type decides.
public enum MessagePayload: Sendable, Equatable {
    /// Any JSON as it is.
    case json
    /// A JSON string.
    case text
    /// A JSON string with the Base64 of the bytes.
    case base64

    /// The form for a content type; without one it is Base64.
    public init(contentType: String?) {
        let type = contentType.map { $0.prefix { $0 != ";" } }.map { String($0).trimmed.lowercased() } ?? ""
        let isApplication = type.hasPrefix("application/")
        if type == "application/json" || (isApplication && type.hasSuffix("+json")) {
            self = .json
        } else if type.hasPrefix("text/") || (isApplication && Self.isScript(type)) {
            self = .text
        } else {
            self = .base64
        }
    }

    private static func isScript(_ type: String) -> Bool {
        ["javascript", "ecmascript"].contains { type == "application/\($0)" || type.hasSuffix("+\($0)") }
    }

    /// The bytes that a value stands for. A value that does not have the form is taken literally: a string that is not
    /// Base64 as its text, other JSON as its JSON text.
    public func bytes(of value: JSONText?) -> [UInt8] {
        guard let value else { return [] }
        guard self != .json, let text = value.value.string else { return value.bytes }
        if self == .base64, let bytes = Base64.decode(text) { return bytes }
        return Array(text.utf8)
    }

    /// The value for bytes; none for no bytes. Throws `json.invalid` when bytes that should be JSON are not. Text that
    /// is not UTF-8 has its illegal bytes replaced.
    public func value(of bytes: [UInt8]) throws(TwinspanError) -> JSONText? {
        guard !bytes.isEmpty else { return nil }
        switch self {
        case .json:
            do throws(JSONSyntaxError) {
                return try JSONText(validating: bytes)
            } catch {
                throw .jsonInvalid(error)
            }
        case .text: return JSONText(.string(String(decoding: bytes, as: UTF8.self)))
        case .base64: return JSONText(.string(Base64.encode(bytes)))
        }
    }
}

extension Message {
    /// The form of the payload, by the header `content-type`.
    public var payload: MessagePayload { MessagePayload(contentType: headers.text(.contentType)) }

    /// The payload itself, as it leaves over HTTP or a raw mapper.
    public var payloadBytes: [UInt8] { payload.bytes(of: value) }

    /// The size that the limit of messages counts (spec/protocol.md §2.5).
    public var payloadByteCount: Int {
        guard let value else { return 0 }
        return payload == .json ? value.bytes.count : payloadBytes.count
    }
}
