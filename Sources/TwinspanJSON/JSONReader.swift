// Finding one's way in compact canonical text without building anything.
//
// Safe because: every read is guarded by `end`, so that a damaged text gives a wrong answer, not a wild read.

/// A cursorless view of compact text. Valid only inside the call that lent the bytes.
struct JSONReader {
    let bytes: UnsafePointer<UInt8>
    let end: Int

    init(_ text: UnsafeRawBufferPointer) {
        let buffer = text.bindMemory(to: UInt8.self)
        // Without bytes nothing is ever read; any address that is not nil will do.
        bytes = buffer.baseAddress ?? UnsafePointer(bitPattern: 1)!
        end = buffer.count
    }

    @inline(__always)
    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + range.lowerBound, count: range.count)
    }

    /// The position behind the closing quote of the string whose opening quote is at `start`.
    @inline(__always)
    func endOfString(from start: Int) -> (position: Int, hasEscapes: Bool) {
        var position = start &+ 1
        var hasEscapes = false
        while position &+ 8 <= end {
            let marks = JSONWord.quotesAndBackslashes(JSONWord.load(bytes + position))
            guard marks != 0 else {
                position &+= 8
                continue
            }
            position &+= JSONWord.firstIndex(marks)
            if bytes[position] == UInt8(ascii: "\"") { return (position &+ 1, hasEscapes) }
            hasEscapes = true
            position &+= 2
        }
        while position < end {
            if bytes[position] == UInt8(ascii: "\"") { return (position &+ 1, hasEscapes) }
            if bytes[position] == UInt8(ascii: "\\") {
                hasEscapes = true
                position &+= 1
            }
            position &+= 1
        }
        return (end, hasEscapes)
    }

    /// The position behind the number or literal at `start`.
    @inline(__always)
    func endOfScalar(from start: Int) -> Int {
        var position = start
        while position < end {
            let byte = bytes[position]
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { break }
            position &+= 1
        }
        return position
    }

    /// The position behind the value at `start`.
    func endOfValue(from start: Int) -> Int {
        guard start < end else { return end }
        switch bytes[start] {
        case UInt8(ascii: "\""): return endOfString(from: start).position
        case UInt8(ascii: "{"), UInt8(ascii: "["): return endOfContainer(from: start)
        default: return endOfScalar(from: start)
        }
    }

    private func endOfContainer(from start: Int) -> Int {
        var position = start
        var depth = 0
        while position < end {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position = endOfString(from: position).position
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth &+= 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth &-= 1
                if depth == 0 { return position &+ 1 }
            default: break
            }
            position &+= 1
        }
        return end
    }

    /// Calls `body` for each member of the object at `start` with the ranges of key (without quotes) and value, until
    /// it returns `false`. Does nothing if there is no object.
    @inline(__always)
    func forEachMember(from start: Int, _ body: (Range<Int>, Range<Int>) -> Bool) {
        guard start < end, bytes[start] == UInt8(ascii: "{") else { return }
        var position = start &+ 1
        while position < end, bytes[position] == UInt8(ascii: "\"") {
            let keyEnd = endOfString(from: position).position
            let valueStart = keyEnd &+ 1
            let valueEnd = endOfValue(from: valueStart)
            guard valueStart <= valueEnd, valueEnd < end else { return }
            guard body(position &+ 1..<keyEnd &- 1, valueStart..<valueEnd) else { return }
            guard bytes[valueEnd] == UInt8(ascii: ",") else { return }
            position = valueEnd &+ 1
        }
    }

    /// The member of the object at `start` whose key is `key` (as it is, not escaped).
    func member(_ key: UnsafeRawBufferPointer, from start: Int) -> (key: Range<Int>, value: Range<Int>)? {
        guard start < end, bytes[start] == UInt8(ascii: "{") else { return nil }
        var position = start &+ 1
        while position < end, bytes[position] == UInt8(ascii: "\"") {
            let (keyEnd, hasEscapes) = endOfString(from: position)
            let valueStart = keyEnd &+ 1
            let written = slice(position &+ 1..<Swift.max(keyEnd &- 1, position &+ 1))
            let isEqual = hasEscapes ? Self.isEqual(escaped: written, key) : written.hasSameBytes(as: key)
            let valueEnd = endOfValue(from: valueStart)
            guard valueStart <= valueEnd, valueEnd < end else { return nil }
            if isEqual { return (position &+ 1..<keyEnd &- 1, valueStart..<valueEnd) }
            guard bytes[valueEnd] == UInt8(ascii: ",") else { return nil }
            position = valueEnd &+ 1
        }
        return nil
    }

    /// Whether `escaped`, which contains canonical escapes, stands for `key`.
    private static func isEqual(escaped: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer) -> Bool {
        guard escaped.count > key.count else { return false }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 6) { expected in
            var position = 0
            for byte in key {
                let length = JSONUTF8.writeEscaped(ascii: byte, to: expected.baseAddress!)
                guard position + length <= escaped.count else { return false }
                for index in 0..<length where escaped[position + index] != expected[index] { return false }
                position += length
            }
            return position == escaped.count
        }
    }
}
