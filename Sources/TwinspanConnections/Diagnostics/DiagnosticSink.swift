// Collects the problems of one reading, together with the texts they point into. Lives on one thread for the time of
// that reading.
import TwinspanProtocol

/// Collects diagnostics and knows the texts that were read.
public final class DiagnosticSink {
    private var sources: [SourceText] = []
    private var collected: [Diagnostic] = []
    private(set) var notes: [Diagnostic] = []
    /// What the errors are over HTTP, in the order in which they were found.
    private var wireErrors: [(rank: Int, error: TwinspanError)] = []
    /// Whether keys that nobody knows are passed over, as Ditto does in bodies of requests.
    let ignoresUnknownKeys: Bool
    /// How many errors there are so far; a reader compares before and after to know whether its part is usable.
    public private(set) var errorCount = 0

    public init() { ignoresUnknownKeys = false }

    init(ignoresUnknownKeys: Bool) { self.ignoresUnknownKeys = ignoresUnknownKeys }

    /// The error that Ditto would answer with: it reads a definition before it validates it, so what cannot be read
    /// comes first.
    var wireError: TwinspanError? { wireErrors.min { $0.rank < $1.rank }?.error }

    /// All problems, sorted.
    public var diagnostics: [Diagnostic] { collected.sorted() }

    /// Registers a text, so that marks can name it.
    /// - Returns: its number.
    func add(_ source: SourceText) -> Int {
        sources.append(source)
        return sources.count - 1
    }

    /// The text of a number from `add`.
    func source(_ number: Int) -> SourceText { sources[number] }

    /// Reports what makes something unusable.
    /// - Parameter wire: what it is over HTTP.
    func error(
        at spot: Spot, path: ConfigurationPath = .root, _ message: String, hint: String? = nil,
        suggestion: String? = nil, as wire: WireError = .configurationInvalid
    ) {
        report(.error, at: spot, path: path, message, hint: hint, suggestion: suggestion)
        if let diagnostic = collected.last { wireErrors.append((wire.rank, wire.error(for: diagnostic))) }
    }

    /// Reports what is usable but probably not meant.
    func warning(
        at spot: Spot, path: ConfigurationPath = .root, _ message: String, hint: String? = nil,
        suggestion: String? = nil
    ) {
        report(.warning, at: spot, path: path, message, hint: hint, suggestion: suggestion)
    }

    /// Reports a problem of a whole file that has no text, e.g. because it cannot be read.
    func error(file: String, _ message: String, hint: String? = nil) {
        add(Diagnostic(severity: .error, file: file, line: 0, column: 0, message: message, hint: hint))
    }

    /// Reports something about a whole file that does no harm.
    func warning(file: String, _ message: String, hint: String? = nil) {
        add(Diagnostic(severity: .warning, file: file, line: 0, column: 0, message: message, hint: hint))
    }

    /// Reports what is no problem and worth knowing. It is kept apart from the problems.
    func note(at spot: Spot, path: ConfigurationPath, _ message: String, hint: String? = nil) {
        let source = sources[spot.mark.source]
        notes.append(
            Diagnostic(
                severity: .note, file: source.name, line: spot.mark.line, column: spot.mark.column,
                length: spot.length, path: path.description, message: message, hint: hint))
    }

    /// Whether there is an error in some lines of a text.
    func hasError(in source: Int, lines: Range<Int>) -> Bool {
        let file = sources[source].name
        return collected.contains { $0.severity == .error && $0.file == file && lines.contains($0.line) }
    }

    /// Whether a field has been reported at this place, at least as severely.
    func hasReported(_ severity: Diagnostic.Severity, at spot: Spot, path: ConfigurationPath) -> Bool {
        let file = sources[spot.mark.source].name
        let pathText = path.description
        return collected.contains {
            $0.path == pathText && $0.line == spot.mark.line && $0.severity >= severity && $0.file == file
        }
    }

    /// Reports a problem in the text.
    /// - Parameter hint: what to do, without a full stop.
    func report(
        _ severity: Diagnostic.Severity, at spot: Spot, path: ConfigurationPath, _ message: String, hint: String?,
        suggestion: String? = nil
    ) {
        let source = sources[spot.mark.source]
        let line = spot.mark.line
        var excerpt: [Diagnostic.ExcerptLine] = []
        for number in [line - 1, line] where number >= 1 && number <= source.lineCount {
            let text = SecretMask.masking(source.line(number))
            // An empty line before explains nothing.
            if number == line || text.contains(where: { !$0.isWhitespace }) {
                excerpt.append(Diagnostic.ExcerptLine(number: number, text: text))
            }
        }
        add(
            Diagnostic(
                severity: severity, file: source.name, line: line, column: spot.mark.column, length: spot.length,
                path: path.description, message: message, hint: hint, suggestion: suggestion, excerpt: excerpt))
    }

    private func add(_ diagnostic: Diagnostic) {
        if diagnostic.severity == .error { errorCount += 1 }
        collected.append(diagnostic)
    }

    /// The place of a part of a scalar, by UTF-8 offsets of its text; the whole value if it is no scalar.
    func spot(in node: YAMLNode, _ range: Range<Int>) -> Spot {
        guard let positions = ScalarPositions(node, in: sources[node.start.source]) else { return Spot(of: node) }
        let start = positions.mark(of: range.lowerBound)
        guard range.count > 1 else { return Spot(mark: start) }
        let last = positions.mark(of: range.upperBound - 1)
        return Spot(mark: start, length: start.line == last.line ? last.column - start.column + 1 : 1)
    }
}
