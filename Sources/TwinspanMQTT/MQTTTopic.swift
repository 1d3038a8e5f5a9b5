// Topic names and topic filters of MQTT 3.1.1 (§4.7), and which filter admits which topic. Filters are compared byte by
// byte on the hot path, so matching allocates nothing.

/// Rules for the names of topics.
enum MQTTTopic {
    /// Longest topic or filter in bytes; its length has 16 bits on the wire.
    static let maximumLength = 65_535

    /// Why a text cannot be the topic of a message, as a phrase; nil if it can.
    static func problem(inName topic: String) -> String? {
        if topic.isEmpty { return "it is empty" }
        if let problem = problem(inText: topic) { return problem }
        return topic.utf8.contains(where: isWildcard) ? "'+' and '#' are only allowed in source addresses" : nil
    }

    /// Why a text cannot be a subscription, as a phrase; nil if it can.
    static func problem(inFilter filter: String) -> String? {
        if filter.isEmpty { return "it is empty" }
        if let problem = problem(inText: filter) { return problem }
        guard filter.hasPrefix("$share/") else { return problem(inLevels: filter.utf8[...]) }
        let parts = filter.utf8.split(separator: slash, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty else {
            return "a shared subscription has the form '$share/<group>/<filter>'"
        }
        if parts[1].contains(where: isWildcard) { return "the group of a shared subscription has no wildcards" }
        return problem(inLevels: parts[2])
    }

    private static func problem(inText text: String) -> String? {
        if text.utf8.count > maximumLength { return "it is longer than \(maximumLength) bytes" }
        return text.utf8.contains(0) ? "it contains the character U+0000" : nil
    }

    private static func problem(inLevels filter: Substring.UTF8View) -> String? {
        let levels = filter.split(separator: slash, omittingEmptySubsequences: false)
        for (index, level) in levels.enumerated() where level.contains(where: isWildcard) {
            if level.count > 1 { return "a wildcard stands for a whole level: '+' or '#' alone between slashes" }
            if level.first == hash, index != levels.count - 1 { return "'#' is only allowed as the last level" }
        }
        return nil
    }

    static func isWildcard(_ byte: UInt8) -> Bool { byte == plus || byte == hash }

    static let slash = UInt8(ascii: "/")
    static let plus = UInt8(ascii: "+")
    static let hash = UInt8(ascii: "#")
    static let dollar = UInt8(ascii: "$")
}

/// A valid topic filter, ready for matching.
struct MQTTTopicFilter: Sendable, Equatable {
    /// The bytes without `$share/<group>/`, which is a matter between broker and subscriber.
    private let bytes: [UInt8]

    /// Nil when the text is not a valid filter.
    init?(_ text: String) {
        guard MQTTTopic.problem(inFilter: text) == nil else { return nil }
        guard text.hasPrefix("$share/") else {
            bytes = Array(text.utf8)
            return
        }
        let parts = text.utf8.split(separator: MQTTTopic.slash, maxSplits: 2, omittingEmptySubsequences: false)
        bytes = Array(parts[2])
    }

    /// Whether the filter admits a topic. O(length of the topic).
    func admits(_ topic: UnsafeRawBufferPointer) -> Bool {
        bytes.withUnsafeBytes { MQTTTopicFilter.matches($0, topic) }
    }

    private static func matches(_ filter: UnsafeRawBufferPointer, _ topic: UnsafeRawBufferPointer) -> Bool {
        // Topics of the server itself are not matched by a leading wildcard (§4.7.2).
        if topic.first == MQTTTopic.dollar, let first = filter.first, MQTTTopic.isWildcard(first) { return false }
        var at = 0
        var position = 0
        while at < filter.count {
            switch filter[at] {
            case MQTTTopic.hash:
                return true
            case MQTTTopic.plus:
                while position < topic.count, topic[position] != MQTTTopic.slash { position += 1 }
                at += 1
            default:
                guard position < topic.count else {
                    // `a/#` admits `a` as well.
                    return at + 2 == filter.count && filter[at] == MQTTTopic.slash && filter[at + 1] == MQTTTopic.hash
                }
                guard topic[position] == filter[at] else { return false }
                position += 1
                at += 1
            }
        }
        return position == topic.count
    }
}
