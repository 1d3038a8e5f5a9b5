// A declaration together with its decoder, so that reading a field needs no more than naming it.

/// Where a value stands: for messages and for further reading.
struct FieldPlace {
    let sink: DiagnosticSink
    let path: ConfigurationPath
    /// The field's name, for messages.
    let name: String
}

/// A value with the node it was read from, for problems that are found later.
struct Located<Value> {
    let value: Value
    let node: YAMLNode
    let path: ConfigurationPath
}

/// A field that decodes to `Value`; an optional `Value` has no default.
struct Field<Value: Sendable>: Sendable {
    let declaration: FieldDeclaration
    /// What it is when the field is absent.
    let fallback: @Sendable () -> Value
    /// Reports what is wrong and returns nil, or returns the value.
    let decode: @Sendable (YAMLNode, FieldPlace) -> Value?

    /// The same with other declared properties.
    private func declared(
        _ change: (FieldDeclaration) -> FieldDeclaration
    ) -> Field { Field(declaration: change(declaration), fallback: fallback, decode: decode) }

    /// The field has to be there.
    var required: Field {
        declared {
            FieldDeclaration(
                name: $0.name, kind: $0.kind, isRequired: true, defaultText: $0.defaultText, limit: $0.limit,
                documentation: $0.documentation, isServed: $0.isServed)
        }
    }

    /// The field is read and has no effect yet.
    var unserved: Field {
        declared {
            FieldDeclaration(
                name: $0.name, kind: $0.kind, isRequired: $0.isRequired, defaultText: $0.defaultText, limit: $0.limit,
                documentation: $0.documentation, isServed: false)
        }
    }
}

extension Field where Value == Located<String>? {
    /// Text; nil when absent.
    static func text(_ name: String, default defaultText: String? = nil, limit: String? = nil, _ doc: String) -> Field {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: .text, defaultText: defaultText, limit: limit, documentation: doc),
            fallback: { nil }, decode: { node, place in FieldDecoding.text(node, place) })
    }
}

extension Field where Value == Bool {
    /// `true` or `false`.
    static func flag(_ name: String, default fallback: Bool, _ doc: String) -> Field {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: .flag, defaultText: fallback ? "true" : "false", documentation: doc),
            fallback: { fallback }, decode: { node, place in FieldDecoding.flag(node, place) })
    }
}

extension Field where Value == Int? {
    /// A whole number; nil when absent.
    static func integer(_ name: String, in range: ClosedRange<Int>, _ doc: String) -> Field {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: .integer, limit: FieldDecoding.words(for: range), documentation: doc),
            fallback: { nil }, decode: { node, place in FieldDecoding.integer(node, in: range, place) })
    }
}

extension Field where Value == Int {
    /// A whole number with a default.
    static func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>, _ doc: String) -> Field {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: .integer, defaultText: "\(fallback)", limit: FieldDecoding.words(for: range),
                documentation: doc),
            fallback: { fallback }, decode: { node, place in FieldDecoding.integer(node, in: range, place) })
    }

    /// A number of bytes with a default.
    static func size(_ name: String, default defaultText: String, _ doc: String) -> Field {
        let fallback = ByteSize.parse(defaultText) ?? 0
        return Field(
            declaration: FieldDeclaration(
                name: name, kind: .size, defaultText: defaultText, documentation: doc),
            fallback: { fallback }, decode: { node, place in FieldDecoding.size(node, place) })
    }
}

extension Field where Value == Duration {
    /// A span of time with a default.
    static func duration(_ name: String, default defaultText: String, _ doc: String) -> Field {
        let fallback = TimeSpan.parse(defaultText) ?? .zero
        return Field(
            declaration: FieldDeclaration(
                name: name, kind: .duration, defaultText: defaultText, documentation: doc),
            fallback: { fallback }, decode: { node, place in FieldDecoding.duration(node, place) })
    }

    /// A span of time above zero with a default.
    static func span(_ name: String, default defaultText: String, _ doc: String) -> Field {
        let fallback = TimeSpan.parse(defaultText) ?? .zero
        return Field(
            declaration: FieldDeclaration(
                name: name, kind: .duration, defaultText: defaultText, limit: "above zero", documentation: doc),
            fallback: { fallback }, decode: { node, place in FieldDecoding.span(node, place) })
    }
}

extension Field where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words of an enumeration, with a default.
    static func word(_ name: String, default fallback: Value, _ doc: String) -> Field {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: .word(Value.allCases.map(\.rawValue)), defaultText: fallback.rawValue,
                documentation: doc),
            fallback: { fallback }, decode: { node, place in FieldDecoding.word(node, place) })
    }
}

extension Field {
    /// One of the words of an enumeration; nil when absent.
    static func word<Word>(_ name: String, _ doc: String) -> Field
    where Value == Word?, Word: RawRepresentable & CaseIterable & Sendable, Word.RawValue == String {
        Field(
            declaration: FieldDeclaration(name: name, kind: .word(Word.allCases.map(\.rawValue)), documentation: doc),
            fallback: { nil },
            decode: { node, place in
                guard let word: Word = FieldDecoding.word(node, place) else { return nil }
                return .some(word)
            })
    }
}

extension Field where Value == [Located<String>] {
    /// A list of text; empty when absent.
    static func texts(_ name: String, default defaultText: String = "[]", limit: String? = nil, _ doc: String) -> Field
    {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: .texts, defaultText: defaultText, limit: limit, documentation: doc),
            fallback: { [] }, decode: { node, place in FieldDecoding.texts(node, place) })
    }
}

extension Field where Value == Located<YAMLNode>? {
    /// A part that is read further by whoever asks; nil when absent.
    static func part(
        _ name: String, _ kind: FieldDeclaration.Kind, default defaultText: String? = nil, limit: String? = nil,
        _ doc: String
    ) -> Field {
        Field(
            declaration: FieldDeclaration(
                name: name, kind: kind, defaultText: defaultText, limit: limit, documentation: doc),
            fallback: { nil },
            decode: { node, place in
                guard FieldDecoding.hasShape(node, of: kind, place) else { return nil }
                return Located(value: node, node: node, path: place.path)
            })
    }
}

extension Located: Sendable where Value: Sendable {}
