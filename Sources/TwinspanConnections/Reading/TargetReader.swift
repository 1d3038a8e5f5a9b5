// One target of a connection (spec/connectivity.md §1.5).
import TwinspanExpressions

/// Reads a target.
struct TargetReader {
    let sink: DiagnosticSink
    let labels: LabelReader

    /// The target as far as it can be read; nil if it has no address. What is wrong is reported.
    func target(
        _ node: YAMLNode, path: ConfigurationPath, owner: String, mappers: inout PayloadMappingReader
    ) -> Target? {
        guard let reader = ObjectReader(node, TargetFields.group, path: path, owner: owner, sink: sink)
        else { return nil }
        let templates = TemplateReader(sink: sink)
        let address = reader.value(TargetFields.address)
        let topics = reader.value(TargetFields.topics).compactMap { TopicReader(sink: sink).topic($0) }
        if reader.pair("topics")?.value.sequence?.isEmpty ?? true, reader.pair("topics")?.value.scalar == nil {
            sink.warning(
                at: Spot(of: node), path: path.key("topics"), "\(owner) has no topics: nothing is sent to it",
                hint: "add topics, e.g. [\(TargetTopic.Kind.twinEvents.rawValue)]")
        }
        let subjects = reader.value(TargetFields.authorizationContext)
        if subjects.isEmpty { reportNoAuthorization(reader) }
        let authorization = subjects.filter { templates.requireConstant($0, .targetAuthorization) }.map(\.value)
        let headerMapping = templates.headerMapping(reader.value(TargetFields.headerMapping), .headerMapping)
        let payloadMapping = mappers.names(reader.value(TargetFields.payloadMapping), .outbound, owner: owner)
        let qos = reader.value(TargetFields.qos)
        let label = reader.value(TargetFields.issuedAcknowledgementLabel)
        if let address, address.value.isEmpty {
            sink.error(
                at: Spot(of: address.node), path: address.path, "an address may not be empty",
                hint: "say where to send")
        }
        let template = address.flatMap { templates.template($0, .address) }
        guard
            var target = template.map({
                Target(
                    address: $0, topics: topics, qos: qos, authorizationContext: authorization,
                    headerMapping: headerMapping, payloadMapping: payloadMapping)
            })
        else { return nil }
        if let label, let read = labels.label(label, .issued) {
            target.issuedAcknowledgementLabel = read
            target.writtenIssuedLabel = label.value
        }
        readExtension(reader, into: &target)
        return target
    }

    private func reportNoAuthorization(_ reader: ObjectReader) {
        let hint = "name the subjects whose READ permission counts, e.g. [\"integration:plant\"]"
        guard let pair = reader.pair("authorizationContext") else {
            reader.reportMissing("authorizationContext", hint: hint, as: .missingAuthorization("Targets", reader))
            return
        }
        // A list with wrong entries has been reported.
        guard pair.value.isNull || pair.value.sequence?.isEmpty == true else { return }
        sink.error(
            at: Spot(of: pair.value), path: reader.path.key("authorizationContext"),
            "the authorizationContext of \(reader.owner) is empty", hint: hint,
            as: .missingAuthorization("Targets", reader))
    }

    private func readExtension(_ reader: ObjectReader, into target: inout Target) {
        guard let part = reader.value(TargetFields.twinspan),
            let fields = ObjectReader(
                part.value, TargetFields.extensionGroup, path: part.path, owner: "'twinspan' of \(reader.owner)",
                sink: sink)
        else { return }
        target.name = fields.value(TargetFields.name)?.value
        target.delivery = fields.value(TargetFields.delivery)
        target.queueLimit = fields.value(TargetFields.queue)
        target.rateLimit = fields.value(TargetFields.rate)
        if target.delivery == .durable {
            checkDurable(target, reader, part, fields)
        } else if let pair = fields.pair("rate") {
            sink.warning(
                at: Spot(keyOf: pair), path: part.path.key("rate"), "'rate' has no effect on an ordinary target",
                hint: "say delivery: durable, or remove it")
        }
    }

    private func checkDurable(
        _ target: Target, _ reader: ObjectReader, _ part: Located<YAMLNode>, _ fields: ObjectReader
    ) {
        if target.qos == 0, let pair = reader.pair("qos") {
            sink.warning(
                at: Spot(of: pair.value), path: reader.path.key("qos"),
                "a durable target with qos 0 loses what the broker had not read when the connection was lost",
                hint: "say qos: 1, so that the broker confirms each message")
        }
        if target.name?.isEmpty ?? (fields.pair("name")?.value.isNull ?? true) {
            sink.error(
                at: Spot(of: part.value), path: part.path.key("name"), "a durable target needs a name",
                hint: "its place in the journal is kept under that name")
        }
        // Only what is in the journal can wait there.
        for topic in target.topics where topic.kind != .twinEvents {
            sink.warning(
                at: fields.pair("delivery").map { Spot(of: $0.value) } ?? Spot(of: part.value),
                path: part.path.key("delivery"),
                "signals of '\(topic.kind.rawValue)' are not kept for a durable target",
                hint: "only twin events stand in the journal; give the others a target of their own")
        }
    }
}
