// The owner of a libyaml parser, and the only file that knows the library. libyaml pulls characters from a buffer of
// ours and hands out one event per call; it is neither recursive nor does it call back.
//
// One reader serves one text on one thread.
import CYAML

/// Reads the events of one YAML text.
final class YAMLEventReader {
    // Both are heap memory of our own, because libyaml keeps pointers into them.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let source: Int
    private let rewrites: [JSONSurrogates.Rewrite]
    private let text: SourceText

    /// Prepares to read a text.
    /// - Parameter source: the number of the text in the marks of events.
    init(_ text: SourceText, source: Int) throws(YAMLProblem) {
        let readable = JSONSurrogates.joined(in: text)
        self.text = text
        self.source = source
        rewrites = readable.rewrites
        parser = .allocate(capacity: 1)
        input = .allocate(capacity: max(1, readable.bytes.count))
        _ = input.initialize(from: readable.bytes)
        guard yaml_parser_initialize(parser) == 1 else {
            // `deinit` runs for the fully initialised object; deleting needs a parser that is at least zeroed.
            parser.initialize(to: yaml_parser_t())
            throw YAMLProblem(
                mark: Mark(source: source, line: 0, column: 0), message: "not enough memory to read this text")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, readable.bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    /// The next event. Nothing may be asked after `streamEnd` or an error.
    func next() throws(YAMLProblem) -> YAMLEvent {
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
            defer { yaml_event_delete(&event) }
            // The start of the stream says nothing that we do not know.
            if let translated = translate(event) { return translated }
        }
    }

    private func translate(_ event: yaml_event_t) -> YAMLEvent? {
        let start = mark(event.start_mark)
        let end = mark(event.end_mark)
        func plain(_ kind: YAMLEvent.Kind) -> YAMLEvent { YAMLEvent(kind: kind, start: start, end: end) }
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: return plain(.documentStart)
        case YAML_DOCUMENT_END_EVENT: return plain(.documentEnd)
        case YAML_SEQUENCE_END_EVENT: return plain(.sequenceEnd)
        case YAML_MAPPING_END_EVENT: return plain(.mappingEnd)
        case YAML_ALIAS_EVENT: return plain(.alias(Self.string(event.data.alias.anchor) ?? ""))
        case YAML_SEQUENCE_START_EVENT:
            let value = event.data.sequence_start
            return YAMLEvent(
                kind: .sequenceStart, anchor: Self.string(value.anchor), tag: Self.string(value.tag), start: start,
                end: end)
        case YAML_MAPPING_START_EVENT:
            let value = event.data.mapping_start
            return YAMLEvent(
                kind: .mappingStart, anchor: Self.string(value.anchor), tag: Self.string(value.tag), start: start,
                end: end)
        case YAML_SCALAR_EVENT:
            let value = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: value.value, count: value.length), as: UTF8.self)
            return YAMLEvent(
                kind: .scalar(text: text, style: Self.style(value.style)), anchor: Self.string(value.anchor),
                tag: Self.string(value.tag), start: start, end: end)
        case YAML_STREAM_END_EVENT: return plain(.streamEnd)
        default: return nil
        }
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        text.map { String(cString: $0) }
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLScalar.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE: .literal
        case YAML_FOLDED_SCALAR_STYLE: .folded
        default: .plain
        }
    }

    /// libyaml counts lines and columns (characters) from 0.
    private func mark(_ mark: yaml_mark_t) -> Mark {
        let line = mark.line + 1
        let column = mark.column + 1
        // The end of the text is the end of its last line, not the beginning of one that nobody sees.
        if line > text.lineCount {
            let length = text.line(text.lineCount).unicodeScalars.count
            return Mark(source: source, line: text.lineCount, column: length + 1)
        }
        return Mark(source: source, line: line, column: JSONSurrogates.column(column, inLine: line, undoing: rewrites))
    }

    /// What libyaml complains about, in words for people who do not know its grammar.
    private func problem() -> YAMLProblem {
        let words = parser.pointee.problem.map { String(cString: $0) } ?? "not readable"
        switch parser.pointee.error {
        case YAML_MEMORY_ERROR:
            return YAMLProblem(
                mark: Mark(source: source, line: 0, column: 0), message: "not enough memory to read this text")
        case YAML_READER_ERROR:
            let position = text.position(ofOffset: parser.pointee.problem_offset)
            let mark = Mark(source: source, line: position.line, column: position.column)
            return YAMLProblem(
                mark: mark, message: "a control character is not allowed here",
                hint: "remove it, or write it as an escape in a text in double quotes, e.g. \"\\x07\"")
        default:
            let context = parser.pointee.context.map { String(cString: $0) } ?? ""
            return YAMLSyntax.problem(
                words, context: context, at: mark(parser.pointee.problem_mark),
                contextMark: mark(parser.pointee.context_mark), in: text)
        }
    }
}
