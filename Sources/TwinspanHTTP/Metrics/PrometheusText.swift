// Writes the text format of Prometheus, version 0.0.4.

/// A page of metrics in the making.
struct PrometheusText {
    enum Kind: String { case counter, gauge, histogram }

    /// The media type of the page.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var bytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(16 << 10)
    }

    /// The page as text.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Begins a family of samples.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        append("# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n")
    }

    /// A sample of a whole number.
    mutating func sample(_ name: String, _ value: Int64, _ labels: [(String, String)] = []) {
        append("\(name)\(Self.labels(labels)) \(value)\n")
    }

    /// A sample with a fraction.
    mutating func sample(_ name: String, _ value: Double, _ labels: [(String, String)] = []) {
        append("\(name)\(Self.labels(labels)) \(value)\n")
    }

    /// A sample in seconds of a value counted in microseconds, without a rounding error.
    mutating func sample(_ name: String, microseconds value: Int64, _ labels: [(String, String)] = []) {
        append("\(name)\(Self.labels(labels)) \(Self.seconds(microseconds: value))\n")
    }

    /// A histogram in seconds. `counts` has one element more than `bounds`; both are per bucket, not cumulative.
    mutating func histogram(_ name: String, bounds: [Int64], counts: [Int64], sumMicroseconds: Int64) {
        precondition(counts.count == bounds.count + 1, "a histogram has one bucket more than bounds")
        var total: Int64 = 0
        for (bound, count) in zip(bounds, counts) {
            total += count
            sample("\(name)_bucket", total, [("le", Self.seconds(microseconds: bound))])
        }
        total += counts[bounds.count]
        sample("\(name)_bucket", total, [("le", "+Inf")])
        sample("\(name)_sum", microseconds: sumMicroseconds)
        sample("\(name)_count", total)
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// `1500000` as `1.5`.
    static func seconds(microseconds: Int64) -> String {
        let (whole, rest) = microseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        let sign = microseconds < 0 ? "-" : ""
        guard rest != 0 else { return "\(sign)\(whole)" }
        var digits = String(rest)
        digits = String(repeating: "0", count: 6 - digits.utf8.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "\(sign)\(whole).\(digits)"
    }

    private static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.0)=\"\(escaped($0.1, quotes: true))\"" }.joined(separator: ",") + "}"
    }

    /// Backslashes and line ends, and in label values quotes, are the only characters that need an escape.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
