// The quoted lines of one diagnostic, laid out: line numbers in a gutter, tabs as spaces, long lines cut around the
// place that is meant.

/// Lines ready for printing.
struct Excerpt {
    let lines: [(gutter: String, text: String)]
    let caretGutter: String
    /// Spaces, then `^` under every character that is meant.
    let caret: String

    /// At least this wide is the column of line numbers.
    private static let numberWidth = 5

    init(_ diagnostic: Diagnostic, width: Int) {
        let digits = max(Self.numberWidth, diagnostic.excerpt.map { "\($0.number)".count }.max() ?? 0)
        let room = width - digits - 3
        let meant = diagnostic.excerpt.last?.text ?? ""
        let start = diagnostic.column - 1
        let cut = Self.cut(lineLength: meant.unicodeScalars.count, column: start, length: diagnostic.length, room: room)
        lines = diagnostic.excerpt.map { line in
            let number = String(repeating: " ", count: digits - "\(line.number)".count) + "\(line.number)"
            return ("\(number) | ", Self.visible(line.text, from: cut, room: room))
        }
        caretGutter = String(repeating: " ", count: digits) + " | "
        let before = max(0, start - cut)
        let length = max(1, min(diagnostic.length, room - before))
        caret = String(repeating: " ", count: before) + String(repeating: "^", count: length)
    }

    /// How many characters to leave away at the beginning of the lines.
    private static func cut(lineLength: Int, column: Int, length: Int, room: Int) -> Int {
        if lineLength <= room || column + min(length, room / 2) <= room { return 0 }
        return max(0, min(column - room / 3, lineLength - room + 1))
    }

    private static func visible(_ text: String, from cut: Int, room: Int) -> String {
        var characters = text.unicodeScalars.map { $0 == "\t" || $0.value < 0x20 ? " " : $0 }
        if cut > 0 {
            characters = Array(characters.dropFirst(cut))
            if !characters.isEmpty { characters[0] = "…" }
        }
        if characters.count > room { characters = Array(characters.prefix(room - 1)) + ["…"] }
        var line = String.UnicodeScalarView()
        line.append(contentsOf: characters)
        return String(line)
    }
}

/// ANSI colours, or none.
struct Paint {
    let isOn: Bool

    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }
    func hint(_ text: String) -> String { wrap(text, "36") }
    func severity(_ severity: Diagnostic.Severity) -> String { self.severity(severity.rawValue, as: severity) }

    func severity(_ text: String, as severity: Diagnostic.Severity) -> String {
        switch severity {
        case .error: wrap(text, "1;31")
        case .note: wrap(text, "1;36")
        case .warning: wrap(text, "1;33")
        }
    }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
