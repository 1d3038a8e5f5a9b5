// A target made ready for its signals: topics in the order in which they are asked, subjects and mappers.
import TwinspanConnections
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// One topic of a target.
struct CompiledTopic: Sendable {
    let topic: TargetTopic
    let namespaces: Set<String>
    let extra: CompiledExtra?

    init(_ topic: TargetTopic) {
        self.topic = topic
        namespaces = Set(topic.namespaces)
        extra = topic.extraFields.map { CompiledExtra($0) }
    }

    func admits(namespace: String) -> Bool { namespaces.isEmpty || namespaces.contains(namespace) }
}

/// Extra fields whose templates are selectors already where they are constant.
struct CompiledExtra: Sendable {
    private let fields: ExtraFields
    private let constant: JSONFieldSelector?

    init(_ fields: ExtraFields) {
        self.fields = fields
        let texts = fields.pointers.map(\.constant)
        constant =
            texts.contains(nil) ? nil : JSONFieldSelector(texts.compactMap { $0.flatMap { Self.pointer($0) } })
    }

    /// What is selected for a signal; an entry without a value is left out. Nil when nothing is left.
    func selector(_ resolver: () -> SignalResolver) -> JSONFieldSelector? {
        if let constant { return constant.pointers.isEmpty ? nil : constant }
        let resolver = resolver()
        let pointers = fields.pointers.flatMap { $0.resolve(resolver).values }.compactMap { Self.pointer($0) }
        return pointers.isEmpty ? nil : JSONFieldSelector(pointers)
    }

    private static func pointer(_ text: String) -> JSONPointer? {
        // A value with consecutive slashes addresses nothing, and selects nothing.
        try? JSONPointer(parsing: text.hasPrefix("/") ? text : "/" + text)
    }
}

extension JSONFieldSelector {
    /// Whether the field, or a part of it, comes with the selection, so is not known before it is read.
    func touches(_ field: JSONPointer) -> Bool {
        pointers.contains { pointer in
            zip(pointer.segments, field.segments).allSatisfy { $0 == "*" || $0.hasSameBytes(as: $1) }
        }
    }
}

/// A target made ready.
struct CompiledTarget: Sendable {
    let target: Target
    /// Its place in the connection.
    let index: Int
    let context: AuthorizationContext
    let mappers: MapperChain
    let qos: UInt8
    let takesAnnouncements: Bool
    /// Whether address and headers are the same for every signal.
    let isAddressConstant: Bool
    private let twinEvents: [CompiledTopic]
    private let liveMessages: [CompiledTopic]
    private let liveCommands: [CompiledTopic]
    private let liveEvents: [CompiledTopic]
    private let policyAnnouncements: [CompiledTopic]

    /// Throws for a mapper that cannot be made.
    init(
        _ target: Target, index: Int, of connection: Connection, registry: MapperRegistry
    ) throws(TwinspanError) {
        self.target = target
        self.index = index
        context = AuthorizationContext(target.authorizationContext)
        mappers = try connection.mapperChain(target.payloadMapping, registry: registry)
        qos = UInt8(clamping: target.qos ?? 0)
        takesAnnouncements = target.topics.contains { $0.kind == .connectionAnnouncements }
        isAddressConstant = target.address.constant != nil && target.headerMapping.isEmpty
        // In the order in which they are asked (spec/connectivity.md §3.3, step 4).
        let ordered = target.topics.sorted { left, right in
            if (left.extraFields == nil) != (right.extraFields == nil) { return left.extraFields != nil }
            return left.canonicalText < right.canonicalText
        }
        func topics(_ kind: TargetTopic.Kind) -> [CompiledTopic] {
            ordered.filter { $0.kind == kind }.map { CompiledTopic($0) }
        }
        twinEvents = topics(.twinEvents)
        liveMessages = topics(.liveMessages)
        liveCommands = topics(.liveCommands)
        liveEvents = topics(.liveEvents)
        policyAnnouncements = topics(.policyAnnouncements)
    }

    /// The topics of a kind of signal, in the order in which they are asked.
    func topics(_ kind: TargetTopic.Kind) -> [CompiledTopic] {
        switch kind {
        case .twinEvents: twinEvents
        case .liveMessages: liveMessages
        case .liveCommands: liveCommands
        case .liveEvents: liveEvents
        case .policyAnnouncements: policyAnnouncements
        case .connectionAnnouncements: []
        }
    }
}

extension TargetTopic {
    /// The topic as it is shown: decoded values in the order of §1.5.1.
    var canonicalText: String {
        var parameters: [String] = []
        if !namespaces.isEmpty { parameters.append("namespaces=" + namespaces.joined(separator: ",")) }
        if let filter { parameters.append("filter=" + filter.text) }
        if let extraFields { parameters.append("extraFields=" + extraFields.text) }
        return kind.rawValue + (parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&"))
    }
}
