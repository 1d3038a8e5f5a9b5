// Whether what a target sends would come back through a source: MQTT filters against an address template. Placeholders
// stand for a level whose text is not known, so only what is certain, or as good as certain, is found.

enum TopicOverlap {
    private enum Level: Equatable {
        case text(Substring)
        /// Holds a placeholder.
        case open
    }

    /// Whether a filter admits the address.
    static func admits(_ filter: String, _ address: String) -> Bool {
        var levels = filter.split(separator: "/", omittingEmptySubsequences: false)
        if levels.first == "$share", levels.count > 2 { levels.removeFirst(2) }
        let topic = self.levels(of: address)
        // Wildcards at the beginning do not admit the topics of the broker itself.
        if case .text(let first)? = topic.first, first.hasPrefix("$"), levels.first == "#" || levels.first == "+" {
            return false
        }
        for (index, level) in levels.enumerated() {
            if level == "#" { return true }
            guard index < topic.count else { return false }
            if level != "+", topic[index] != .text(level) { return false }
        }
        return levels.count == topic.count
    }

    private static func levels(of address: String) -> [Level] {
        let hole: Character = "\u{0}"
        var text = ""
        var rest = address[...]
        while let open = rest.range(of: "{{"), let close = rest[open...].range(of: "}}") {
            text += rest[..<open] + [hole]
            rest = rest[rest.index(close, offsetBy: 2)...]
        }
        text += rest
        return text.split(separator: "/", omittingEmptySubsequences: false).map {
            $0.contains(hole) ? .open : .text(Substring(String($0)))
        }
    }
}
