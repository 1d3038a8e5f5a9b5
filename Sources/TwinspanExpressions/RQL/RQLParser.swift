// Reads the grammar of spec/policies-search.md B.1. White space is also accepted before literals, around children and
// after the last parenthesis, where the reference refuses it; spaces inside a name belong to it.

import TwinspanProtocol

/// Recursive-descent parser; recursion is bounded by `depthMax`, and so is that of everything that walks the result.
struct RQLParser {
    /// Filters come from peers, so nesting has a bound. Written filters stay far below it.
    static let depthMax = 64
    /// UTF-8 bytes of a filter: more than any message, URI or header carries.
    static let byteCountMax = 1_048_576

    private enum Operator: String, CaseIterable {
        case eq, ne, gt, ge, lt, le, like, ilike, and, or, not, exists, empty
        case any = "in"
    }

    private static let operatorNames = Operator.allCases.map(\.rawValue)

    private var scanner: RQLScanner
    private let dialect: RQLDialect

    init(_ text: String, dialect: RQLDialect) {
        scanner = RQLScanner(
            text,
            syntaxAdvice: "Check that all parentheses and quotes are closed and that strings are quoted, as in"
                + " and(eq(attributes/a,1),like(attributes/b,\"x*\")).")
        self.dialect = dialect
    }

    mutating func parse() throws(RQLError) -> RQLPredicate {
        guard scanner.bytes.count <= Self.byteCountMax else {
            throw scanner.error(
                "The filter is too long: it has \(scanner.bytes.count) bytes",
                advice: "Write at most \(Self.byteCountMax) bytes.", at: Self.byteCountMax)
        }
        scanner.skipWhitespace()
        let predicate = try query(depth: 0)
        scanner.skipWhitespace()
        guard scanner.isAtEnd else { throw scanner.invalidInput(expected: "the end of the filter") }
        return predicate
    }

    // MARK: Predicates

    private mutating func query(depth: Int) throws(RQLError) -> RQLPredicate {
        guard depth < Self.depthMax else {
            throw scanner.error(
                "The filter is nested too deeply", advice: "Nest predicates at most \(Self.depthMax) levels deep.")
        }
        let name = try operatorName()
        try scanner.expect("(")
        let predicate = try arguments(of: name, depth: depth)
        try scanner.expect(")")
        return predicate
    }

    private mutating func arguments(of name: Operator, depth: Int) throws(RQLError) -> RQLPredicate {
        switch name {
        case .and: return .and(try children(depth: depth))
        case .or: return .or(try children(depth: depth))
        case .not:
            scanner.skipWhitespace()
            let child = try query(depth: depth + 1)
            scanner.skipWhitespace()
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
            scanner.skipWhitespace()
            children.append(try query(depth: depth + 1))
            scanner.skipWhitespace()
        } while scanner.consume(",")
        return children
    }

    private mutating func comparison(_ make: (RQLLiteral) -> RQLComparison) throws(RQLError) -> RQLPredicate {
        let property = try property(isCompared: true)
        try scanner.expect(",")
        return .compare(property, make(try literal()))
    }

    private mutating func membership() throws(RQLError) -> RQLPredicate {
        let property = try property(isCompared: true)
        try scanner.expect(",")
        var literals = [try literal()]
        while scanner.consume(",") { literals.append(try literal()) }
        return .compare(property, .any(literals))
    }

    private static func like(_ literal: RQLLiteral, isCaseSensitive: Bool) -> RQLComparison {
        guard case .scalar(let scalar) = literal, let text = scalar.text else {
            return .likeLiteral(literal, isCaseSensitive: isCaseSensitive)
        }
        return .like(WildcardPattern(text, splitsAlternatives: false, isCaseSensitive: isCaseSensitive))
    }

    private mutating func operatorName() throws(RQLError) -> Operator {
        let start = scanner.position
        let name = scanner.word()
        guard let known = Operator(rawValue: name) else {
            scanner.back(to: start)
            let hint = NearestName.hint(for: name, among: Self.operatorNames)
            throw scanner.invalidInput(expected: "one of \(Self.operatorNames.joined(separator: ", "))", hint: hint)
        }
        return known
    }

    // MARK: Properties

    /// A name up to the next comma or parenthesis.
    private mutating func property(isCompared: Bool) throws(RQLError) -> RQLProperty {
        let start = scanner.position
        let name = try scanner.name()
        guard let property = RQLProperty(parsing: name, dialect: dialect), property.isComparable || !isCompared
        else { throw unknownProperty(name, at: start) }
        return property
    }

