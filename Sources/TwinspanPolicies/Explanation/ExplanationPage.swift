// Lays lines out: words are wrapped at 100 columns, cells stand below each other, and what peers have sent does nothing
// to a terminal.

struct ExplanationPage {
    private(set) var lines: [PolicyExplanation.Line] = []

    /// An empty line.
    mutating func gap() { lines.append(("", .plain)) }

    /// A heading behind an empty line.
    mutating func heading(_ text: String) {
        gap()
        lines.append((text, .heading))
    }

    /// Text in as many lines as it takes; all but the first are indented.
    mutating func add(_ text: String, _ tone: PolicyExplanation.Tone, indent: Int = 0) {
        let room = PolicyExplanation.columns - indent
        let lead = text.prefix { $0 == " " }
        for (number, line) in Self.wrapped(text, width: room).enumerated() {
            lines.append(((number == 0 ? String(lead) : String(repeating: " ", count: indent)) + line, tone))
        }
    }

    /// Cells of a row with their widths; the last one takes what is left, below itself where it is long. A cell that is
    /// longer than its width ends its line.
    mutating func add(_ cells: [(text: String, width: Int)], _ tone: PolicyExplanation.Tone) {
        guard let last = cells.last else { return }
        var head = ""
        var column = 0
        for (text, width) in cells.dropLast() {
            head += Self.clean(text)
            column += width + 1
            if head.count >= column {
                for piece in Self.pieces(head, width: PolicyExplanation.columns) { lines.append((piece, tone)) }
                head = ""
            }
            head += String(repeating: " ", count: max(0, column - head.count))
        }
        let margin = String(repeating: " ", count: column)
        for (number, line) in Self.wrapped(last.text, width: PolicyExplanation.columns - column).enumerated() {
            lines.append(((number == 0 ? head : margin) + line, tone))
        }
    }

    /// Breaks at spaces; a longer word is broken where it must be.
    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in clean(text).split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            var parts = pieces(String(word), width: width)
            let rest = parts.removeLast()
            lines += parts
            line += line.isEmpty ? rest : " \(rest)"
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }

    /// A text cut into pieces of a width; one piece at least.
    private static func pieces(_ text: String, width: Int) -> [String] {
        var pieces: [String] = []
        var rest = text[...]
        while rest.count > width {
            pieces.append(String(rest.prefix(width)))
            rest = rest.dropFirst(width)
        }
        return pieces + [String(rest)]
    }

    private static func clean(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 32 || (127..<160).contains(scalar.value)
            result.unicodeScalars.append(isControl ? " " : scalar)
        }
        return result
    }
}
