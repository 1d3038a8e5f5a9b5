// A regular expression over whole texts, for settings such as blocked host names. The engine takes linear time.

/// A pattern that a text matches as a whole or not at all.
public struct TextPattern: Sendable {
    private let expression: RegularExpression

    /// Nil when the text is no regular expression of ours: literals, classes, groups, `|`, `* + ? {n,m}`.
    public init?(_ pattern: String) {
        // The anchors stand around a group, because `|` binds weaker than they do.
        // The caller says which setting is wrong; the reason is not kept.
        guard let expression = try? RegularExpression("^(?:\(pattern))$") else { return nil }
        self.expression = expression
    }

    public func matches(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        return expression.firstMatch(in: scalars, from: 0) == 0..<scalars.count
    }
}
