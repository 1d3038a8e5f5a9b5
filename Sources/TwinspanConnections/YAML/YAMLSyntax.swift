// libyaml's complaints in words for people who do not know its grammar. Its own words are kept where they are clear.

enum YAMLSyntax {
    /// Rephrases a complaint of libyaml's scanner or parser.
    /// - Parameters:
    ///   - words: what libyaml says is wrong.
    ///   - context: what libyaml was reading, `""` if it does not say.
    ///   - mark: where libyaml noticed.
    ///   - contextMark: where that which it was reading began.
    // One table; it is longer than other functions because libyaml has that many complaints.
    static func problem(
        _ words: String, context: String, at mark: Mark, contextMark: Mark, in text: SourceText
    ) -> YAMLProblem {
        switch words {
        case "found character that cannot start any token":
            return badCharacter(at: mark, in: text)
        case "found a tab character that violates indentation",
            "found a tab character where an indentation space is expected":
            return YAMLProblem(mark: mark, message: "a tab cannot indent", hint: "use spaces")
        case "block sequence entries are not allowed in this context":
            return YAMLProblem(
                mark: mark, message: "a list entry is not allowed here",
                hint: "begin the list on a line of its own, or write [a, b]")
        case "mapping values are not allowed in this context":
            return YAMLProblem(
                mark: mark, message: "a ':' is not allowed here",
                hint: "put text that holds ': ' in quotes, or check the indentation of this line")
        case "could not find expected ':'":
            return YAMLProblem(
                mark: contextMark, length: length(from: contextMark, to: mark), message: "a key without ':'",
                hint: "write 'key: value', and indent text that goes on in the next line")
        case "found unexpected end of stream", "found unexpected document indicator":
            return YAMLProblem(mark: contextMark, message: "this quote is never closed")
        case "did not find expected ',' or '}'":
            return YAMLProblem(
                mark: mark, message: "expected ',' or '}'", hint: "the '{' stands at \(place(contextMark))")
        case "did not find expected ',' or ']'":
            return YAMLProblem(
                mark: mark, message: "expected ',' or ']'", hint: "the '[' stands at \(place(contextMark))")
        case "did not find expected key":
            return YAMLProblem(
                mark: mark, message: "expected a key",
                hint: "keys of one object begin in the same column; this object begins at \(place(contextMark))")
        case "did not find expected '-' indicator":
            return YAMLProblem(
                mark: mark, message: "expected '-'",
                hint: "entries of one list begin in the same column; this list begins at \(place(contextMark))")
        case "did not find expected node content":
            return YAMLProblem(mark: mark, message: "expected a value")
        case "did not find expected <document start>":
            return YAMLProblem(
                mark: mark, message: "expected the end of the document",
                hint: "check the indentation; a second document begins with '---'")
        case "found unknown escape character":
            return YAMLProblem(
                mark: mark, message: "unknown escape in a text in double quotes",
                hint: "write '\\\\' for a backslash, or use single quotes")
        case "found invalid Unicode character escape code":
            // libyaml stands behind the two characters that begin the escape.
            let start = Mark(source: mark.source, line: mark.line, column: max(1, mark.column - 2))
            return YAMLProblem(mark: start, length: 2, message: "this escape is no character")
        case "found undefined tag handle":
            return YAMLProblem(mark: mark, message: "unknown tag", hint: "put text that begins with '!' in quotes")
        default:
            let what = context.isEmpty ? words : "\(words) \(context)"
            return YAMLProblem(mark: mark, message: "not valid YAML: \(what)")
        }
    }

    private static func badCharacter(at mark: Mark, in text: SourceText) -> YAMLProblem {
        let offset = text.offset(line: mark.line, column: mark.column)
        let byte = offset < text.bytes.count ? text.bytes[offset] : 0
        if byte == UInt8(ascii: "\t") {
            return YAMLProblem(mark: mark, message: "a tab cannot indent", hint: "use spaces")
        }
        let character = String(decoding: [byte], as: UTF8.self)
        return YAMLProblem(
            mark: mark, message: "text cannot begin with '\(character)'", hint: "put it in quotes")
    }

    private static func length(from start: Mark, to end: Mark) -> Int {
        start.line == end.line ? max(1, end.column - start.column) : 1
    }

    private static func place(_ mark: Mark) -> String { "line \(mark.line), column \(mark.column)" }
}
