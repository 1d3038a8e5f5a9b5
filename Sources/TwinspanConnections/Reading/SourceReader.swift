// One source of a connection (spec/connectivity.md §1.4).
import TwinspanExpressions
import TwinspanProtocol

/// Reads a source.
struct SourceReader {
    let type: ConnectionType?
    let sink: DiagnosticSink
    let labels: LabelReader

    /// The source as far as it can be read; nil if it is no object. What is wrong is reported.
    func source(
        _ node: YAMLNode, path: ConfigurationPath, owner: String, mappers: inout PayloadMappingReader
    ) -> Source? {
        guard let reader = ObjectReader(node, SourceFields.group, path: path, owner: owner, sink: sink)
        else { return nil }
        let templates = TemplateReader(sink: sink)
        let addresses = addresses(reader, templates)
        let authorization = reader.value(SourceFields.authorizationContext)
        if authorization.isEmpty { reportNoAuthorization(reader) }
        let mappingScope: PlaceholderScope = type == .mqtt ? .mqttSourceHeaderMapping : .headerMapping
        var headerMapping = templates.headerMapping(reader.value(SourceFields.headerMapping), mappingScope)
        let qos = reader.value(SourceFields.qos)
        if type == .mqtt || type == .mqtt5, qos == 2 { warnOfExactlyOnce(reader) }
        let consumers = reader.value(SourceFields.consumerCount)
        // Both versions of AMQP give each consumer its share of what may be under way.
        let hasShares = type == .amqp091 || type == .amqp10
        if type != .mqtt, !hasShares, consumers > 1, let pair = reader.pair("consumerCount") {
            sink.note(
                at: Spot(keyOf: pair), path: reader.path.key("consumerCount"),
                "'consumerCount' has no effect: one consumer reads all addresses of a connection",
                hint: "it may stay; make a second connection to use another core")
        }
        var source = Source(
            addresses: addresses, qos: qos, consumerCount: consumers,
            authorizationContext: templates.templates(authorization, .sourceAuthorization),
            enforcement: enforcement(reader, owner, templates),
            payloadMapping: mappers.names(reader.value(SourceFields.payloadMapping), .inbound, owner: owner),
            replyTarget: replyTarget(reader, owner, templates, &headerMapping))
        readDeclaredAcks(reader, into: &source)
        source.acknowledgementRequests = acknowledgementRequests(reader, owner, templates)
        if let part = reader.value(SourceFields.twinspan) {
            _ = ObjectReader(
                part.value, SourceFields.extensionGroup, path: part.path, owner: "'twinspan' of \(owner)", sink: sink)
        }
        source.headerMapping = headerMapping
        return source
    }

    private func addresses(_ reader: ObjectReader, _ templates: TemplateReader) -> [String] {
        let texts = reader.value(SourceFields.addresses)
        if texts.isEmpty, let pair = reader.pair("addresses"), pair.value.sequence?.isEmpty == true {
            sink.error(
                at: Spot(of: pair.value), path: reader.path.key("addresses"), "addresses may not be empty",
                hint: "say what is read")
        }
        var addresses: [String] = []
        for text in texts where templates.requireConstant(text, .sourceAddress) {
            if text.value.isEmpty {
                sink.error(
                    at: Spot(of: text.node), path: text.path, "an address may not be empty", hint: "remove it",
                    as: .configurationInvalid.saying("Source addresses may not be empty."))
            } else if addresses.contains(text.value) {
                sink.warning(
                    at: Spot(of: text.node), path: text.path, "the address '\(text.value)' is there twice",
                    hint: "remove one of them")
            } else {
                addresses.append(text.value)
            }
        }
        return addresses
    }

    private func reportNoAuthorization(_ reader: ObjectReader) {
        let hint = "name the subjects to act as, e.g. [\"integration:plant\"]"
        guard let pair = reader.pair("authorizationContext") else {
            reader.reportMissing("authorizationContext", hint: hint, as: .missingAuthorization("Sources", reader))
            return
        }
        // A list with wrong entries has been reported.
        guard pair.value.isNull || pair.value.sequence?.isEmpty == true else { return }
        sink.error(
            at: Spot(of: pair.value), path: reader.path.key("authorizationContext"),
            "the authorizationContext of \(reader.owner) is empty", hint: hint,
            as: .missingAuthorization("Sources", reader))
    }

    private func warnOfExactlyOnce(_ reader: ObjectReader) {
        guard let pair = reader.pair("qos") else { return }
        sink.warning(
            at: Spot(of: pair.value), path: reader.path.key("qos"),
            "QoS 2 is subscribed as QoS 1: a crash could lose QoS 2 messages",
            hint: "say 1; a message may then arrive twice, which a twin does not mind")
    }

    private func enforcement(_ reader: ObjectReader, _ owner: String, _ templates: TemplateReader) -> Enforcement? {
        guard let part = reader.value(SourceFields.enforcement),
            let fields = ObjectReader(
                part.value, SourceFields.enforcementGroup, path: part.path, owner: "the enforcement of \(owner)",
                sink: sink)
        else { return nil }
        let scope: PlaceholderScope =
            switch type {
            case .mqtt: .mqttEnforcementInput
            // Without a type anything that some binding takes may be right.
            case .mqtt5, nil: .mqtt5EnforcementInput
            case .amqp091, .amqp10, .kafka, .hono, .httpPush: .enforcementInput
            }
        let input = fields.value(SourceFields.input).flatMap { templates.template($0, scope) }
        let texts = fields.value(SourceFields.filters)
        if texts.isEmpty {
            sink.warning(
                at: Spot(of: part.value), path: part.path,
                "the enforcement of \(owner) has no filters: nothing can match",
                hint: "add filters such as \"{{ thing:id }}\", or remove the enforcement")
        }
        let filters = templates.templates(texts, .enforcementFilter)
        return input.map { Enforcement(input: $0, filters: filters) }
    }
}

