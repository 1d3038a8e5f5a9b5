// One target of a connection (spec/connectivity.md §1.5).
import TwinspanExpressions

/// Reads a target.
struct TargetReader {
    let sink: DiagnosticSink

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
        let payloadMapping = mappers.names(reader.value(TargetFields.payloadMapping), owner: owner)
        let qos = reader.value(TargetFields.qos)
        _ = reader.value(TargetFields.issuedAcknowledgementLabel)
        if let address, address.value.isEmpty {
            sink.error(at: Spot(of: address.node), path: address.path, "an address may not be empty")
        }
        let template = address.flatMap { templates.template($0, .address) }
        guard
            var target = template.map({
                Target(
                    address: $0, topics: topics, qos: qos, authorizationContext: authorization,
                    headerMapping: headerMapping, payloadMapping: payloadMapping)
            })
        else { return nil }
        readExtension(reader, into: &target)
        return target
    }

    private func reportNoAuthorization(_ reader: ObjectReader) {
        let hint = "name the subjects whose READ permission counts, e.g. [\"integration:plant\"]"
        guard let pair = reader.pair("authorizationContext") else {
            reader.reportMissing("authorizationContext", hint: hint)
            return
        }
        // A list with wrong entries has been reported.
        guard pair.value.isNull || pair.value.sequence?.isEmpty == true else { return }
        sink.error(
            at: Spot(of: pair.value), path: reader.path.key("authorizationContext"),
            "the authorizationContext of \(reader.owner) is empty", hint: hint)
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
        guard target.delivery == .durable, let pair = fields.pair("delivery") else { return }
        sink.warning(
            at: Spot(of: pair.value), path: part.path.key("delivery"),
            "durable delivery is accepted, but not served yet by this version",
            hint: "the target is served as an ordinary one")
        if target.name == nil {
            sink.error(
                at: Spot(of: part.value), path: part.path.key("name"), "a durable target needs a name",
                hint: "its place in the journal is kept under that name")
        }
    }
}
