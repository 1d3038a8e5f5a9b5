// Typed reading of policy JSON. Each function names the field in the error, so that a long policy can be repaired.
import TwinspanJSON
import TwinspanProtocol

/// Reads values of an expected type, or throws `json.invalid` naming the field.
enum PolicyJSON {
    static func object(_ json: JSONValue, _ field: String) throws(TwinspanError) -> JSONObject {
        guard let object = json.object else { throw PolicyErrors.wrongType(field, "an object") }
        return object
    }

    static func array(_ json: JSONValue, _ field: String) throws(TwinspanError) -> [JSONValue] {
        guard let array = json.array else { throw PolicyErrors.wrongType(field, "an array") }
        return array
    }

    static func string(_ json: JSONValue, _ field: String) throws(TwinspanError) -> String {
        guard let string = json.string else { throw PolicyErrors.wrongType(field, "a string") }
        return string
    }

    /// The elements of an array of strings.
    static func strings(_ json: JSONValue, _ field: String) throws(TwinspanError) -> [String] {
        var strings: [String] = []
        for element in try array(json, field) { strings.append(try string(element, field)) }
        return strings
    }

    /// The strings of an array; elements of other types are ignored, where the specification says so.
    static func stringsIgnoringOthers(_ json: JSONValue, _ field: String) throws(TwinspanError) -> [String] {
        try array(json, field).compactMap(\.string)
    }
}

extension String {
    /// Whether a character of U+0000–U+001F or U+007F–U+00FF occurs (spec/protocol.md §1.3).
    var hasControlCharacter: Bool {
        unicodeScalars.contains { $0.value < 0x20 || (0x7F...0xFF).contains($0.value) }
    }

    /// Whether the text has at most 256 UTF-16 code units, the limit of labels and subject ids.
    var isWithinIDLength: Bool { utf8.count <= 256 || utf16.count <= 256 }

    /// Whether both strings hold `{{` and a later `}}`, or the legacy form `${` … `}`.
    var containsPlaceholder: Bool {
        occurs("{{", before: "}}") || occurs("${", before: "}")
    }

    private func occurs(_ opening: String, before closing: String) -> Bool {
        let bytes = Array(utf8)
        guard let start = bytes.position(of: Array(opening.utf8), from: 0) else { return false }
        return bytes.position(of: Array(closing.utf8), from: start + opening.utf8.count) != nil
    }
}

extension [UInt8] {
    /// Where `pattern` first occurs at or behind `start`.
    func position(of pattern: [UInt8], from start: Int) -> Int? {
        guard count >= pattern.count, start <= count - pattern.count else { return nil }
        return (start...(count - pattern.count)).first { self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
    }
}
