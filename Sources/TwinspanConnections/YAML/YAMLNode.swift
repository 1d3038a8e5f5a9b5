// The tree of a YAML document. Values keep how they were written, because diagnostics point into them and because
// `specificConfig: {keepAlive: 60}` means the text "60".
public import TwinspanJSON

/// A value in a YAML document with the place where it was written.
public struct YAMLNode: Sendable {
    /// What the value is.
    public enum Content: Sendable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([YAMLPair])
    }

    public let content: Content
    /// The first character.
    public let start: Mark
    /// Just behind the last character; for block collections wherever the parser noticed their end.
    public let end: Mark

    /// Makes a node.
    public init(content: Content, start: Mark, end: Mark) {
        self.content = content
        self.start = start
        self.end = end
    }

    /// The scalar, if this is one.
    public var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { return scalar }
        return nil
    }

    /// The elements, if this is a sequence.
    public var sequence: [YAMLNode]? {
        if case .sequence(let elements) = content { return elements }
        return nil
    }

    /// The entries, if this is a mapping. Keys are distinct.
    public var mapping: [YAMLPair]? {
        if case .mapping(let pairs) = content { return pairs }
        return nil
    }

    /// The entry of a key, if this is a mapping that has it. Linear in the number of entries.
    public subscript(key: String) -> YAMLPair? {
        mapping?.first { $0.key == key }
    }

    /// Whether this is `null`, or nothing was written.
    public var isNull: Bool { scalar?.value == .null }

    /// What the value is, in words for a message: `a number`, `a list`.
    public var kindDescription: String {
        switch content {
        case .sequence: "a list"
        case .mapping: "an object"
        case .scalar(let scalar):
            switch scalar.value {
            case .null: "nothing"
            case .bool: "true or false"
            case .integer, .float: "a number"
            case .string: "text"
            }
        }
    }

    /// The value as JSON. Numbers keep their digits where JSON allows that form; infinities become text.
    public var json: JSONValue {
        switch content {
        case .scalar(let scalar): scalar.json
        case .sequence(let elements): .array(elements.map(\.json))
        case .mapping(let pairs): .object(JSONObject(pairs.map { ($0.key, $0.value.json) }))
        }
    }
}

/// An entry of a mapping.
public struct YAMLPair: Sendable {
    /// The key as text; numbers and the like stay as they were written.
    public let key: String
    public let keyStart: Mark
    public let keyEnd: Mark
    public let value: YAMLNode

    /// Makes an entry.
    public init(key: String, keyStart: Mark, keyEnd: Mark, value: YAMLNode) {
        self.key = key
        self.keyStart = keyStart
        self.keyEnd = keyEnd
        self.value = value
    }
}

/// A value that is neither list nor object.
public struct YAMLScalar: Sendable {
    /// How the scalar was written.
    public enum Style: Sendable { case plain, singleQuoted, doubleQuoted, literal, folded }

    /// The text after substitution of variables.
    public let text: String
    /// What the text means by the core schema of YAML 1.2. Quoted and block scalars are strings.
    public let value: YAMLScalarValue
    public let style: Style
    /// Where variables were put in, in the order of the text.
    public let substitutions: [Substitution]
    /// Whether a variable was missing. That is reported already, so readers say nothing more about this value.
    public let isBroken: Bool

    /// A variable that was replaced, in UTF-8 offsets.
    public struct Substitution: Sendable, Equatable {
        /// Where the replacement stands in `text`.
        public let result: Range<Int>
        /// Where `${…}` stood in the text as it was written.
        public let written: Range<Int>
    }

    /// Makes a scalar.
    public init(
        text: String, value: YAMLScalarValue, style: Style, substitutions: [Substitution] = [], isBroken: Bool = false
    ) {
        self.text = text
        self.value = value
        self.style = style
        self.substitutions = substitutions
        self.isBroken = isBroken
    }

    var json: JSONValue {
        switch value {
        case .null: .null
        case .bool(let flag): .bool(flag)
        case .string: .string(text)
        case .integer(let number): .number(JSONNumber(number))
        case .float(let number):
            // The literal is kept if JSON knows the form (1.10, 1e400), else the value if it has one.
            if let literal = try? JSONValue.parse(text), case .number = literal {
                literal
            } else if number.isFinite {
                .number(JSONNumber(number))
            } else {
                .string(text)
            }
        }
    }
}

/// The meaning of a scalar.
public enum YAMLScalarValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case float(Double)
    case string
}
