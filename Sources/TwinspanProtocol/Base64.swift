// Base64 as payloads of messages use it (spec/protocol.md §7.1): the standard alphabet, padding written always and read
// when it is there. Own code, because Foundation is not imported here.

/// Bytes as text of 64 characters.
public enum Base64 {
    /// The text of bytes, with padding.
    public static func encode(_ bytes: [UInt8]) -> String {
        let length = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: length) { output in
            var position = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let count = min(3, bytes.count - start)
                var group = UInt32(bytes[start]) << 16
                if count > 1 { group |= UInt32(bytes[start + 1]) << 8 }
                if count > 2 { group |= UInt32(bytes[start + 2]) }
                for index in 0..<4 {
                    let shift = UInt32(18 - 6 * index)
                    output[position] = index <= count ? alphabet[Int(group >> shift & 63)] : padding
                    position += 1
                }
            }
            return length
        }
    }

    /// The bytes of a text; nil when it is not Base64. Padding may be left out, but not be wrong.
    public static func decode(_ text: String) -> [UInt8]? {
        var digits = text.utf8[...]
        var paddingCount = 0
        while paddingCount < 2, digits.last == padding {
            digits.removeLast()
            paddingCount += 1
        }
        let digitCount = digits.count
        let isPadded = paddingCount == 0 || (digitCount + paddingCount) % 4 == 0
        guard digitCount % 4 != 1, isPadded else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digitCount * 3 / 4)
        var group: UInt32 = 0
        var bits: UInt32 = 0
        for digit in digits {
            let value = values[Int(digit)]
            guard value < 64 else { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> bits))
                group &= (1 << bits) - 1
            }
        }
        return bytes
    }

    private static let padding = UInt8(ascii: "=")
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each byte as a digit; 255 for what is none.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, digit) in alphabet.enumerated() { table[Int(digit)] = UInt8(value) }
        return table
    }()
}
