// Where something stands in a configuration text. Every node of a YAML tree carries marks, so that a problem found long
// after parsing still points at its line and column.

/// A place in one of the texts of a `DiagnosticSink`.
public struct Mark: Sendable, Hashable {
    /// Which text, as numbered by the sink.
    public let source: Int
    /// Counted from 1; 0 means the text as a whole.
    public let line: Int
    /// In characters (Unicode scalars), counted from 1; 0 means the line as a whole.
    public let column: Int

    /// Makes a mark.
    public init(source: Int, line: Int, column: Int) {
        self.source = source
        self.line = line
        self.column = column
    }
}

extension Mark: Comparable {
    /// Order by text, line, column.
    public static func < (left: Mark, right: Mark) -> Bool {
        (left.source, left.line, left.column) < (right.source, right.line, right.column)
    }
}
