// A problem in a configuration: what, where, and what to do about it. All problems of all files are collected and
// shown together, sorted; nothing stops at the first.

/// A problem found in a configuration.
public struct Diagnostic: Sendable, Equatable {
    /// Whether the configuration can be used in spite of it.
    public enum Severity: String, Sendable, Comparable, CaseIterable {
        /// Nothing is wrong; it is worth knowing.
        case note
        /// It can be used, but probably does not what was meant.
        case warning
        /// What the diagnostic points at cannot be used.
        case error

        /// Notes come before warnings, and warnings before errors.
        public static func < (left: Severity, right: Severity) -> Bool { left.weight < right.weight }

        private var weight: Int {
            switch self {
            case .note: 0
            case .warning: 1
            case .error: 2
            }
        }
    }

    /// A line of the text, quoted.
    public struct ExcerptLine: Sendable, Equatable {
        /// Counted from 1.
        public let number: Int
        public let text: String

        /// Makes a quoted line.
        public init(number: Int, text: String) {
            self.number = number
            self.text = text
        }
    }

    public let severity: Severity
    /// The file's path as it was given, or the option a value came from.
    public let file: String
    /// Counted from 1; 0 when the file as a whole is meant.
    public let line: Int
    /// In characters, counted from 1; 0 when the line as a whole is meant.
    public let column: Int
    /// How many characters are meant, at least 1.
    public let length: Int
    /// Where in the document, e.g. `/sources/0/qos`; empty when the problem is not one of a field.
    public let path: String
    /// What is wrong, without a full stop at its end.
    public let message: String
    /// What to do, or what is allowed; nil when the message says it.
    public let hint: String?
    /// The word that was probably meant in place of the marked one.
    public let suggestion: String?
    /// The line and the one before it.
    public let excerpt: [ExcerptLine]

    /// Makes a diagnostic.
    public init(
        severity: Severity, file: String, line: Int, column: Int, length: Int = 1, path: String = "", message: String,
        hint: String? = nil, suggestion: String? = nil, excerpt: [ExcerptLine] = []
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.length = length
        self.path = path
        self.message = message
        self.hint = hint
        self.suggestion = suggestion
        self.excerpt = excerpt
    }
}

extension Diagnostic: Comparable {
    /// Order by file, line, column; at one place errors come first.
    public static func < (left: Diagnostic, right: Diagnostic) -> Bool {
        if left.file != right.file { return left.file < right.file }
        if left.line != right.line { return left.line < right.line }
        if left.column != right.column { return left.column < right.column }
        if left.severity != right.severity { return left.severity > right.severity }
        return left.message < right.message
    }
}

extension Diagnostic: CustomStringConvertible {
    /// One line: `file:line:column: error: what. hint`.
    public var description: String {
        ["\(location): \(severity.rawValue): \(message).", question, hint].compactMap { $0 }.joined(separator: " ")
    }

    /// `did you mean '…'?`, nil without a suggestion.
    var question: String? { suggestion.map { "did you mean '\($0)'?" } }

    /// `file:line:column`, as far as known.
    public var location: String {
        var text = file
        if line > 0 { text += ":\(line)" }
        if line > 0 && column > 0 { text += ":\(column)" }
        return text
    }
}
