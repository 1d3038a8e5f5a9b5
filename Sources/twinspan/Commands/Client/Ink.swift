// Colour for terminals, and lines that fit.

/// Paints text, or leaves it as it is.
struct Ink {
    enum Colour: String { case red = "31", green = "32", yellow = "33", faint = "2", bold = "1" }

    /// The width that all output fits.
    static let columns = 100

    let isOn: Bool

    func paint(_ text: String, _ colour: Colour?) -> String {
        guard isOn, let colour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    /// Breaks a text at spaces into lines of at most `width`; a longer word is broken where it must be. Control
    /// characters, which a peer may have sent, become spaces.
    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in clean(text).split(separator: " ") {
            var word = Substring(word)
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            while word.count > width {
                lines.append(String(word.prefix(width)))
                word = word.dropFirst(width)
            }
            line += line.isEmpty ? word : " \(word)"
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }

    /// A text that does nothing to a terminal.
    static func clean(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 32 || (127..<160).contains(scalar.value)
            result.unicodeScalars.append(isControl ? " " : scalar)
        }
        return result
    }

    /// A text of at most `width` characters.
    static func cut(_ text: String, to width: Int) -> String {
        let text = clean(text)
        return text.count <= width ? text : text.prefix(width - 1) + "…"
    }
}
