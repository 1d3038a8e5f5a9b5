// libyaml's complaints in words for people who do not know its grammar. Its own words are kept where they are clear.

enum YAMLSyntax {
    /// Complaints that need no more than other words.
    private static let rephrased: [String: (message: String, hint: String?)] = [
        "found a tab character that violates indentation": ("a tab cannot indent", "use spaces"),
        "found a tab character where an indentation space is expected": ("a tab cannot indent", "use spaces"),
        "block sequence entries are not allowed in this context": (
            "a list entry is not allowed here", "begin the list on a line of its own, or write [a, b]"
        ),
        "mapping values are not allowed in this context": (
            "a ':' is not allowed here", "put text that holds ': ' in quotes, or check the indentation of this line"
        ),
        "did not find expected node content": ("expected a value", nil),
        "did not find expected <document start>": (
            "expected the end of the document", "check the indentation; a second document begins with '---'"
        ),
        "found unknown escape character": (
            "unknown escape in a text in double quotes", "write '\\\\' for a backslash, or use single quotes"
        ),
        "found undefined tag handle": ("unknown tag", "put text that begins with '!' in quotes"),
    ]

    /// Rephrases a complaint of libyaml's scanner or parser.
    /// - Parameters:
    ///   - words: what libyaml says is wrong.
    ///   - context: what libyaml was reading, `""` if it does not say.
    ///   - mark: where libyaml noticed.
    ///   - contextMark: where that which it was reading began.
    static func problem(
        _ words: String, context: String, at mark: Mark, contextMark: Mark, in text: SourceText
    ) -> YAMLProblem {
        if let (message, hint) = rephrased[words] { return YAMLProblem(mark: mark, message: message, hint: hint) }
        switch words {
        case "found character that cannot start any token": return badCharacter(at: mark, in: text)
        case "could not find expected ':'":
            return YAMLProblem(
                mark: contextMark, length: Spot(from: contextMark, to: mark).length, message: "a key without ':'",
                hint: "write 'key: value', and indent text that goes on in the next line")
        case "found unexpected end of stream", "found unexpected document indicator":
            return YAMLProblem(mark: contextMark, message: "this quote is never closed")
        case "did not find expected ',' or '}'": return unclosed("}", "{", at: mark, contextMark, in: text)
        case "did not find expected ',' or ']'": return unclosed("]", "[", at: mark, contextMark, in: text)
        case "did not find expected key":
            return YAMLProblem(
                mark: mark, message: "expected a key",
                hint: "keys of one object begin in the same column; this object begins at \(place(contextMark))")
        case "did not find expected '-' indicator":
            return YAMLProblem(
                mark: mark, message: "expected '-'",
                hint: "entries of one list begin in the same column; this list begins at \(place(contextMark))")
        case "found invalid Unicode character escape code":
            // libyaml stands behind the two characters that begin the escape.
            let start = Mark(source: mark.source, line: mark.line, column: max(1, mark.column - 2))
            return YAMLProblem(mark: start, length: 2, message: "this escape is no character")
        default:
            let what = context.isEmpty ? words : "\(words) \(context)"
            return YAMLProblem(mark: mark, message: "not valid YAML: \(what)")
        }
    }

    private static func unclosed(
        _ closing: String, _ opening: String, at mark: Mark, _ start: Mark, in text: SourceText
    ) -> YAMLProblem {
        let offset = text.offset(line: mark.line, column: mark.column)
        if offset > 0, text.bytes[(offset - 1)...].starts(with: Array("${".utf8)) {
            return YAMLProblem(
                mark: Mark(source: mark.source, line: mark.line, column: mark.column - 1),
                message: "a variable inside of '{ }' or '[ ]' has to stand in quotes", hint: "write \"${NAME}\"")
        }
        return YAMLProblem(
            mark: mark, message: "expected ',' or '\(closing)'", hint: "the '\(opening)' stands at \(place(start))")
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

    private static func place(_ mark: Mark) -> String { "line \(mark.line), column \(mark.column)" }
}
