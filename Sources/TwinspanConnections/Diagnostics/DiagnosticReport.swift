// What `twinspan lint` prints: every problem with its lines, a caret, and the count at the end.
public import TwinspanJSON

/// The problems of a run over some files.
public struct DiagnosticReport: Sendable {
    /// Sorted.
    public let diagnostics: [Diagnostic]
    /// How many files were looked at.
    public let fileCount: Int

    private static let width = 100
    private static let indent = "    "

    /// Makes a report.
    public init(_ diagnostics: [Diagnostic], fileCount: Int) {
        self.diagnostics = diagnostics.sorted()
        self.fileCount = fileCount
    }

    /// How many errors there are.
    public var errorCount: Int { diagnostics.count { $0.severity == .error } }
    /// How many warnings there are.
    public var warningCount: Int { diagnostics.count { $0.severity == .warning } }

    /// The text for a terminal, ending in a line break.
    /// - Parameter isColoured: whether to use ANSI colours.
    public func text(isColoured: Bool = false) -> String {
        let paint = Paint(isOn: isColoured)
        var text = ""
        for diagnostic in diagnostics { Self.write(diagnostic, paint, into: &text) }
        return text + summary + "\n"
    }

    /// E.g. `2 errors, 1 warning in 1 of 3 files`.
    public var summary: String {
        func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
        let files = counted(fileCount, "file")
        let problems = diagnostics.filter { $0.severity > .note }
        if problems.isEmpty { return "no problems in \(files)" }
        var parts: [String] = []
        if errorCount > 0 { parts.append(counted(errorCount, "error")) }
        if warningCount > 0 { parts.append(counted(warningCount, "warning")) }
        let affected = Set(problems.map(\.file)).count
        return "\(parts.joined(separator: ", ")) in \(affected) of \(files)"
    }

    /// The same for programs.
    public var json: JSONValue {
        .object(
            JSONObject([
                ("files", .number(JSONNumber(fileCount))), ("errors", .number(JSONNumber(errorCount))),
                ("warnings", .number(JSONNumber(warningCount))), ("diagnostics", .array(diagnostics.map(\.json))),
            ]))
    }

    private static func write(_ diagnostic: Diagnostic, _ paint: Paint, into text: inout String) {
        let severity = paint.severity(diagnostic.severity)
        text += "\(paint.bold(diagnostic.location)): \(severity): \(diagnostic.message).\n"
        // A warning says all in its first line; an error shows the line that has to change.
        let showsExcerpt = diagnostic.severity == .error && diagnostic.column > 0 && !diagnostic.excerpt.isEmpty
        guard showsExcerpt else {
            if let question = diagnostic.question { writeHint(question, paint, into: &text) }
            if let hint = diagnostic.hint { writeHint(hint, paint, into: &text) }
            return
        }
        let excerpt = Excerpt(diagnostic, width: width)
        for line in excerpt.lines { text += paint.dim(line.gutter) + line.text + "\n" }
        text += paint.dim(excerpt.caretGutter) + paint.severity(excerpt.caret, as: diagnostic.severity)
        // The first advice stands behind the caret if it fits, what is left on lines of its own.
        var advice = [diagnostic.question, diagnostic.hint].compactMap { $0 }
        let used = excerpt.caretGutter.count + excerpt.caret.count
        if let first = advice.first, used + 1 + first.count <= width {
            text += " \(paint.hint(first))"
            advice.removeFirst()
        }
        text += "\n"
        for hint in advice { writeHint(hint, paint, into: &text) }
    }

    /// A hint on lines of its own, broken at spaces.
    private static func writeHint(_ hint: String, _ paint: Paint, into text: inout String) {
        var line = ""
        for word in hint.split(separator: " ") {
            if !line.isEmpty, indent.count + line.count + 1 + word.count > width {
                text += indent + paint.hint(line) + "\n"
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        if !line.isEmpty { text += indent + paint.hint(line) + "\n" }
    }
}

extension Diagnostic {
    /// `{"severity","file","line","column","length","path","message","hint","suggestion"}`. What is unknown is absent,
    /// as line and column are when a whole file is meant.
    public var json: JSONValue {
        var object: JSONObject = ["severity": .string(severity.rawValue), "file": .string(file)]
        if line > 0 { object["line"] = .number(JSONNumber(line)) }
        if column > 0 {
            object["column"] = .number(JSONNumber(column))
            object["length"] = .number(JSONNumber(length))
        }
        if !path.isEmpty { object["path"] = .string(path) }
        object["message"] = .string(message)
        if let hint { object["hint"] = .string(hint) }
        if let suggestion { object["suggestion"] = .string(suggestion) }
        return .object(object)
    }
}