    private func unknownProperty(_ name: String, at offset: Int) -> RQLError {
        let scope = dialect.scope
        var advice = "Fields that can be used: \(RQLProperty.listing)."
        if !scope.prefixes.isEmpty { advice += " \(scope.allowedDescription)" }
        if RQLProperty.hasConsecutiveSlashes(name) {
            advice = "Consecutive slashes in JSON pointers are not supported. " + advice
        }
        advice += " A whole feature or all of its properties can be used with exists and empty only."
        let candidates = RQLProperty.candidates(for: name) + scope.candidates(for: name)
        return scanner.error(
            "Unknown property name: \(name.shortened)",
            advice: advice + NearestName.hint(for: name, among: candidates), at: offset)
    }

    // MARK: Literals

    private mutating func literal() throws(RQLError) -> RQLLiteral {
        scanner.skipWhitespace()
        let literal = try bareLiteral()
        scanner.skipWhitespace()
        return literal
    }

    private mutating func bareLiteral() throws(RQLError) -> RQLLiteral {
        switch scanner.next {
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "+"), UInt8(ascii: "-"):
            return .scalar(.number(try number()))
        default:
            if scanner.consume("\"") { return .scalar(RQLScalar(text: try scanner.string(closing: "\""))) }
            if scanner.consume("'") { return .scalar(RQLScalar(text: try scanner.string(closing: "'"))) }
            if scanner.consume(word: "true") { return .scalar(.bool(true)) }
            if scanner.consume(word: "false") { return .scalar(.bool(false)) }
            if scanner.consume(word: "null") { return .scalar(.null) }
            if scanner.consume(word: "time:") { return .time(try time()) }
            throw scanner.invalidInput(expected: "a quoted string, a number, true, false, null or time:…")
        }
    }

    /// The time after `time:`, whose place is in the error if it is malformed.
    private mutating func time() throws(RQLError) -> TimeExpression {
        let start = scanner.position
        let text = try scanner.name().trimmed()
        guard let expression = TimeExpression(parsing: text) else {
            throw scanner.error(
                "'time:\(text.shortened)' is not a time",
                advice: "Write time:now or time:now_epoch_millis, then an offset such as -1h and a truncation such"
                    + " as [d]. Units: ms s m h d w mo y.",
                at: start)
        }
        return expression
    }

    /// An integer of 64 bits or a decimal fraction, without leading zeros and without an exponent.
    private mutating func number() throws(RQLError) -> DecimalNumber {
        let start = scanner.position
        if !scanner.consume("+") { _ = scanner.consume("-") }
        let digitsStart = scanner.position
        let startsWithZero = scanner.next == UInt8(ascii: "0")
        scanner.skipDigits()
        if startsWithZero, scanner.position > digitsStart + 1 {
            scanner.back(to: digitsStart)
            _ = scanner.consume("0")
            throw scanner.invalidInput(expected: "no digit after a leading zero")
        }
        guard scanner.position > digitsStart else { throw scanner.invalidInput(expected: "a digit") }
        var isInteger = true
        if scanner.consume(".") {
            isInteger = false
            let fractionStart = scanner.position
            scanner.skipDigits()
            guard scanner.position > fractionStart else { throw scanner.invalidInput(expected: "a digit") }
        }
        let text = scanner.text(from: start)
        guard text != "-0", !isInteger || Int64(text) != nil,
            let number = DecimalNumber(parsing: Self.canonical(text))
        else {
            throw scanner.error(
                "The number \(text.shortened) cannot be used", advice: "Integers have 64 bits; zero has no sign.",
                at: start)
        }
        return number
    }

    /// The form that the number has as a text or a pattern: `+42` is `42`, and `1.50` is `1.5` (B.5).
    private static func canonical(_ text: String) -> String {
        var bytes = text.utf8[...]
        if bytes.first == UInt8(ascii: "+") { bytes = bytes.dropFirst() }
        guard let point = bytes.firstIndex(of: UInt8(ascii: ".")) else { return String(Substring(bytes)) }
        let firstDecimal = bytes.index(after: point)
        while bytes.last == UInt8(ascii: "0"), bytes.index(before: bytes.endIndex) > firstDecimal {
            bytes = bytes.dropLast()
        }
        return String(Substring(bytes))
    }
}
