// The topic of an envelope (spec/protocol.md §4.1): whose it is, on which channel, and what kind of signal.
// Messages, acks, search, streaming and announcements are recognised as such; their execution comes later.
import TwinspanJSON

/// `namespace/name/group/channel/criterion…`.
public struct TopicPath: Sendable, Equatable {
    public enum Group: String, Sendable { case things, policies, connections }
    public enum Channel: String, Sendable { case twin, live }

    /// Actions of commands.
    public enum CommandAction: String, Sendable, CaseIterable {
        case create, retrieve, modify, merge, delete, migrate, checkPermissions
    }

    /// Actions of events.
    public enum EventAction: String, Sendable, CaseIterable { case created, modified, merged, deleted, migrated }

    /// The kind of signal with its action, subject or label.
    public enum Criterion: Sendable, Equatable {
        case commands(CommandAction)
        case events(EventAction)
        case errors
        case messages(subject: String)
        case acks(label: String?)
        case search(String)
        case streaming(String)
        case announcements(String)
    }

    /// `_` stands for any.
    public var namespace: String
    /// `_` stands for any.
    public var name: String
    public var group: Group
    /// Nil for policies and connections, and for errors of search.
    public var channel: Channel?
    public var criterion: Criterion

    public init(namespace: String, name: String, group: Group, channel: Channel?, criterion: Criterion) {
        self.namespace = namespace
        self.name = name
        self.group = group
        self.channel = channel
        self.criterion = criterion
    }

    /// The id that the first two segments name, as text.
    public var entityID: String { "\(namespace):\(name)" }

    /// Parses a topic. Throws `protocoladapter:unknown.topicpath`, whose description says which part is wrong.
    public init(_ text: String) throws(TwinspanError) {
        var rest = Segments(text)
        guard let namespace = rest.next() else { throw Self.unknown(text, "The namespace is missing.") }
        guard let name = rest.next(), !name.isEmpty else { throw Self.unknown(text, "The name is missing.") }
        guard let groupText = rest.next() else { throw Self.unknown(text, "The group is missing.") }
        guard let group = Group(rawValue: groupText) else {
            throw Self.unknown(text, "The group '\(groupText.shortened)' is not one of things, policies, connections.")
        }
        var channel: Channel?
        if group == .things {
            guard let channelText = rest.next() else { throw Self.unknown(text, "The channel is missing.") }
            channel = Channel(rawValue: channelText)
            if channel == nil, channelText == "search", let action = rest.next(), ["error", "errors"].contains(action) {
                // The reference sends errors of search without a channel (§13, D13).
                self.namespace = namespace
                self.name = name
                self.group = group
                criterion = .search(action)
                return
            }
            guard channel != nil else {
                throw Self.unknown(text, "The channel '\(channelText.shortened)' is not one of twin, live.")
            }
        }
        guard let criterionText = rest.next() else { throw Self.unknown(text, "The criterion is missing.") }
        self.namespace = namespace
        self.name = name
        self.group = group
        self.channel = channel
        criterion = try Self.criterion(criterionText, rest: &rest, text: text, group: group)
    }

    private static func criterion(
        _ word: String, rest: inout Segments, text: String, group: Group
    ) throws(TwinspanError) -> Criterion {
        switch word {
        case "commands":
            let action = rest.next() ?? ""
            guard let command = CommandAction(rawValue: action) else {
                throw unknown(text, "The command '\(action.shortened)' is not known.")
            }
            return .commands(command)
        case "events":
            let action = rest.next() ?? ""
            guard let event = EventAction(rawValue: action) else {
                throw unknown(text, "The event '\(action.shortened)' is not known.")
            }
            return .events(event)
        case "errors": return .errors
        case "messages" where group == .things:
            guard let subject = rest.remainder, !subject.isEmpty else {
                throw unknown(text, "The subject of the message is missing.")
            }
            return .messages(subject: subject)
        case "acks" where group == .things: return .acks(label: rest.remainder)
        // Of announcements; the grammar in §4.1 leaves them out, but they have to be answered somehow.
        case "acks" where group == .policies:
            guard let label = rest.remainder, !label.isEmpty else {
                throw unknown(text, "The label of the acknowledgement is missing.")
            }
            return .acks(label: label)
        case "search" where group == .things:
            return .search(try action(&rest, of: searchActions, word, text: text))
        case "streaming": return .streaming(try action(&rest, of: streamingActions, word, text: text))
        case "announcements":
            guard let name = rest.remainder, !name.isEmpty else {
                throw unknown(text, "The name of the announcement is missing.")
            }
            return .announcements(name)
        default: throw unknown(text, "The criterion '\(word.shortened)' is not known.")
        }
    }

