// The namespaces for which a policy entry counts (spec/protocol.md §1.3).

/// An element of an entry's `namespaces`: a namespace, or `<namespace>.*` for everything below it but not itself.
public struct NamespacePattern: Sendable, Hashable {
    /// The pattern as written.
    public let text: String

    /// Nil unless the text is a non-empty legal namespace, with or without `.*` behind it.
    public init?(_ text: String) {
        let namespace = text.hasSuffix(".*") ? String(text.dropLast(2)) : text
        // The rule for namespaces is the rule inside an id, so the id checks it.
        // A text that is no legal id is no legal namespace either: the error says nothing more than that.
        guard !namespace.isEmpty, let id = try? PolicyID("\(namespace):n"), id.namespace == namespace else {
            return nil
        }
        self.text = text
    }

    /// Whether the namespace of a thing is one that is meant. No allocation.
    public func matches(_ namespace: String) -> Bool {
        guard text.utf8.last == UInt8(ascii: "*") else { return text.hasSameBytes(as: namespace) }
        let prefixLength = text.utf8.count - 1  // keeps the dot
        return namespace.utf8.count > prefixLength && namespace.utf8.starts(with: text.utf8.dropLast())
    }
}
