// Reads the grammar of spec/policies-search.md B.1 from UTF-8 bytes. White space is also accepted before literals,
// around children and after the last parenthesis, where the reference refuses it; spaces inside a name belong to it.

/// Recursive-descent parser; recursion is bounded by `depthMax`.
struct RQLParser {
    /// Filters come from peers, so nesting has a bound. Written filters stay far below it.
    static let depthMax = 64

    private enum Operator: String, CaseIterable {
        case eq, ne, gt, ge, lt, le, like, ilike, and, or, not, exists, empty
        case any = "in"
    }

    private static let operatorNames = Operator.allCases.map(\.rawValue)

    private let bytes: [UInt8]
    private let placeholders: RQLPlaceholders
    private var position = 0

    init(_ text: String, placeholders: RQLPlaceholders) {
        bytes = Array(text.utf8)
        self.placeholders = placeholders
    }

    mutating func parse() throws(RQLError) -> RQLPredicate {
        skipWhitespace()
        let predicate = try query(depth: 0)
        skipWhitespace()
        guard position == bytes.count else { throw invalidInput(expected: "the end of the filter") }
        return predicate
    }

    // MARK: Predicates

    private mutating func query(depth: Int) throws(RQLError) -> RQLPredicate {
        guard depth < Self.depthMax else {
            throw RQLError(
                "The filter is nested too deeply",
                description: "Nest predicates at most \(Self.depthMax) levels deep.", at: position, in: bytes)
        }
        let name = try operatorName()
        try expect("(")
        let predicate = try arguments(of: name, depth: depth)
        try expect(")")
        return predicate
    }

    private mutating func arguments(of name: Operator, depth: Int) throws(RQLError) -> RQLPredicate {
        switch name {
        case .and: return .and(try children(depth: depth))
        case .or: return .or(try children(depth: depth))
        case .not:
            skipWhitespace()
            let child = try query(depth: depth + 1)
            skipWhitespace()
            return .not(child)
        case .exists: return .exists(try property(isCompared: false))
        case .empty: return .empty(try property(isCompared: false))
        case .any: return try membership()
        case .eq: return try comparison { .equal($0) }
        case .ne: return try comparison { .notEqual($0) }
        case .gt: return try comparison { .greater($0) }
        case .ge: return try comparison { .greaterOrEqual($0) }
        case .lt: return try comparison { .less($0) }
        case .le: return try comparison { .lessOrEqual($0) }
        case .like: return try comparison { Self.like($0, isCaseSensitive: true) }
        case .ilike: return try comparison { Self.like($0, isCaseSensitive: false) }
        }
    }

    private mutating func children(depth: Int) throws(RQLError) -> [RQLPredicate] {
        var children: [RQLPredicate] = []
        repeat {
            skipWhitespace()
            children.append(try query(depth: depth + 1))
            skipWhitespace()
        } while consume(UInt8(ascii: ","))
        return children
    }

    private mutating func comparison(_ make: (RQLLiteral) -> RQLComparison) throws(RQLError) -> RQLPredicate {
        let property = try property(isCompared: true)
        try expect(",")
        return .compare(property, make(try literal()))
    }

    private mutating func membership() throws(RQLError) -> RQLPredicate {
        let property = try property(isCompared: true)
        try expect(",")
        var literals = [try literal()]
        while consume(UInt8(ascii: ",")) { literals.append(try literal()) }
        return .compare(property, .any(literals))
    }

    private static func like(_ literal: RQLLiteral, isCaseSensitive: Bool) -> RQLComparison {
        guard case .scalar(let scalar) = literal, let text = scalar.text else {
            return .likeLiteral(literal, isCaseSensitive: isCaseSensitive)
        }
        return .like(WildcardPattern(text, splitsAlternatives: false, isCaseSensitive: isCaseSensitive))
    }

    private mutating func operatorName() throws(RQLError) -> Operator {
        let start = position
        var end = position
        while end < bytes.count, bytes[end] >= UInt8(ascii: "a"), bytes[end] <= UInt8(ascii: "z") { end += 1 }
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        guard let known = Operator(rawValue: name) else {
            let hint = NearestName.hint(for: name, among: Self.operatorNames)
            throw invalidInput(expected: "one of \(Self.operatorNames.joined(separator: ", "))", hint: hint)
        }
        position = end
        return known
    }

    // MARK: Properties

    /// A name up to the next comma or parenthesis.
    private mutating func property(isCompared: Bool) throws(RQLError) -> RQLProperty {
        let start = position
        let name = try characters(isString: false, closing: nil)
        guard let property = RQLProperty(parsing: name, placeholders: placeholders),
            property.isComparable || !isCompared
        else { throw unknownProperty(name, at: start) }
        return property
    }

    private func unknownProperty(_ name: String, at offset: Int) -> RQLError {
        let listing =
            "thingId, policyId, namespace, definition, attributes/…, features/<id>/properties/…, "
            + "features/<id>/desiredProperties/…, features/<id>/definition, _metadata/…, _revision, _modified, _created"
        let scope = placeholders.scope
        return RQLError(
            "Unknown property name: \(name)",
            description: "Fields that can be used: \(listing)."
                + (scope.prefixes.isEmpty ? "" : " \(scope.allowedDescription)")
                + " A whole feature or all of its properties can be used with exists and empty only."
                + NearestName.hint(for: name, among: RQLProperty.candidates(for: name) + scope.candidates(for: name)),
            at: offset, in: bytes)
    }

