// One entry of a `payloadMapping`: the mapper or decoder its name leads to, and what has to hold before it is asked
// (spec/mapping.md §4.1–4.3).
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// A mapper with what stands before it.
struct MapperEntry: Sendable {
    enum Stage: Sendable {
        case mapper(any PayloadMapper)
        case decoder(any PayloadDecoder)
    }

    let stage: Stage
    let incomingConditions: [PipelineExpression]
    let outgoingConditions: [PipelineExpression]
    /// Content types that are not for it, inbound only.
    let blocked: [String]

    /// The mapper, nil for a decoder.
    var mapper: (any PayloadMapper)? {
        if case .mapper(let mapper) = stage { return mapper }
        return nil
    }

    /// A mapper that no name stands for.
    init(implied mapper: any PayloadMapper, blocked: [String]) {
        stage = .mapper(mapper)
        incomingConditions = []
        outgoingConditions = []
        self.blocked = blocked
    }

    /// Finds what `name` stands for: a definition, else a kind that works without options.
    init(
        _ name: String, definitions: [String: (engine: String, definition: MapperDefinition)],
        registry: MapperRegistry
    ) throws(TwinspanError) {
        let defined = definitions[name]
        let definition = defined?.definition ?? MapperDefinition(name: name)
        guard let engine = registry.engine(named: defined?.engine ?? name), defined != nil || !engine.needsOptions
        else { throw Self.unknown(name, kind: defined?.engine, defined: Array(definitions.keys), registry) }
        stage =
            switch try engine.make(definition) {
            case .mapper(let mapper): .mapper(mapper)
            case .decoder(let decoder): .decoder(decoder)
            }
        incomingConditions = definition.incomingConditions
        outgoingConditions = definition.outgoingConditions
        blocked = try MapperOptions(definition).blockedContentTypes(default: engine.blockedContentTypes)
    }

    /// Why an inbound message is not for this entry, nil when it is.
    @inline(__always)
    func exclusion(of message: InboundMessage, _ scene: MappingScene) -> String? {
        if !message.headers.list.isEmpty, !blocked.isEmpty, let type = message.headers.contentType,
            blocked.contains(where: { $0.hasSameBytes(as: type) })
        {
            return "its content type '\(type.shortened)' is blocked"
        }
        if !incomingConditions.isEmpty, !Self.hold(incomingConditions, scene.resolver(message.headers)) {
            return "a condition does not hold"
        }
        return nil
    }

    /// Whether all conditions resolve. Their first function gets the text `true`, as if each began with
    /// `fn:default('true')`.
    static func hold(_ conditions: [PipelineExpression], _ resolver: SignalResolver) -> Bool {
        conditions.allSatisfy { $0.resolve(resolver, input: .one("true")).isResolved }
    }

    private static func unknown(
        _ name: String, kind: String?, defined: [String], _ registry: MapperRegistry
    ) -> TwinspanError {
        let usable = registry.engines.filter { !$0.needsOptions }.map(\.name)
        let needy = registry.engines.filter(\.needsOptions).map(\.name)
        var sentences: [String] = []
        if let kind { sentences.append("There is no mappingEngine '\(kind.shortened)'.") }
        sentences.append(
            "Defined: \(defined.isEmpty ? "none" : defined.sorted().joined(separator: ", ")). "
                + "Built in: \(usable.joined(separator: ", "))"
                + (needy.isEmpty ? "." : ", and with a definition \(needy.joined(separator: ", "))."))
        return ConnectivityErrorTable.configurationInvalid.error(
            "The mapper <\(name)> could not be loaded.", description: sentences.joined(separator: " "))
    }
}