    private static let searchActions: Set<String> = [
        "subscribe", "request", "cancel", "created", "next", "complete", "failed", "error",
    ]
    private static let streamingActions: Set<String> = [
        "subscribeForPersistedEvents", "request", "cancel", "created", "next", "complete", "failed", "error",
    ]

    private static func action(
        _ rest: inout Segments, of known: Set<String>, _ word: String, text: String
    ) throws(TwinspanError) -> String {
        let action = rest.next() ?? ""
        guard known.contains(action) else {
            throw unknown(text, "The \(word) action '\(action.shortened)' is not known.")
        }
        return action
    }

    private static func unknown(_ text: String, _ why: String) -> TwinspanError {
        GeneralErrorTable.unknownTopicPath.error(
            "The topic '\(text.shortened)' is not known.", description: why)
    }

    /// The topic as text.
    public var text: String {
        let channelPart = channel.map { "/\($0.rawValue)" } ?? ""
        return "\(namespace)/\(name)/\(group.rawValue)\(channelPart)/\(criterion.text)"
    }

    /// Appends the topic as a JSON string.
    func write(into output: inout [UInt8]) {
        if case .events(let action) = criterion, Self.isPlain(namespace), Self.isPlain(name) {
            // Nearly all that is sent; written without making a string of it.
            output.append(UInt8(ascii: "\""))
            output.append(contentsOf: namespace.utf8)
            output.append(UInt8(ascii: "/"))
            output.append(contentsOf: name.utf8)
            output.append(UInt8(ascii: "/"))
            output.append(contentsOf: group.rawValue.utf8)
            if let channel {
                output.append(UInt8(ascii: "/"))
                output.append(contentsOf: channel.rawValue.utf8)
            }
            output.append(contentsOf: "/events/".utf8)
            output.append(contentsOf: action.rawValue.utf8)
            output.append(UInt8(ascii: "\""))
            return
        }
        JSONText.writeString(text, into: &output)
    }

    /// Whether the text stands in JSON as it is.
    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }

    /// The segments of a topic, one after the other. An empty namespace is legal, so an empty first segment is given
    /// out.
    private struct Segments {
        private var rest: Substring.UTF8View?

        init(_ text: String) { rest = text[...].utf8 }

        mutating func next() -> String? {
            guard let current = rest else { return nil }
            guard let slash = current.firstIndex(of: UInt8(ascii: "/")) else {
                rest = nil
                return String(Substring(current))
            }
            rest = current[current.index(after: slash)...]
            return String(Substring(current[..<slash]))
        }

        /// All that is left, slashes included; nil when nothing is.
        var remainder: String? { rest.map { String(Substring($0)) } }
    }
}

extension TopicPath.Criterion {
    /// The criterion with its action, subject or label as in the topic.
    public var text: String {
        switch self {
        case .commands(let action): "commands/\(action.rawValue)"
        case .events(let action): "events/\(action.rawValue)"
        case .errors: "errors"
        case .messages(let subject): "messages/\(subject)"
        case .acks(let label): label.map { "acks/\($0)" } ?? "acks"
        case .search(let action): "search/\(action)"
        case .streaming(let action): "streaming/\(action)"
        case .announcements(let name): "announcements/\(name)"
        }
    }

    /// The bare word, e.g. `commands`.
    public var word: String {
        switch self {
        case .commands: "commands"
        case .events: "events"
        case .errors: "errors"
        case .messages: "messages"
        case .acks: "acks"
        case .search: "search"
        case .streaming: "streaming"
        case .announcements: "announcements"
        }
    }
}
