// What is wrong with a filter or with the options of a search (`rql.expression.invalid`, `things:condition.invalid`,
// `thing-search:search.option.invalid`, all 400). Clients check the text `Invalid input '…'` of the message
// (spec/policies-search.md part H); a person reads the line and the caret of the description.

public import TwinspanProtocol

/// An expression that cannot be compiled.
public struct RQLError: Error, Sendable, Equatable {
    /// UTF-8 byte offset in the expression.
    public let offset: Int
    /// Both count from 1; the column counts Unicode scalars.
    public let line: Int, column: Int
    /// What was found and what was expected, without the place and without a full stop.
    public let problem: String
    /// The line of the expression, cut around the place when it is long, and below it a caret at the place.
    public let excerpt: String
    /// What to do.
    public let advice: String

    /// The problem and its place, in one line.
    public var message: String { "\(problem) (line \(line), column \(column))." }

    /// The place, its line with a caret, and what to do; several lines.
    public var description: String { "Line \(line), column \(column):\n\(excerpt)\n\(advice)" }

    /// Scalars of a long line that are shown before and after the place.
    private static let excerptLength = 60

    init(_ problem: String, advice: String, at place: Int, in bytes: [UInt8]) {
        var offset = place
        // Never inside a character, which could not be shown.
        while offset > 0, offset < bytes.count, bytes[offset] & 0xC0 == 0x80 { offset -= 1 }
        self.offset = offset
        self.problem = problem
        self.advice = advice
        let lineStart = bytes[..<offset].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let lineEnd = bytes[offset...].firstIndex(of: 0x0A) ?? bytes.count
        let before = Array(String(decoding: bytes[lineStart..<offset], as: UTF8.self).unicodeScalars)
        let after = String(decoding: bytes[offset..<lineEnd], as: UTF8.self).unicodeScalars
        line = bytes[..<offset].count { $0 == 0x0A } + 1
        column = before.count + 1
        let shownBefore = before.suffix(Self.excerptLength)
        var text = ""
        for scalar in shownBefore + after.prefix(Self.excerptLength) {
            // A tab would move the caret, and other control characters the cursor of a terminal.
            text.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar)
        }
        excerpt = text + "\n" + String(repeating: " ", count: shownBefore.count) + "^"
    }

    /// The error that clients get: position and caret are in its description.
    ///
    /// - Parameter row: the code, which depends on where the expression stands.
    public func wireError(_ row: ErrorRow = StreamErrorTable.expressionInvalid) -> TwinspanError {
        row.error(message, description: description)
    }
}
