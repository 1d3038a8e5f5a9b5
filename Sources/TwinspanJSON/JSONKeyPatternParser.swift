// The syntax of regular expressions in patch keys: a subset of Java's, where everything means what it means there.

/// Reads one regular expression.
struct JSONKeyPatternParser {
    /// The parts of a regular expression. Greedy and lazy quantifiers are the same when whole keys are matched.
    indirect enum Node {
        case characters(JSONCharacterClass)
        case start
        case end
        case sequence([Node])
        case alternatives([Node])
        case repeated(Node, Int, Int?)
    }

    private let scalars: [Unicode.Scalar]
    private var position = 0

    /// Keys have at most 256 characters, so an expression has no reason to be longer.
    static let lengthMaximum = 256
    static let nestingMaximum = 16
    static let repetitionMaximum = 1000

    init(_ expression: String) {
        scalars = Array(expression.unicodeScalars)
    }

    mutating func parse() throws(JSONKeyPatternError) -> Node {
        guard scalars.count <= Self.lengthMaximum else {
            throw JSONKeyPatternError("it has more than \(Self.lengthMaximum) characters")
        }
        let node = try alternatives(depth: 0)
        guard position == scalars.count else { throw JSONKeyPatternError("a parenthesis is closed but never opened") }
        return node
    }

    // MARK: Structure

    private mutating func alternatives(depth: Int) throws(JSONKeyPatternError) -> Node {
        guard depth <= Self.nestingMaximum else { throw JSONKeyPatternError("it is nested too deeply") }
        var nodes = [try sequence(depth: depth)]
        while take("|") { nodes.append(try sequence(depth: depth)) }
        return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
    }

    private mutating func sequence(depth: Int) throws(JSONKeyPatternError) -> Node {
        var nodes: [Node] = []
        while let scalar = peek, scalar != "|", scalar != ")" {
            nodes.append(try quantified(try atom(depth: depth)))
        }
        return .sequence(nodes)
    }

    private mutating func atom(depth: Int) throws(JSONKeyPatternError) -> Node {
        let scalar = try next()
        switch scalar {
        case "(": return try group(depth: depth)
        case "[": return .characters(try characterClass())
        case ".": return .characters(.any)
        case "^": return .start
        case "$": return .end
        case "\\": return .characters(try escape())
        case "*", "+", "?", "{": throw JSONKeyPatternError("\"\(scalar)\" has nothing to repeat")
        default: return .characters(JSONCharacterClass(ranges: [scalar.value...scalar.value]))
        }
    }

    private mutating func group(depth: Int) throws(JSONKeyPatternError) -> Node {
        if take("?") {
            if take("<") {
                guard let first = peek, first != "=", first != "!" else { throw Self.unsupported("look-behind") }
                try skipGroupName()
            } else if !take(":") {
                throw Self.unsupported("a group that starts with \"(?\", except \"(?:\" and \"(?<name>\",")
            }
        }
        let node = try alternatives(depth: depth + 1)
        guard take(")") else { throw JSONKeyPatternError("a parenthesis is never closed") }
        return node
    }

    private mutating func skipGroupName() throws(JSONKeyPatternError) {
        var length = 0
        while let scalar = peek, JSONCharacterClass.word.contains(scalar.value), scalar != "_" {
            position += 1
            length += 1
        }
        guard length > 0, take(">") else { throw JSONKeyPatternError("a group has no valid name") }
    }

    private mutating func quantified(_ node: Node) throws(JSONKeyPatternError) -> Node {
        let bounds: (Int, Int?)
        if take("*") {
            bounds = (0, nil)
        } else if take("+") {
            bounds = (1, nil)
        } else if take("?") {
            bounds = (0, 1)
        } else if take("{") {
            bounds = try repetition()
        } else {
            return node
        }
        if take("+") { throw Self.unsupported("a possessive quantifier") }
        _ = take("?")
        return .repeated(node, bounds.0, bounds.1)
    }

    /// The rest of `{n}`, `{n,}` or `{n,m}`.
    private mutating func repetition() throws(JSONKeyPatternError) -> (Int, Int?) {
        guard let minimum = try count() else { throw JSONKeyPatternError("a repetition has no count") }
        var maximum: Int? = minimum
        if take(",") { maximum = try count() }
        guard take("}") else { throw JSONKeyPatternError("a repetition is never closed") }
        if let maximum, maximum < minimum { throw JSONKeyPatternError("a repetition ends before it starts") }
        return (minimum, maximum)
    }

