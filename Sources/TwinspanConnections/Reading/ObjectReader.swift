// Reads the fields of one object: reports unknown keys, missing fields and fields that have no effect yet, so that the
// reader of a source or a target only names the fields it wants.

/// Reads one object of a configuration.
struct ObjectReader {
    let node: YAMLNode
    let path: ConfigurationPath
    /// For messages: `source 1`, `this connection`.
    let owner: String
    let sink: DiagnosticSink
    private let pairs: [String: YAMLPair]
    /// Fields whose names were probably meant by unknown keys; they are not reported as missing as well.
    private var misspelled: Set<String> = []

    /// Checks the keys of an object. Nil if the node is none, which is reported.
    init?(_ node: YAMLNode, _ group: FieldGroup, path: ConfigurationPath, owner: String, sink: DiagnosticSink) {
        guard let mapping = node.mapping else {
            sink.error(
                at: Spot(of: node), path: path, "expected an object for \(owner), found \(node.kindDescription)",
                as: .formatInvalid)
            return nil
        }
        self.node = node
        self.path = path
        self.owner = owner
        self.sink = sink
        pairs = Dictionary(mapping.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        let declarations = Set(group.names)
        if sink.ignoresUnknownKeys { return }
        for pair in mapping where !declarations.contains(pair.key) { reportUnknown(pair, group) }
    }

    /// The value of a field; its default when it is absent, null or wrong.
    /// - Parameter warns: whether to say so if the field has no effect yet.
    func value<Value>(_ field: Field<Value>, warns: Bool = true) -> Value {
        let name = field.declaration.name
        guard let pair = pairs[name], !pair.value.isNull else {
            if field.declaration.isRequired { reportMissing(name) }
            return field.fallback()
        }
        if warns, !field.declaration.isServed { reportUnserved(pair, field.declaration) }
        let place = FieldPlace(sink: sink, path: path.key(name), name: name)
        return field.decode(pair.value, place) ?? field.fallback()
    }

    /// The entry of a field as it was written.
    func pair(_ name: String) -> YAMLPair? { pairs[name] }

    /// Reports a field that must be there.
    func reportMissing(_ name: String, hint: String? = nil, as wire: WireError = .fieldMissing) {
        if misspelled.contains(name) { return }
        sink.error(at: Spot(of: node), path: path.key(name), "\(owner) has no '\(name)'", hint: hint, as: wire)
    }

    private mutating func reportUnknown(_ pair: YAMLPair, _ group: FieldGroup) {
        let names = group.names.filter { !$0.hasPrefix("_") }
        let suggestion = NearestName.find(pair.key, among: names)
        if let suggestion { misspelled.insert(suggestion) }
        let known = names.isEmpty ? "nothing is known here" : "known keys: \(names.joined(separator: ", "))"
        sink.error(
            at: Spot(keyOf: pair), path: path.key(pair.key), "unknown key '\(pair.key)' in \(owner)",
            hint: suggestion == nil ? known : nil, suggestion: suggestion)
    }

    /// Definitions copied from elsewhere spell out defaults; only what differs is worth a warning.
    private func reportUnserved(_ pair: YAMLPair, _ declaration: FieldDeclaration) {
        switch pair.value.content {
        case .scalar(let scalar): if scalar.value == .null || scalar.text == declaration.defaultText { return }
        case .sequence(let elements): if elements.isEmpty { return }
        case .mapping(let pairs): if pairs.isEmpty { return }
        }
        sink.warning(
            at: Spot(keyOf: pair), path: path.key(pair.key),
            "'\(pair.key)' is accepted, but not served yet by this version")
    }
}
