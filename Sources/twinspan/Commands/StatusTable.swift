// The table of `twinspan status`. Pure: readings in, lines out.
import TwinspanJSON

struct StatusTable {
    let reading: StatusReading
    /// Per second, by connection and counter; empty before the second reading.
    let rates: [String: [String: Double]]
    let ink: Ink

    private static let header = ["connection", "type", "state", "in/s", "committed/s", "out/s", "inbox", "dead"]
    private static let troubleTitle = "last trouble"
    private static let gap = "   "
    private static let idMaximum = 24

    /// The table, what ails each connection, and the process in the last line.
    var lines: [String] {
        guard !reading.links.isEmpty else { return ["there are no connections", foot] }
        let rows = reading.links.map(cells)
        let widths = Self.header.indices.map { column in
            ([Self.header] + rows).map { $0[column].count }.max() ?? 0
        }
        let indent = widths[0] + Self.gap.count
        let used = widths.reduce(0) { $0 + $1 + Self.gap.count }
        let room = Ink.columns - used
        var lines = [row(Self.header, widths, nil) + Self.gap + Self.troubleTitle]
        for (link, cells) in zip(reading.links, rows) {
            var notes = notes(on: link)
            let first = notes.first ?? "–"
            var line = row(cells, widths, link)
            if first.count <= room {
                line += Self.gap + (notes.isEmpty ? first : ink.paint(first, colour(of: link)))
                if !notes.isEmpty { notes.removeFirst() }
            }
            lines.append(line)
            for note in notes {
                for part in Ink.wrapped(note, width: Ink.columns - indent) {
                    lines.append(String(repeating: " ", count: indent) + ink.paint(part, colour(of: link)))
                }
            }
        }
        return lines + [foot]
    }

    private func row(_ cells: [String], _ widths: [Int], _ link: StatusReading.Link?) -> String {
        cells.indices.map { column -> String in
            // Words stand left, numbers right.
            let text =
                column < 3 ? cells[column].padded(to: widths[column]) : cells[column].leftPadded(to: widths[column])
            return column == 2 ? ink.paint(text, link.flatMap(stateColour)) : text
        }.joined(separator: Self.gap)
    }

    private func cells(_ link: StatusReading.Link) -> [String] {
        let hasSources = link.sources > 0
        func rate(_ counter: String, _ isShown: Bool) -> String {
            guard isShown, let rates = rates[link.id] else { return "–" }
            return Amounts.rate(rates[counter] ?? 0)
        }
        let state =
            link.state == "open" || link.state == "closed"
            ? link.state : "\(link.state) (\(Amounts.duration(link.stateAgeSeconds.rounded(.down))))"
        return [
            Ink.cut(link.id, to: Self.idMaximum), link.type, state, rate("inbound/received", hasSources),
            rate("inbound/committed", hasSources), rate("outbound/published", link.targets > 0),
            hasSources ? Amounts.count(link.inbox.messages) : "–",
            hasSources || link.deadLetters.messages > 0 ? Amounts.count(link.deadLetters.messages) : "–",
        ]
    }

    /// What ails a connection, most important first.
    private func notes(on link: StatusReading.Link) -> [String] {
        var notes: [String] = []
        if let failure = link.failure, link.state != "open" {
            let next = link.nextAttemptSeconds.map { " (next try in \(Amounts.duration($0.rounded(.up))))" } ?? ""
            notes.append(failure.message + next)
            if let hint = failure.hint { notes.append("→ \(hint)") }
        }
        for place in link.failedPlaces {
            notes.append("\(place.place): \(place.message)")
            if let hint = place.hint { notes.append("→ \(hint)") }
        }
        if let behind = link.behind, behind.events > 0 {
            notes.append(
                "behind by \(Amounts.count(behind.events)) events (oldest "
                    + "\(Amounts.duration(behind.ageSeconds.rounded(.down)))), durable, nothing lost")
        }
        for (counter, rate) in (rates[link.id] ?? [:]).sorted(by: { $0.key < $1.key }) where rate > 0 {
            let parts = counter.split(separator: "/")
            guard parts.count == 3, ["dropped", "denied", "retried"].contains(parts[1]) else { continue }
            notes.append("\(parts[1]) \(parts[0]) \(Amounts.rate(rate))/s: \(parts[2])")
        }
        if link.deadLetters.messages > 0 {
            notes.append("oldest dead letter \(Amounts.duration(link.deadLetters.ageSeconds.rounded(.down)))")
        }
        return notes
    }

    private func stateColour(_ link: StatusReading.Link) -> Ink.Colour? {
        switch link.state {
        case "open": .green
        case "closed": .faint
        case "failed", "misconfigured": .red
        default: .yellow
        }
    }

    private func colour(of link: StatusReading.Link) -> Ink.Colour {
        link.state == "failed" || link.state == "misconfigured" ? .red : .yellow
    }

    private var foot: String {
        var parts: [String] = []
        if let journal = reading.json["journal"]?.object, let bytes = journal["bytes"]?.int64 {
            let bound = journal["maxBytes"]?.int64.map { " of \(Amounts.bytes($0))" } ?? ""
            parts.append("journal \(Amounts.bytes(bytes))\(bound)")
        }
        if let memory = reading.json["memoryBytes"]?.int64 { parts.append("memory \(Amounts.bytes(memory))") }
        if let p99 = reading.json["commit"]?.object?["p99Milliseconds"]?.double {
            parts.append("commit p99 \(Amounts.fixed(p99)) ms")
        }
        if let uptime = reading.json["uptimeSeconds"]?.double {
            parts.append("up \(Amounts.duration(uptime.rounded(.down)))")
        }
        return parts.joined(separator: Self.gap)
    }
}