// MARK: Acknowledgements

extension SourceReader {
    private func readDeclaredAcks(_ reader: ObjectReader, into source: inout Source) {
        for text in reader.value(SourceFields.declaredAcks) {
            guard let label = labels.label(text, .declared) else { continue }
            if source.declaredAcks.contains(label) {
                sink.warning(
                    at: Spot(of: text.node), path: text.path, "the label '\(text.value)' is there twice",
                    hint: "remove one of them")
                continue
            }
            source.declaredAcks.append(label)
            source.writtenDeclaredAcks.append(text.value)
        }
    }

    private func acknowledgementRequests(
        _ reader: ObjectReader, _ owner: String, _ templates: TemplateReader
    ) -> AcknowledgementRequests? {
        guard let part = reader.value(SourceFields.acknowledgementRequests),
            let fields = ObjectReader(
                part.value, SourceFields.requestsGroup, path: part.path,
                owner: "the acknowledgementRequests of \(owner)", sink: sink)
        else { return nil }
        var requests = AcknowledgementRequests(includes: [])
        for text in fields.value(SourceFields.includes) {
            guard let label = labels.label(text, .requested), !requests.includes.contains(label) else { continue }
            requests.includes.append(label)
            requests.writtenIncludes.append(text.value)
        }
        requests.filter = fields.value(SourceFields.filter).flatMap { templates.expression($0, .acknowledgementFilter) }
        if fields.pair("includes")?.value.sequence?.isEmpty == true, fields.pair("filter")?.value.isNull ?? true,
            !sink.ignoresUnknownKeys
        {
            sink.warning(
                at: Spot(of: part.value), path: part.path,
                "the acknowledgementRequests of \(owner) ask for nothing",
                hint: "add labels or a filter, or remove them")
        }
        return requests
    }
}

// MARK: Reply target

extension SourceReader {
    /// The reply target, or the one that Ditto makes up when none is given. MQTT 3.1.1 gets none then: its messages
    /// have no `reply-to` header, so the template Ditto makes up could never be resolved.
    private func replyTarget(
        _ reader: ObjectReader, _ owner: String, _ templates: TemplateReader, _ sourceMapping: inout [HeaderMapping]
    ) -> ReplyTarget? {
        guard let part = reader.value(SourceFields.replyTarget) else {
            return type == .mqtt || type == nil ? nil : migratedReplyTarget(&sourceMapping)
        }
        let owner = "the replyTarget of \(owner)"
        guard
            let fields = ObjectReader(
                part.value, SourceFields.replyTargetGroup, path: part.path, owner: owner, sink: sink)
        else { return nil }
        let isEnabled = fields.value(SourceFields.isEnabled)
        let address = fields.value(SourceFields.address)
        let mapping = templates.headerMapping(fields.value(SourceFields.headerMapping), .headerMapping)
        let kinds = responseTypes(fields)
        guard let address else {
            if isEnabled, fields.pair("address") == nil {
                sink.warning(
                    at: Spot(of: part.value), path: part.path, "\(owner) has no address: answers are not sent",
                    hint: "add an address, or say enabled: false")
            }
            return nil
        }
        guard !address.value.isEmpty else {
            sink.error(
                at: Spot(of: address.node), path: address.path, "an address may not be empty",
                hint: "say where answers go, or enabled: false")
            return nil
        }
        if isEnabled, let pair = fields.pair("expectedResponseTypes"), pair.value.sequence?.isEmpty == true {
            sink.warning(
                at: Spot(of: pair.value), path: fields.path.key("expectedResponseTypes"),
                "\(owner) expects nothing: answers are not sent", hint: "name response, error or nack")
        }
        return templates.template(address, .address).map {
            ReplyTarget(address: $0, headerMapping: mapping, expectedResponseTypes: kinds, isEnabled: isEnabled)
        }
    }

    private func responseTypes(_ fields: ObjectReader) -> Set<ReplyTarget.ResponseType> {
        guard let pair = fields.pair("expectedResponseTypes"), !pair.value.isNull else { return [.response, .error] }
        var kinds: Set<ReplyTarget.ResponseType> = []
        for text in fields.value(SourceFields.expectedResponseTypes) {
            if let kind = ReplyTarget.ResponseType(rawValue: text.value.lowercased()) {
                kinds.insert(kind)
            } else {
                let words = ReplyTarget.ResponseType.allCases.map(\.rawValue)
                sink.warning(
                    at: Spot(of: text.node), path: text.path, "the response type '\(text.value)' is ignored",
                    hint: "known: \(words.joined(separator: ", "))",
                    suggestion: NearestName.find(text.value, among: words))
            }
        }
        return kinds
    }

    /// Ditto's legacy migration (spec/connectivity.md §1.1) for bindings whose messages have headers.
    private func migratedReplyTarget(_ sourceMapping: inout [HeaderMapping]) -> ReplyTarget? {
        func mapping(_ name: String) -> HeaderMapping? {
            // The templates are constants of ours; that they parse is tested.
            (try? PlaceholderTemplate.parse("{{header:\(name)}}", scope: .headerMapping)).map {
                HeaderMapping(name: name, template: $0)
            }
        }
        let explicit = Set(sourceMapping.map(\.name))
        let defaults = ["correlation-id", "content-type", "reply-to"].filter { !explicit.contains($0) }
        sourceMapping = defaults.compactMap(mapping) + sourceMapping
        return mapping("reply-to").map {
            ReplyTarget(
                address: $0.template, headerMapping: ["correlation-id", "content-type"].compactMap(mapping))
        }
    }
}
