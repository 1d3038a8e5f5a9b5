// What the demo knows at one moment, and how that looks: a screen for terminals, a line for logs. Pure, so that the
// layout can be read in one place.
import TwinspanJSON

/// One moment of the demo.
struct DemoView {
    /// A thing as the table shows it.
    struct Row {
        let id: String
        let temperature: Double?
        let humidity: Int64?
        let revision: Int64?
        /// Seconds since its last change.
        let age: Double?
    }

    /// A connection as its line shows it.
    struct Link {
        let id: String
        let state: String
        let sources: Int
        let targets: Int
    }

    var broker: String
    var links: [Link]
    var rows: [Row]
    /// How many things there are.
    var thingCount: Int
    /// Per second; nil before the second reading.
    var inRate: Double?
    var committedRate: Double?
    var outRate: Double?
    var p99Milliseconds: Double?
    var residentBytes: Int?
    var address: String
    var password: String

    /// The screen for a terminal of a size; the table gives way first.
    func screen(columns: Int, lines: Int) -> [String] {
        var head = ["  \("broker".padded(to: 22))\(broker)"]
        let parts = links.map { link -> String in
            let ends = [
                link.sources > 0 ? "\(link.sources) \(link.sources == 1 ? "source" : "sources")" : nil,
                link.targets > 0 ? "\(link.targets) \(link.targets == 1 ? "target" : "targets")" : nil,
            ]
            return "\(link.id)  \(link.state)   " + ends.compactMap { $0 }.joined(separator: " ")
        }
        head.append("  \("connections".padded(to: 22))\(parts.joined(separator: "     "))")
        head.append("")
        let header = ["  \("thing".padded(to: 26))", "temperature", "humidity", "revision", "last change"]
        head.append(
            header[0] + header[1].leftPadded(to: 12) + header[2].leftPadded(to: 11)
                + header[3].leftPadded(to: 11) + header[4].leftPadded(to: 14))
        let foot = [
            "", "  " + figures.joined(separator: "   "),
            "  try:  curl -u ditto:\(password) \(address)/api/2/things/\(rows.first?.id ?? "")",
            "  Ctrl-C stops everything this demo started.",
        ]
        let room = max(lines - head.count - foot.count - 3, 2)
        let shown = rows.prefix(room).map { Self.line($0) }
        let hidden = thingCount - shown.count
        let more = hidden > 0 ? ["  …\(hidden) more"] : []
        // The line to copy stays whole, whatever the width; the others are cut rather than wrapped.
        return (head + shown + more).map { String($0.prefix(columns)) } + foot
    }

    /// The line for logs.
    var line: String {
        let states = links.map { "\($0.id) \($0.state)" }
        return (["twins \(thingCount)"] + figures + states).joined(separator: "  ")
    }

    private var figures: [String] {
        [
            "in \(Self.rate(inRate))", "committed \(Self.rate(committedRate))", "events out \(Self.rate(outRate))",
            "commit p99 \(p99Milliseconds.map { "\(fixed($0, 1)) ms" } ?? "–")",
            "memory \(residentBytes.map { "\(fixed(Double($0) / 1e6, 0)) MB" } ?? "–")",
        ]
    }

    private static func rate(_ value: Double?) -> String { value.map { "\(fixed($0, 0))/s" } ?? "–" }

    private static func line(_ row: Row) -> String {
        "  \(row.id.padded(to: 26))"
            + (row.temperature.map { "\(fixed($0, 1)) °C" } ?? "–").leftPadded(to: 12)
            + (row.humidity.map { "\($0) %" } ?? "–").leftPadded(to: 11)
            + (row.revision.map { "\($0)" } ?? "–").leftPadded(to: 11)
            + (row.age.map { "\(fixed(max($0, 0), 1)) s ago" } ?? "–").leftPadded(to: 14)
    }
}

extension String {
    /// The text with blanks before it up to a width in characters.
    func leftPadded(to width: Int) -> String {
        count >= width ? self : String(repeating: " ", count: width - count) + self
    }
}