    private mutating func count() throws(JSONKeyPatternError) -> Int? {
        var value: Int?
        while let scalar = peek, JSONCharacterClass.digits.contains(scalar.value) {
            position += 1
            let sum = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            guard sum <= Self.repetitionMaximum else {
                throw JSONKeyPatternError("a repetition is greater than \(Self.repetitionMaximum)")
            }
            value = sum
        }
        return value
    }

    // MARK: Characters

    /// The rest of `[…]`.
    private mutating func characterClass() throws(JSONKeyPatternError) -> JSONCharacterClass {
        var result = JSONCharacterClass()
        result.isNegated = take("^")
        var isFirst = true
        while isFirst || peek != "]" {
            isFirst = false
            let scalar = try next()
            if scalar == "[" { throw Self.unsupported("a class inside a class") }
            if scalar == "&", peek == "&" { throw Self.unsupported("an intersection of classes") }
            guard scalar != "\\" else {
                let escaped = try escape()
                if let single = escaped.single {
                    try insertRange(from: single, into: &result)
                } else {
                    result.formUnion(escaped)
                }
                continue
            }
            try insertRange(from: scalar.value, into: &result)
        }
        position += 1
        return result
    }

    /// Inserts `lower`, or the range it starts.
    private mutating func insertRange(
        from lower: UInt32, into result: inout JSONCharacterClass
    ) throws(JSONKeyPatternError) {
        guard peek == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
            result.insert(lower)
            return
        }
        position += 1
        let scalar = try next()
        guard scalar != "[" else { throw Self.unsupported("a class inside a class") }
        let upper = scalar == "\\" ? try escape().single : scalar.value
        guard let upper, upper >= lower else { throw JSONKeyPatternError("a range of characters has no valid end") }
        result.ranges.append(lower...upper)
    }

    /// What follows a backslash.
    private mutating func escape() throws(JSONKeyPatternError) -> JSONCharacterClass {
        let scalar = try next()
        switch scalar {
        case "d": return .digits
        case "w": return .word
        case "s": return .space
        case "D": return JSONCharacterClass(ranges: JSONCharacterClass.digits.ranges, isNegated: true)
        case "W": return JSONCharacterClass(ranges: JSONCharacterClass.word.ranges, isNegated: true)
        case "S": return JSONCharacterClass(ranges: JSONCharacterClass.space.ranges, isNegated: true)
        case "t": return JSONCharacterClass(ranges: [0x09...0x09])
        case "n": return JSONCharacterClass(ranges: [0x0A...0x0A])
        case "f": return JSONCharacterClass(ranges: [0x0C...0x0C])
        case "r": return JSONCharacterClass(ranges: [0x0D...0x0D])
        case "x": return try hexadecimal(digits: 2)
        case "u": return try hexadecimal(digits: 4)
        case "0"..."9", "a"..."z", "A"..."Z": throw Self.unsupported("\"\\\(scalar)\"")
        default: return JSONCharacterClass(ranges: [scalar.value...scalar.value])
        }
    }

    private mutating func hexadecimal(digits: Int) throws(JSONKeyPatternError) -> JSONCharacterClass {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = UInt8(exactly: try next().value), let digit = byte.hexadecimalDigit else {
                throw JSONKeyPatternError("a hexadecimal escape is incomplete")
            }
            value = value << 4 | digit
        }
        return JSONCharacterClass(ranges: [value...value])
    }

    // MARK: Scalars

    private var peek: Unicode.Scalar? {
        position < scalars.count ? scalars[position] : nil
    }

    private mutating func next() throws(JSONKeyPatternError) -> Unicode.Scalar {
        guard let scalar = peek else { throw JSONKeyPatternError("it ends too early") }
        position += 1
        return scalar
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    private static func unsupported(_ what: String) -> JSONKeyPatternError {
        JSONKeyPatternError("\(what) is not supported")
    }
}

extension JSONCharacterClass {
    /// The scalar of a class that has only one.
    fileprivate var single: UInt32? {
        guard !isNegated, ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }
}
