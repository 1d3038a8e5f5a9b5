// What is wrong with a filter (`rql.expression.invalid`, status 400; `things:condition.invalid` for conditions). The
// edges turn it into the wire error. Clients check the text `Invalid input '…'` (spec/policies-search.md part H).

/// A filter that cannot be compiled.
public struct RQLError: Error, Sendable, Equatable {
    /// UTF-8 byte offset in the filter.
    public let offset: Int
    /// What was found and expected, then the place: the line of the filter and a caret below it.
    public let message: String
    /// What to do.
    public let description: String

    /// Characters of a long line that are shown before and after the place.
    private static let excerptLength = 60

    init(_ problem: String, description: String, at offset: Int, in bytes: [UInt8]) {
        self.offset = offset
        self.description = description
        let lineStart = bytes[..<offset].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let lineEnd = bytes[offset...].firstIndex(of: 0x0A) ?? bytes.count
        let before = Array(String(decoding: bytes[lineStart..<offset], as: UTF8.self).unicodeScalars)
        let after = String(decoding: bytes[offset..<lineEnd], as: UTF8.self).unicodeScalars
        let line = bytes[..<offset].count { $0 == 0x0A } + 1
        let shownBefore = before.suffix(Self.excerptLength)
        var text = "\(problem) (line \(line), column \(before.count + 1)):\n"
        text.unicodeScalars.append(contentsOf: shownBefore)
        text.unicodeScalars.append(contentsOf: after.prefix(Self.excerptLength))
        text += "\n" + String(repeating: " ", count: shownBefore.count) + "^"
        message = text
    }
}