    // MARK: Literals

    private mutating func literal() throws(RQLError) -> RQLLiteral {
        skipWhitespace()
        let literal = try bareLiteral()
        skipWhitespace()
        return literal
    }

    private mutating func bareLiteral() throws(RQLError) -> RQLLiteral {
        let byte = position < bytes.count ? bytes[position] : 0
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            position += 1
            return .scalar(RQLScalar(text: try characters(isString: true, closing: byte)))
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"):
            return .scalar(.number(try number()))
        default:
            if consume(word: "true") { return .scalar(.bool(true)) }
            if consume(word: "false") { return .scalar(.bool(false)) }
            if consume(word: "null") { return .scalar(.null) }
            if consume(word: "time:") { return .time(try time()) }
            throw invalidInput(expected: "a quoted string, a number, true, false, null or time:…")
        }
    }

    /// The time after `time:`, whose place is in the error if it is malformed.
    private mutating func time() throws(RQLError) -> TimeExpression {
        let start = position
        let text = try characters(isString: false, closing: nil).trimmed()
        guard let expression = TimeExpression(parsing: text) else {
            throw RQLError(
                "'time:\(text)' is not a time",
                description: "Write time:now or time:now_epoch_millis, then an offset such as -1h and a truncation such"
                    + " as [d]. Units: ms s m h d w mo y.",
                at: start, in: bytes)
        }
        return expression
    }

    /// An integer of 64 bits or a decimal fraction, without leading zeros and without an exponent.
    private mutating func number() throws(RQLError) -> DecimalNumber {
        let start = position
        if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
        let digitsStart = position
        skipDigits()
        if position > digitsStart + 1, bytes[digitsStart] == UInt8(ascii: "0") {
            position = digitsStart + 1
            throw invalidInput(expected: "no digit after a leading zero")
        }
        guard position > digitsStart else { throw invalidInput(expected: "a digit") }
        var isInteger = true
        if consume(UInt8(ascii: ".")) {
            isInteger = false
            let fractionStart = position
            skipDigits()
            guard position > fractionStart else { throw invalidInput(expected: "a digit") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard text != "-0", !isInteger || Int64(text) != nil, let number = DecimalNumber(parsing: text) else {
            throw RQLError(
                "The number \(text) cannot be used",
                description: "Integers have 64 bits; zero has no sign.", at: start, in: bytes)
        }
        return number
    }

    private mutating func skipDigits() {
        while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 { position += 1 }
    }

    // MARK: Characters

    /// The characters of a name (up to a comma, parenthesis or quote, which stays) or of a string (up to its closing
    /// quote, which is consumed), with escapes decoded.
    private mutating func characters(isString: Bool, closing: UInt8?) throws(RQLError) -> String {
        var output: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            if isString, byte == closing {
                position += 1
                return String(decoding: output, as: UTF8.self)
            }
            if !isString, byte == UInt8(ascii: ",") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                position += 1
                try escape(quote: closing ?? UInt8(ascii: "\""), into: &output)
            } else {
                output.append(byte)
                position += 1
            }
        }
        if let closing, isString {
            throw invalidInput(expected: "a closing \(Character(Unicode.Scalar(closing)))")
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// What follows a backslash. `quote` is the quote that may be escaped here.
    private mutating func escape(quote: UInt8, into output: inout [UInt8]) throws(RQLError) {
        guard position < bytes.count else { throw invalidInput(expected: "an escaped character") }
        switch bytes[position] {
        case quote: output.append(quote)
        case UInt8(ascii: "\\"): output.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): output.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"):
            position += 1
            try unicodeEscape(into: &output)
            return
        default: throw invalidInput(expected: "one of \(Character(Unicode.Scalar(quote))) \\ / b f n r t u")
        }
        position += 1
    }

    /// Four hexadecimal digits, or two such escapes for a surrogate pair. A lone surrogate, which the grammar accepts
    /// but no string can hold, becomes U+FFFD.
    private mutating func unicodeEscape(into output: inout [UInt8]) throws(RQLError) {
        var value = try hexadecimal()
        if (0xD800...0xDBFF).contains(value), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            let afterHigh = position
            position += 2
            let low = try hexadecimal()
            if (0xDC00...0xDFFF).contains(low) {
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            } else {
                position = afterHigh
            }
        }
        output += String(Character(Unicode.Scalar(value) ?? "\u{FFFD}")).utf8
    }

    private mutating func hexadecimal() throws(RQLError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = bytes[position].hexDigitValue else {
                throw invalidInput(expected: "a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: Bytes

    private mutating func skipWhitespace() {
        while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09, 0x0C].contains(bytes[position]) { position += 1 }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func consume(word: String) -> Bool {
        guard bytes[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(RQLError) {
        guard consume(UInt8(ascii: character)) else { throw invalidInput(expected: "'\(character)'") }
    }

    /// The error for what stands at `position`.
    private func invalidInput(expected: String, hint: String = "") -> RQLError {
        let description =
            "Check that all parentheses and quotes are closed and that strings are quoted, as in"
            + " and(eq(attributes/a,1),like(attributes/b,\"x*\")).\(hint)"
        guard position < bytes.count else {
            return RQLError(
                "Unexpected end of input, expected \(expected)", description: description, at: position, in: bytes)
        }
        let rest = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
        return RQLError(
            "Invalid input '\(rest.unicodeScalars.first.map(String.init) ?? "")', expected \(expected)",
            description: description, at: position, in: bytes)
    }
}
