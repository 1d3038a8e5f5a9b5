// Numbers for people: with units, and no more digits than one reads.

enum Amounts {
    /// `0.2 s`, `14 s`, `2 m 3 s`, `3 d 4 h`: at most two units.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0 else { return "–" }
        if seconds < 10, seconds != seconds.rounded() { return "\(fixed(seconds)) s" }
        let whole = Int(min(seconds, 1e15))
        let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
        guard let first = units.firstIndex(where: { whole >= $0.1 }) else { return "0 s" }
        let (name, size) = units[first]
        var text = "\(whole / size) \(name)"
        if first + 1 < units.count {
            let (smaller, unit) = units[first + 1]
            let rest = whole % size / unit
            if rest > 0 { text += " \(rest) \(smaller)" }
        }
        return text
    }

    /// `312 B`, `38 MB`, `1.2 GB`, in powers of 1000.
    static func bytes(_ count: Int64) -> String {
        var value = Double(max(count, 0))
        var unit = "B"
        for next in ["kB", "MB", "GB", "TB"] where value >= 999.5 {
            value /= 1000
            unit = next
        }
        let isShort = unit == "B" || value >= 9.95 || value == value.rounded()
        return "\(isShort ? "\(Int(value.rounded()))" : fixed(value)) \(unit)"
    }

    /// `24,310`.
    static func count(_ count: Int64) -> String {
        var digits = Array(String(count.magnitude))
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: position)
            position -= 3
        }
        return (count < 0 ? "-" : "") + String(digits)
    }

    /// `0`, `0.4`, `200`, `1,250`: per second.
    static func rate(_ value: Double) -> String {
        if value > 0, value < 9.95, value != value.rounded() { return fixed(max(value, 0.1)) }
        return count(Int64(min(max(value, 0), 1e15).rounded()))
    }

    /// One digit behind the point.
    static func fixed(_ value: Double) -> String {
        let tenths = Int((min(max(value, 0), 1e15) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
