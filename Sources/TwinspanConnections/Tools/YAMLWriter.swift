// JSON as YAML for people: block style, short lists in one line, texts of several lines as blocks, and comments above
// the entries they speak about. What is written is read again as the same value by `YAMLReader`.
import TwinspanJSON

/// Writes one document.
struct YAMLWriter {
    /// Lines of comment by the path of the entry they stand above.
    var comments: [ConfigurationPath: [String]] = [:]
    /// Paths whose texts hold variables that are meant: their `${` is not escaped.
    var variables: Set<ConfigurationPath> = []

    private static let width = 100
    /// Texts that the reader takes as they are, see `YAMLTreeBuilder`.
    private static let verbatim: Set<String> = ["incomingScript", "outgoingScript"]

    /// The document, ending in a line break.
    func text(_ object: JSONObject) -> String {
        var output = ""
        write(object, .root, indent: 0, into: &output)
        return output
    }

    /// The depth of values is bounded by the parser of JSON.
    private func write(_ object: JSONObject, _ path: ConfigurationPath, indent: Int, into output: inout String) {
        for member in object.members {
            let inner = path.key(member.key)
            writeComments(inner, indent: indent, into: &output)
            output += pad(indent) + Self.key(member.key) + ":"
            writeValue(member.value, inner, indent: indent, into: &output)
        }
    }

    private func writeValue(_ value: JSONValue, _ path: ConfigurationPath, indent: Int, into output: inout String) {
        if let line = inline(value, path), indent + line.count < Self.width || value.array == nil {
            output += " " + line + "\n"
            return
        }
        switch value {
        case .object(let object):
            output += "\n"
            write(object, path, indent: indent + 2, into: &output)
        case .array(let elements):
            output += "\n"
            for (index, element) in elements.enumerated() {
                writeElement(element, path.index(index), indent: indent + 2, into: &output)
            }
        case .string(let text): writeBlock(text, path, indent: indent + 2, into: &output)
        case .null, .bool, .number: output += " \(value.text)\n"
        }
    }

    private func writeElement(_ value: JSONValue, _ path: ConfigurationPath, indent: Int, into output: inout String) {
        writeComments(path, indent: indent, into: &output)
        guard case .object(let object) = value, !object.isEmpty else {
            output += pad(indent) + "-"
            writeValue(value, path, indent: indent, into: &output)
            return
        }
        var lines = ""
        write(object, path, indent: indent + 2, into: &lines)
        // The dash takes the place of the first key's indentation, unless a comment stands there.
        if lines.dropFirst(indent + 2).first == "#" {
            output += pad(indent) + "-\n" + lines
        } else {
            output += pad(indent) + "- " + lines.dropFirst(indent + 2)
        }
    }

    private func writeComments(_ path: ConfigurationPath, indent: Int, into output: inout String) {
        for line in comments[path] ?? [] { output += pad(indent) + "# " + line + "\n" }
    }

    private func writeBlock(_ text: String, _ path: ConfigurationPath, indent: Int, into output: inout String) {
        let escaped = escaped(text, path)
        var lines = escaped.split(separator: "\n", omittingEmptySubsequences: false)
        let isClosed = lines.last == ""
        if isClosed { lines.removeLast() }
        output += isClosed ? " |\n" : " |-\n"
        for line in lines { output += line.isEmpty ? "\n" : pad(indent) + line + "\n" }
    }

    // MARK: One line

    /// The value in one line; nil when it takes several.
    private func inline(_ value: JSONValue, _ path: ConfigurationPath) -> String? {
        switch value {
        case .null, .bool, .number: return value.text
        case .string(let text): return Self.isBlock(text) ? nil : scalar(text, path, inFlow: false)
        case .object(let object): return object.isEmpty ? "{}" : nil
        case .array(let elements):
            var parts: [String] = []
            for (index, element) in elements.enumerated() {
                guard element.object == nil, element.array == nil else { return nil }
                if case .string(let text) = element {
                    parts.append(scalar(text, path.index(index), inFlow: true))
                } else {
                    parts.append(element.text)
                }
            }
            return "[\(parts.joined(separator: ", "))]"
        }
    }

    private func scalar(_ text: String, _ path: ConfigurationPath, inFlow: Bool) -> String {
        let escaped = escaped(text, path)
        return Self.isPlain(escaped, inFlow: inFlow) ? escaped : Self.quoted(escaped)
    }

    /// The text in double quotes. What JSON leaves as it is and YAML does not take is escaped too.
    private static func quoted(_ text: String) -> String {
        var output = ""
        for scalar in JSONValue.string(text).text.unicodeScalars {
            switch scalar.value {
            case 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    /// `${` is a variable to the reader, unless it is written `$${`.
    private func escaped(_ text: String, _ path: ConfigurationPath) -> String {
        if case .key(let key)? = path.steps.last, Self.verbatim.contains(key) { return text }
        if variables.contains(path) { return text }
        var output = ""
        var rest = text[...]
        while let place = rest.range(of: "${") {
            output += rest[..<place] + "$${"
            rest = rest[place...].dropFirst(2)
        }
        return output + rest
    }

    private static func key(_ key: String) -> String {
        isPlain(key, inFlow: true) && key != "<<" ? key : quoted(key)
    }

    /// Whether a text can stand without quotes and still is that text.
    private static func isPlain(_ text: String, inFlow: Bool) -> Bool {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
        guard YAMLScalarValue(resolving: text) == .string else { return false }
        let starts = first.properties.isAlphabetic && first.isASCII || "/_.0123456789$".unicodeScalars.contains(first)
        guard starts, last != ":", last != " " else { return false }
        if text == "---" || text == "..." { return false }
        let inner = "-_./:+()*@%=~$?;<>^!|&"
        return text.unicodeScalars.allSatisfy { scalar in
            let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            return isWord || inner.unicodeScalars.contains(scalar) || (!inFlow && scalar == " ")
        } && text.range(of: ": ") == nil && text.range(of: " #") == nil
            && !(inFlow && text.utf8.contains(UInt8(ascii: ":")) && text.range(of: "{") != nil)
    }

    /// Whether a text is best read as a block: several lines, none of which a block would change.
    private static func isBlock(_ text: String) -> Bool {
        guard text.contains("\n"), !text.hasSuffix("\n\n"), let first = text.unicodeScalars.first,
            first != " ", first != "\n", first != "\t"
        else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || scalar == "\t"
                || (scalar.value >= 0x20 && scalar.value != 0x7F
                    && !(0x80...0x9F).contains(scalar.value) && scalar.value != 0x2028 && scalar.value != 0x2029
                    && scalar.value != 0xFEFF && scalar.value <= 0xFFFD)
        }
    }

    private func pad(_ indent: Int) -> String { String(repeating: " ", count: indent) }
}
