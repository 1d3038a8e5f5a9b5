// The core schema of YAML 1.2: what an unquoted scalar means. `yes`, `no`, `on` and `off` are text, unlike in YAML 1.1,
// which libyaml's documentation follows but its parser leaves to us.

extension YAMLScalarValue {
    /// The meaning of an unquoted scalar.
    init(resolving text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE": self = .bool(true)
        case "false", "False", "FALSE": self = .bool(false)
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": self = .float(.infinity)
        case "-.inf", "-.Inf", "-.INF": self = .float(-.infinity)
        case ".nan", ".NaN", ".NAN": self = .float(.nan)
        default: self = Self.number(text) ?? .string
        }
    }

    private static func number(_ text: String) -> YAMLScalarValue? {
        guard let first = text.utf8.first, isDigit(first) || first == 0x2B || first == 0x2D || first == 0x2E
        else { return nil }
        if text.hasPrefix("0x") { return Int64(text.dropFirst(2), radix: 16).map { .integer($0) } }
        if text.hasPrefix("0o") { return Int64(text.dropFirst(2), radix: 8).map { .integer($0) } }
        guard let isInteger = decimalForm(text) else { return nil }
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        // `.5` and `5.` are numbers in YAML, but not for Swift's parser in every form.
        return Double(text).map { .float($0) } ?? Double("0" + text).map { .float($0) } ?? .string
    }

    /// Matches `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
    /// - Returns: whether the form is that of an integer; nil when it is no number at all.
    private static func decimalForm(_ text: String) -> Bool? {
        var rest = Substring(text).utf8
        if let sign = rest.first, sign == 0x2B || sign == 0x2D { rest = rest.dropFirst() }
        let whole = rest.prefix(while: isDigit)
        rest = rest.dropFirst(whole.count)
        if rest.isEmpty { return whole.isEmpty ? nil : true }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let fraction = rest.prefix(while: isDigit)
            rest = rest.dropFirst(fraction.count)
            if whole.isEmpty && fraction.isEmpty { return nil }
        } else if whole.isEmpty {
            return nil
        }
        if rest.isEmpty { return false }
        guard rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") else { return nil }
        rest = rest.dropFirst()
        if let sign = rest.first, sign == 0x2B || sign == 0x2D { rest = rest.dropFirst() }
        return !rest.isEmpty && rest.allSatisfy(isDigit) ? false : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}
