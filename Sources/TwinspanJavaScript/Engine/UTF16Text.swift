// Between UTF-8, which is ours, and UTF-16, which is the script engine's. Own loops, because the engine's are eight
// times slower and go wrong at a NUL and at bytes that are no text (see `JavaScriptEngineLibrary`).

enum UTF16Text {
    /// Writes the UTF-16 of a text in UTF-8 to the beginning of `units`, which grows where it must.
    /// - Returns: the number of units; nil if the bytes are no UTF-8.
    static func widen(_ bytes: UnsafeRawBufferPointer, into units: inout [UInt16]) -> Int? {
        // No character has more units than bytes.
        if units.count < bytes.count { units = [UInt16](repeating: 0, count: bytes.count) }
        return units.withUnsafeMutableBufferPointer { units in
            var (index, count) = (0, 0)
            while index < bytes.count {
                let plain = plainPrefix(bytes, from: index)
                for position in 0..<plain - index { units[count + position] = UInt16(bytes[index + position]) }
                count += plain - index
                index = plain
                guard index < bytes.count else { break }
                guard let (scalar, length) = scalar(in: bytes, at: index) else { return nil }
                index += length
                if scalar < 0x10000 {
                    units[count] = UInt16(scalar)
                    count += 1
                } else {
                    units[count] = UInt16(0xD800 + (scalar - 0x10000) >> 10)
                    units[count + 1] = UInt16(0xDC00 + (scalar - 0x10000) & 0x3FF)
                    count += 2
                }
            }
            return count
        }
    }

    /// The UTF-8 of UTF-16; half a surrogate pair becomes U+FFFD.
    static func narrow(_ units: UnsafeBufferPointer<UInt16>) -> [UInt8] {
        var all: UInt16 = 0
        for unit in units { all |= unit }
        guard all >= 0x80 else {
            return [UInt8](unsafeUninitializedCapacity: units.count) { bytes, count in
                for index in units.indices { bytes[index] = UInt8(truncatingIfNeeded: units[index]) }
                count = units.count
            }
        }
        return [UInt8](unsafeUninitializedCapacity: units.count * 3) { bytes, count in
            var index = 0
            while index < units.count {
                let unit = UInt32(units[index])
                index += 1
                if unit < 0x80 {
                    bytes[count] = UInt8(truncatingIfNeeded: unit)
                    count += 1
                    continue
                }
                var scalar = unit
                if unit & 0xF800 == 0xD800 {
                    if unit < 0xDC00, index < units.count, units[index] & 0xFC00 == 0xDC00 {
                        scalar = 0x10000 + (unit & 0x3FF) << 10 + UInt32(units[index] & 0x3FF)
                        index += 1
                    } else {
                        scalar = 0xFFFD
                    }
                }
                write(scalar, to: bytes, at: &count)
            }
        }
    }

    /// The end of the run of ASCII that begins at `start`.
    private static func plainPrefix(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if word & 0x8080_8080_8080_8080 != 0 { break }
            index += 8
        }
        while index < bytes.count, bytes[index] < 0x80 { index += 1 }
        return index
    }

    /// The character at an index that is not ASCII, with the number of its bytes; nil if it is none.
    private static func scalar(in bytes: UnsafeRawBufferPointer, at index: Int) -> (UInt32, Int)? {
        let first = bytes[index]
        let length: Int
        var scalar: UInt32
        switch first {
        case 0xC2...0xDF: (length, scalar) = (2, UInt32(first & 0x1F))
        case 0xE0...0xEF: (length, scalar) = (3, UInt32(first & 0x0F))
        case 0xF0...0xF4: (length, scalar) = (4, UInt32(first & 0x07))
        default: return nil
        }
        guard index + length <= bytes.count else { return nil }
        for position in index + 1..<index + length {
            guard bytes[position] & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(bytes[position] & 0x3F)
        }
        // Longer than needed, half a surrogate pair, or beyond Unicode.
        switch length {
        case 3 where scalar < 0x800 || scalar & 0xF800 == 0xD800: return nil
        case 4 where scalar < 0x10000 || scalar > 0x10FFFF: return nil
        default: return (scalar, length)
        }
    }

    /// Writes a character that is not ASCII.
    private static func write(_ scalar: UInt32, to bytes: UnsafeMutableBufferPointer<UInt8>, at count: inout Int) {
        func put(_ byte: UInt32) {
            bytes[count] = UInt8(truncatingIfNeeded: byte)
            count += 1
        }
        switch scalar {
        case ..<0x800: put(0xC0 | scalar >> 6)
        case ..<0x10000:
            put(0xE0 | scalar >> 12)
            put(0x80 | scalar >> 6 & 0x3F)
        default:
            put(0xF0 | scalar >> 18)
            put(0x80 | scalar >> 12 & 0x3F)
            put(0x80 | scalar >> 6 & 0x3F)
        }
        put(0x80 | scalar & 0x3F)
    }
}
