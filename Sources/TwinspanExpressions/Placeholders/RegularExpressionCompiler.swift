// Compiles the text of a regular expression to instructions. Runs once per configuration.

/// One-pass, recursive-descent compiler; recursion is bounded by `groupDepthMax`.
struct RegularExpressionCompiler {
    typealias Failure = RegularExpression.Failure
    typealias Instruction = RegularExpression.Instruction
    typealias CharacterClass = RegularExpression.CharacterClass

    /// Separators are short; the bounds keep `((((…` and `a{1000}{1000}` from costing memory.
    private static let groupDepthMax = 20
    private static let instructionCountMax = 2_000

    private let pattern: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ pattern: String) {
        self.pattern = Array(pattern.unicodeScalars)
    }

    mutating func compile() throws(Failure) -> [Instruction] {
        let program = try alternation()
        guard position == pattern.count else { throw Failure(reason: "')' without '('") }
        return program + [.match]
    }

    private var next: Unicode.Scalar? { position < pattern.count ? pattern[position] : nil }

    private mutating func consume(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func alternation() throws(Failure) -> [Instruction] {
        var program = try sequence()
        while consume("|") {
            let other = try sequence()
            program =
                [.fork(1, program.count + 2)] + Self.shift(program, by: 1) + [.jump(program.count + 2 + other.count)]
                + Self.shift(other, by: program.count + 2)
            try checkSize(program)
        }
        return program
    }

    private mutating func sequence() throws(Failure) -> [Instruction] {
        var program: [Instruction] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let piece = try quantified(try atom())
            program += Self.shift(piece, by: program.count)
            try checkSize(program)
        }
        return program
    }

    private func checkSize(_ program: [Instruction]) throws(Failure) {
        guard program.count <= Self.instructionCountMax else { throw Failure(reason: "the expression is too large") }
    }

    private mutating func atom() throws(Failure) -> [Instruction] {
        guard let scalar = next else { return [] }
        position += 1
        switch scalar {
        case ".": return [.anyCharacter]
        case "^": return [.lineStart]
        case "$": return [.lineEnd]
        case "[": return [.characterClass(try characterClass())]
        case "(": return try group()
        case "\\": return [try escape()]
        case "*", "+", "?", "{": throw Failure(reason: "'\(scalar)' has nothing to repeat")
        default: return [.scalar(scalar)]
        }
    }

    private mutating func group() throws(Failure) -> [Instruction] {
        if consume("?"), !consume(":") { throw Failure(reason: "only '(…)' and '(?:…)' groups are supported") }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.groupDepthMax else { throw Failure(reason: "groups are nested too deeply") }
        let program = try alternation()
        guard consume(")") else { throw Failure(reason: "'(' without ')'") }
        return program
    }

    private mutating func quantified(_ atom: [Instruction]) throws(Failure) -> [Instruction] {
        var program = atom
        while let scalar = next, ["*", "+", "?", "{"].contains(scalar) {
            position += 1
            var least = scalar == "+" ? 1 : 0
            var most: Int? = scalar == "?" ? 1 : nil
            if scalar == "{" { (least, most) = try bounds() }
            let isLazy = consume("?")
            if next == "+" { throw Failure(reason: "possessive quantifiers are not supported") }
            program = try Self.repeating(program, least: least, most: most, isLazy: isLazy)
        }
        return program
    }

    /// The numbers of `{n}`, `{n,}` or `{n,m}` after the brace.
    private mutating func bounds() throws(Failure) -> (Int, Int?) {
        let failure = Failure(reason: "'{' must be followed by '{n}', '{n,}' or '{n,m}'")
        guard let least = number() else { throw failure }
        var most: Int? = least
        if consume(",") { most = number() }
        guard consume("}"), most ?? least >= least else { throw failure }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let start = position
        while let scalar = next, ("0"..."9").contains(scalar), position - start < 4 { position += 1 }
        return Int(String(String.UnicodeScalarView(pattern[start..<position])))
    }

    private static func repeating(
        _ atom: [Instruction], least: Int, most: Int?, isLazy: Bool
    ) throws(Failure) -> [Instruction] {
        let copies = max(most ?? least + 1, 1)
        guard (atom.count + 2) * copies <= instructionCountMax else {
            throw Failure(reason: "the expression is too large")
        }
        var program: [Instruction] = []
        for _ in 0..<least { program += shift(atom, by: program.count) }
        func fork(into body: Int, past end: Int) -> Instruction { isLazy ? .fork(end, body) : .fork(body, end) }
        guard let most else {
            let start = program.count
            program.append(fork(into: start + 1, past: start + atom.count + 2))
            program += shift(atom, by: start + 1)
            program.append(.jump(start))
            return program
        }
        let end = program.count + (most - least) * (atom.count + 1)
        for _ in least..<most {
            program.append(fork(into: program.count + 1, past: end))
            program += shift(atom, by: program.count)
        }
        return program
    }

    private static func shift(_ program: [Instruction], by offset: Int) -> [Instruction] {
        program.map { instruction in
            switch instruction {
            case .fork(let preferred, let other): .fork(preferred + offset, other + offset)
            case .jump(let target): .jump(target + offset)
            default: instruction
            }
        }
    }

    /// The instruction for what follows a backslash.
    private mutating func escape() throws(Failure) -> Instruction {
        guard let scalar = next else { throw Failure(reason: "it ends with a backslash") }
        position += 1
        if let members = Self.predefinedClass(scalar) { return .characterClass(members) }
        return .scalar(try Self.escapedScalar(scalar))
    }

    private static func escapedScalar(_ scalar: Unicode.Scalar) throws(Failure) -> Unicode.Scalar {
        switch scalar {
        case "t": return "\t"
        case "n": return "\n"
        case "r": return "\r"
        case "f": return "\u{0C}"
        default:
            let isLetterOrDigit = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            if isLetterOrDigit { throw Failure(reason: "the escape '\\\(scalar)' is not supported") }
            return scalar
        }
    }

    private static func predefinedClass(_ scalar: Unicode.Scalar) -> CharacterClass? {
        let digits: [ClosedRange<UInt32>] = [0x30...0x39]
        let words = digits + [0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
        let spaces: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]
        return switch scalar {
        case "d": CharacterClass(ranges: digits)
        case "D": CharacterClass(ranges: digits, isNegated: true)
        case "w": CharacterClass(ranges: words)
        case "W": CharacterClass(ranges: words, isNegated: true)
        case "s": CharacterClass(ranges: spaces)
        case "S": CharacterClass(ranges: spaces, isNegated: true)
        default: nil
        }
    }

    /// A class after its `[`. A `]` in first place is literal.
    private mutating func characterClass() throws(Failure) -> CharacterClass {
        var result = CharacterClass()
        result.isNegated = consume("^")
        var isFirst = true
        while let scalar = next {
            position += 1
            if scalar == "]", !isFirst { return result }
            isFirst = false
            if scalar == "[" || (scalar == "&" && next == "&") {
                throw Failure(reason: "nested classes are not supported")
            }
            var lower = scalar
            if scalar == "\\" {
                guard let escaped = next else { break }
                position += 1
                if let members = Self.predefinedClass(escaped) {
                    guard !members.isNegated else { throw Failure(reason: "nested classes are not supported") }
                    result.ranges += members.ranges
                    continue
                }
                lower = try Self.escapedScalar(escaped)
            }
            result.ranges.append(try range(from: lower))
        }
        throw Failure(reason: "'[' without ']'")
    }

    /// `lower` alone, or `lower-upper`.
    private mutating func range(from lower: Unicode.Scalar) throws(Failure) -> ClosedRange<UInt32> {
        guard next == "-", position + 1 < pattern.count, pattern[position + 1] != "]" else {
            return lower.value...lower.value
        }
        position += 1
        var upper = pattern[position]
        position += 1
        if upper == "\\" {
            guard let escaped = next else { throw Failure(reason: "'[' without ']'") }
            position += 1
            upper = try Self.escapedScalar(escaped)
        }
        guard lower <= upper else { throw Failure(reason: "the range '\(lower)-\(upper)' is reversed") }
        return lower.value...upper.value
    }
}
