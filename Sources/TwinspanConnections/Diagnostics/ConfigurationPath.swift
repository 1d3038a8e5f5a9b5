// Where a value stands in a configuration document, by keys and indices.

/// A path such as `/sources/0/qos`.
public struct ConfigurationPath: Sendable, Hashable, CustomStringConvertible, ExpressibleByArrayLiteral {
    /// A step of a path.
    public enum Step: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        case key(String)
        /// Counted from 0.
        case index(Int)

        public init(stringLiteral value: String) { self = .key(value) }
        public init(integerLiteral value: Int) { self = .index(value) }
    }

    public var steps: [Step]

    /// The document itself.
    public static let root: ConfigurationPath = []

    /// Makes a path of its steps.
    public init(_ steps: [Step]) { self.steps = steps }
    public init(arrayLiteral elements: Step...) { steps = elements }

    /// Reads a JSON pointer. Numbers are indices; `~1` stands for a slash and `~0` for a tilde.
    init(pointer: String) {
        steps = pointer.split(separator: "/").map { segment in
            if let index = Int(segment) { return .index(index) }
            return .key(Self.unescaped(segment))
        }
    }

    private static func unescaped(_ segment: Substring) -> String {
        var text = ""
        var isEscape = false
        for character in segment {
            if isEscape {
                text.append(character == "1" ? "/" : character == "0" ? "~" : character)
                isEscape = false
            } else if character == "~" {
                isEscape = true
            } else {
                text.append(character)
            }
        }
        return text
    }

    /// The path of an entry.
    public func key(_ key: String) -> ConfigurationPath { ConfigurationPath(steps + [.key(key)]) }

    /// The path of an element, counted from 0.
    public func index(_ index: Int) -> ConfigurationPath { ConfigurationPath(steps + [.index(index)]) }

    /// Steps behind slashes; empty for the document.
    public var description: String {
        steps.map { step in
            switch step {
            case .key(let key): "/\(key)"
            case .index(let index): "/\(index)"
            }
        }.joined()
    }
}
