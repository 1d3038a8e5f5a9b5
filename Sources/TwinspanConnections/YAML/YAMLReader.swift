// The way from a text to its documents. Problems go to the sink; what could be read is returned.

/// Reads YAML texts. JSON is YAML.
struct YAMLReader {
    private let environment: ConfigurationEnvironment
    private let limits: YAMLLimits
    private let sink: DiagnosticSink

    init(environment: ConfigurationEnvironment, limits: YAMLLimits = .standard, sink: DiagnosticSink) {
        self.environment = environment
        self.limits = limits
        self.sink = sink
    }

    /// The documents of a text; empty if it is not valid YAML, which the sink then knows.
    /// - Parameter directory: what `${file:…}` is relative to.
    func documents(of text: SourceText, directory: String) -> [YAMLNode] {
        let source = sink.add(text)
        let whole = Spot(mark: Mark(source: source, line: 0, column: 0))
        guard text.bytes.count <= limits.bytes else {
            sink.error(at: whole, "the file has \(text.bytes.count) bytes, more than the \(limits.bytes) allowed")
            return []
        }
        if let offset = UTF8Validity.firstInvalidOffset(in: text.bytes) {
            let position = text.position(ofOffset: offset)
            sink.error(
                at: Spot(mark: Mark(source: source, line: position.line, column: position.column)),
                "this byte is not UTF-8", hint: "save the file as UTF-8")
            return []
        }
        var builder = YAMLTreeBuilder(
            source: source, substitution: VariableSubstitution(environment: environment, directory: directory),
            limits: limits, sink: sink)
        do {
            return try builder.documents(from: YAMLEventReader(text, source: source))
        } catch {
            sink.error(
                at: Spot(mark: error.mark, length: error.length), error.message, hint: error.hint,
                suggestion: error.suggestion)
            return []
        }
    }
}

/// UTF-8 checked before libyaml sees it, because libyaml gives such problems no line.
enum UTF8Validity {
    /// The offset of the first byte that belongs to no character, nil if there is none.
    static func firstInvalidOffset(in bytes: [UInt8]) -> Int? {
        if String(validating: bytes, as: UTF8.self) != nil { return nil }
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): offset += UTF8.width(scalar)
            case .emptyInput, .error: return min(offset, bytes.count - 1)
            }
        }
    }
}
