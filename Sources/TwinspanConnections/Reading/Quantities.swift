// Sizes and spans of time as people write them.

/// Sizes in bytes: `512`, `64MB`, `1.5GiB`.
public enum ByteSize {
    private static let units: [(name: String, factor: Double)] = [
        ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
        ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("b", 1),
    ]

    /// The number of bytes; nil if the text is no size, or does not fit.
    public static func parse(_ text: String) -> Int? {
        let lower = text.lowercased()
        let unit = units.first { lower.hasSuffix($0.name) }
        var number = lower.dropLast(unit?.name.utf8.count ?? 0)
        while number.last == " " { number.removeLast() }
        guard let first = number.utf8.first, first >= 0x30, first <= 0x39,
            number.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: ".") }),
            let value = Double(number)
        else { return nil }
        let bytes = (value * (unit?.factor ?? 1)).rounded()
        return bytes < 9.2e18 ? Int(bytes) : nil
    }
}

/// Spans of time of the form `<int><unit>`, a bare number being seconds (spec/connectivity.md, conventions).
public enum TimeSpan {
    /// The span; nil if the text is none, or does not fit. Months and years are average ones.
    public static func parse(_ text: String) -> Duration? {
        let digits = text.utf8.prefix { $0 >= 0x30 && $0 <= 0x39 }
        guard let number = Int64(String(decoding: digits, as: UTF8.self)) else { return nil }
        let milliseconds: Int64
        switch String(text.utf8.dropFirst(digits.count)) {
        case "ms": milliseconds = 1
        case "", "s": milliseconds = 1000
        case "m": milliseconds = 60_000
        case "h": milliseconds = 3_600_000
        case "d": milliseconds = 86_400_000
        case "w": milliseconds = 604_800_000
        case "mo": milliseconds = 2_629_746_000
        case "y": milliseconds = 31_556_952_000
        default: return nil
        }
        let (product, isTooLarge) = number.multipliedReportingOverflow(by: milliseconds)
        return isTooLarge ? nil : .milliseconds(product)
    }
}
