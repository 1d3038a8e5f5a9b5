// Text operations of the pipeline functions. They compare UTF-8 bytes: Swift's own string search treats canonically
// equivalent characters as equal, which a wire format must not.

extension String {
    /// The text before the first `delimiter`; `nil` when it is not contained.
    func before(_ delimiter: String) -> String? {
        firstRange(of: delimiter).map { String(self[..<$0.lowerBound]) }
    }

    /// The text after the first `delimiter`; `nil` when it is not contained.
    func after(_ delimiter: String) -> String? {
        firstRange(of: delimiter).map { String(self[$0.upperBound...]) }
    }

    /// Without leading and trailing characters up to U+0020, control characters included.
    func trimmed() -> String {
        let isText: (UInt8) -> Bool = { $0 > 0x20 }
        guard let first = utf8.firstIndex(where: isText), let last = utf8.lastIndex(where: isText) else { return "" }
        return String(decoding: utf8[first...last], as: UTF8.self)
    }

    /// Replaces every occurrence, left to right. An empty `from` stands between all characters.
    func replacing(literal from: String, with to: String) -> String {
        if from.isEmpty {
            return unicodeScalars.reduce(into: to) { result, scalar in
                result.unicodeScalars.append(scalar)
                result += to
            }
        }
        let bytes = Array(utf8)
        let pattern = Array(from.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var position = 0
        while let found = bytes.firstOffset(of: pattern, from: position) {
            output += bytes[position..<found]
            output += to.utf8
            position = found + pattern.count
        }
        guard position > 0 else { return self }
        output += bytes[position...]
        return String(decoding: output, as: UTF8.self)
    }

    private func firstRange(of needle: String) -> Range<String.Index>? {
        guard let offset = Array(utf8).firstOffset(of: Array(needle.utf8), from: 0) else { return nil }
        let start = utf8.index(utf8.startIndex, offsetBy: offset)
        return start..<utf8.index(start, offsetBy: needle.utf8.count)
    }
}

extension [UInt8] {
    /// Where `pattern` occurs first at or after `start`.
    fileprivate func firstOffset(of pattern: [UInt8], from start: Int) -> Int? {
        guard let first = pattern.first else { return start }
        var position = start
        while position + pattern.count <= count {
            if self[position] == first, self[position..<position + pattern.count].elementsEqual(pattern) {
                return position
            }
            position += 1
        }
        return nil
    }
}
