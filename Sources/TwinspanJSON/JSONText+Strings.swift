// Strings between Swift and JSON.

extension JSONText {
    /// The string that the content of a JSON string stands for. `bytes` come without quotes from valid text.
    public static func unescape(_ bytes: UnsafeRawBufferPointer) -> String {
        guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
        // Unescaped text is never longer; the slack lets a scalar be written before it is counted.
        return String(unsafeUninitializedCapacity: bytes.count + 4) { output in
            var written = 0
            var position = 0
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                if byte == UInt8(ascii: "\\") {
                    written += JSONUTF8.write(escapedScalar(bytes, &position), to: output.baseAddress! + written)
                } else {
                    output[written] = byte
                    written += 1
                }
            }
            return written
        }
    }

    /// Appends `string` as a JSON string with its quotes.
    public static func writeString(_ string: String, into output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        appendContent(string, to: &output)
        output.append(UInt8(ascii: "\""))
    }

    /// Appends what stands between the quotes of the JSON string for `string`. Runs of plain characters, nearly always
    /// all of it, are copied at once.
    static func appendContent(_ string: String, to output: inout [UInt8]) {
        string.withBytes { bytes in
            var start = 0
            while start < bytes.count {
                let end = plainEnd(bytes, from: start)
                output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                guard end < bytes.count else { return }
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 6) { escaped in
                    let count = JSONUTF8.writeEscaped(ascii: bytes[end], to: escaped.baseAddress!)
                    output.append(contentsOf: UnsafeBufferPointer(rebasing: escaped[..<count]))
                }
                start = end + 1
            }
        }
    }

    /// The first byte that has to be escaped, or the end.
    private static func plainEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let characters = bytes.bindMemory(to: UInt8.self)
        var position = start
        while let base = characters.baseAddress, position + 8 <= bytes.count {
            let marks = JSONWord.escapableBytes(JSONWord.load(base + position))
            if marks != 0 { return position + JSONWord.firstIndex(marks) }
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return position }
            position += 1
        }
        return position
    }

    /// The length of the content of the JSON string for `bytes`, without quotes.
    static func contentLength(_ bytes: UnsafeRawBufferPointer) -> Int {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 6) { escaped in
            bytes.reduce(0) { $0 + JSONUTF8.writeEscaped(ascii: $1, to: escaped.baseAddress!) }
        }
    }

    /// The scalar of the escape whose backslash is just before `position`; moves `position` behind it.
    private static func escapedScalar(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> UInt32 {
        guard position < bytes.count else { return UInt32(UInt8(ascii: "\\")) }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"):
            let high = codeUnit(bytes, &position)
            guard high & 0xFC00 == 0xD800 else { return high }
            position += 2
            return 0x10000 + ((high & 0x3FF) << 10) + (codeUnit(bytes, &position) & 0x3FF)
        default: return UInt32(byte)
        }
    }

    private static func codeUnit(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 where position < bytes.count {
            unit = unit << 4 | (bytes[position].hexadecimalDigit ?? 0)
            position += 1
        }
        return unit
    }
}
