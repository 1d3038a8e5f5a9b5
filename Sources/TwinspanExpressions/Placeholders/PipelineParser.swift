// Reads a pipeline from the bytes of a template, in one pass, so that every error has its exact offset
// (spec/mapping.md §1 and §3).

/// Parses `stage | stage | …` in a range of a template's UTF-8 bytes.
struct PipelineParser {
    let bytes: [UInt8]
    let scope: PlaceholderScope
    /// Whether the expression was written as `${…}`, where `request.subjectId` is an old spelling.
    var isLegacy = false
    private var position: Int
    private let end: Int

    init(bytes: [UInt8], range: Range<Int>, scope: PlaceholderScope) {
        self.bytes = bytes
        self.scope = scope
        position = range.lowerBound
        end = range.upperBound
    }

    mutating func parse() throws(PlaceholderError) -> Pipeline {
        var head: Placeholder?
        var functions: [PipelineFunction] = []
        skipWhitespace()
        if !startsWithFunction {
            head = try placeholderStage()
        } else {
            functions.append(try functionStage())
        }
        while position < end {
            // A stage ends at a `|` or at the end; both were checked by the stage.
            position += 1
            skipWhitespace()
            guard functions.count < PipelineExpression.functionCountMax else { throw .tooComplex(at: position) }
            functions.append(try functionStage())
        }
        return Pipeline(head: head, functions: functions)
    }

    // MARK: Stages

    private var startsWithFunction: Bool {
        position + 3 <= end && bytes[position..<position + 3].elementsEqual("fn:".utf8)
    }

    /// A placeholder up to the next `|` that is not inside quotes.
    private mutating func placeholderStage() throws(PlaceholderError) -> Placeholder {
        let start = position
        while position < end, bytes[position] != UInt8(ascii: "|") {
            let byte = bytes[position]
            position += 1
            // A quote without a partner, as in `thing-json:/it's`, is an ordinary character.
            if Self.isQuote(byte), let close = bytes[position..<end].firstIndex(of: byte) { position = close + 1 }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self).trimmed()
        if isLegacy, text == "request.subjectId" {
            return try Placeholder(parsing: "request:subjectId", scope: scope, offset: start)
        }
        return try Placeholder(parsing: text, scope: scope, offset: start)
    }

    /// `fn:name(arguments)` followed by `|` or the end.
    private mutating func functionStage() throws(PlaceholderError) -> PipelineFunction {
        let start = position
        while position < end, !Self.endsName(bytes[position]) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let name = PipelineFunction.Name(rawValue: text) else { throw .unknownFunction(text, at: start) }
        guard position < end, bytes[position] == UInt8(ascii: "(") else {
            throw .signature(name, "its parentheses are missing", at: position)
        }
        let argumentsStart = position
        let arguments = try arguments(of: name)
        skipWhitespace()
        guard position == end || bytes[position] == UInt8(ascii: "|") else {
            throw .signature(name, "something follows its closing parenthesis", at: position)
        }
        return try PipelineFunction(name, arguments, offset: argumentsStart)
    }

    // MARK: Arguments

    private mutating func arguments(of name: PipelineFunction.Name) throws(PlaceholderError) -> [PipelineArgument] {
        position += 1
        skipWhitespace()
        if consume(UInt8(ascii: ")")) { return [] }
        var arguments: [PipelineArgument] = []
        while true {
            skipWhitespace()
            arguments.append(try argument(of: name))
            skipWhitespace()
            if consume(UInt8(ascii: ")")) { return arguments }
            guard consume(UInt8(ascii: ",")) else {
                throw .signature(name, "a comma or a closing parenthesis is missing", at: position)
            }
        }
    }

    private mutating func argument(of name: PipelineFunction.Name) throws(PlaceholderError) -> PipelineArgument {
        let start = position
        guard position < end else { throw .signature(name, "its closing parenthesis is missing", at: position) }
        if Self.isQuote(bytes[position]) {
            guard let close = closingQuote(from: position) else {
                throw .signature(name, "a string has no closing quote", at: position)
            }
            position = close + 1
            // The backslash before an escaped quote stays, as in the reference.
            return .constant(String(decoding: bytes[(start + 1)..<close], as: UTF8.self))
        }
        while position < end, !Self.endsPlaceholderArgument(bytes[position]) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard text.utf8.contains(UInt8(ascii: ":")) else {
            throw .signature(name, "an argument is neither a quoted string nor a placeholder", at: start)
        }
        return .placeholder(try Placeholder(parsing: text, scope: scope, offset: start))
    }

    /// Where the string that opens at `start` ends. A backslash protects the next quote or backslash; if no quote is
    /// left that way, backslashes are ordinary, so that `fn:split('\')` is a string of one backslash.
    private func closingQuote(from start: Int) -> Int? {
        let quote = bytes[start]
        var index = start + 1
        while index < end, bytes[index] != quote {
            let isEscape =
                bytes[index] == UInt8(ascii: "\\") && index + 1 < end
                && (bytes[index + 1] == quote || bytes[index + 1] == UInt8(ascii: "\\"))
            index += isEscape ? 2 : 1
        }
        if index < end { return index }
        return bytes[(start + 1)..<end].firstIndex(of: quote)
    }

    // MARK: Bytes

    private mutating func skipWhitespace() {
        while position < end, Self.isWhitespace(bytes[position]) { position += 1 }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private static func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") }

    private static func endsName(_ byte: UInt8) -> Bool {
        isWhitespace(byte) || byte == UInt8(ascii: "(") || byte == UInt8(ascii: "|")
    }

    private static func endsPlaceholderArgument(_ byte: UInt8) -> Bool {
        isWhitespace(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: ")")
    }
}
