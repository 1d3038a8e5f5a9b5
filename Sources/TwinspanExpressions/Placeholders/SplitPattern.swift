// The separator of fn:split. The reference takes it as a regular expression and splits as Java's `String.split`.

/// A compiled separator.
struct SplitPattern: Sendable, Hashable {
    let text: String
    private let expression: RegularExpression

    /// - Throws: why `text` is not a supported regular expression.
    init(_ text: String) throws(RegularExpression.Failure) {
        self.text = text
        expression = try RegularExpression(text)
    }

    static func == (left: SplitPattern, right: SplitPattern) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }

    /// The pieces between separators. Trailing empty pieces are dropped, so a text of separators only has none; a text
    /// without a separator is its own single piece.
    func split(_ text: String) -> [String] {
        let scalars = Array(text.unicodeScalars)
        var pieces: [String] = []
        var pieceStart = 0
        var searchStart = 0
        while let match = expression.firstMatch(in: scalars, from: searchStart) {
            searchStart = match.isEmpty ? match.upperBound + 1 : match.upperBound
            // A match of nothing at the very start separates nothing.
            if match.isEmpty && (match.lowerBound == 0 || match.lowerBound == scalars.count) { continue }
            pieces.append(Self.text(of: scalars[pieceStart..<match.lowerBound]))
            pieceStart = match.upperBound
        }
        guard pieceStart > 0 else { return [text] }
        pieces.append(Self.text(of: scalars[pieceStart...]))
        while pieces.last == "" { pieces.removeLast() }
        return pieces
    }

    private static func text(of scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
