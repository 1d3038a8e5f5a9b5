// One test case, field by field. Reads on after every problem, so that all are reported at once.
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// Reads the cases of one file.
struct CaseReader {
    let sink: DiagnosticSink
    let file: String
    /// The connections beside the file; nil when they have errors, so that nothing can be said about them.
    let connections: [Connection]?

    /// Reads a case; nil when it has an error, or its connection has.
    func read(_ node: YAMLNode, number: Int, path: ConfigurationPath) -> MappingCase? {
        let errorsBefore = sink.errorCount
        let written = node["name"]?.value.scalar?.text
        let owner = written.map { "the case '\($0.prefix(60))'" } ?? "case \(number)"
        guard let reader = ObjectReader(node, CaseFields.group, path: path, owner: owner, sink: sink) else {
            return nil
        }
        let name = reader.value(CaseFields.name)?.value
        let connection = chooseConnection(reader)
        let time = readTime(reader)
        let isOutward = CaseFields.outward.contains { reader.pair($0.name) != nil }
        let input = isOutward ? readSignal(reader, connection) : readMessage(reader, connection)
        let expectation = readExpectation(reader, isOutward: isOutward)
        guard sink.errorCount == errorsBefore, let name, let connection, let input else { return nil }
        return MappingCase(
            name: name, file: file, line: node.start.line, connection: connection, input: input, time: time,
            expectation: expectation)
    }

    private func chooseConnection(_ reader: ObjectReader) -> Connection? {
        let named = reader.value(CaseFields.connection)
        guard let connections else { return nil }
        let ids = connections.map(\.id.text)
        let list = "there are: \(ids.joined(separator: ", "))"
        if let named {
            if let found = connections.first(where: { $0.id.text == named.value }) { return found }
            sink.error(
                at: Spot(of: named.node), path: named.path,
                "there is no connection '\(named.value)' in the file beside this one", hint: list,
                suggestion: NearestName.find(named.value, among: ids))
            return nil
        }
        if connections.count > 1 {
            reader.reportMissing("connection", hint: "name one of the connections beside this file; \(list)")
            return nil
        }
        return connections.first
    }

    private func readTime(_ reader: ObjectReader) -> Timestamp {
        guard let text = reader.value(CaseFields.time) else { return MappingCase.standardTime }
        if let time = Timestamp(parsing: text.value) { return time }
        sink.error(
            at: Spot(of: text.node), path: text.path, "'\(text.value)' is not a time",
            hint: "write it like 2026-01-01T00:00:00Z")
        return MappingCase.standardTime
    }

    // MARK: Input

    private func readMessage(_ reader: ObjectReader, _ connection: Connection?) -> MappingCase.Input? {
        let number = reader.value(CaseFields.source)
        let source = place(number ?? 1, "source", of: connection?.sources.count, reader)
        let address = reader.value(CaseFields.address)
        let qos = reader.value(CaseFields.qos)
        let headers = readHeaders(reader)
        let payload = readPayload(reader)
        guard let connection, let source else { return nil }
        let chosen = connection.sources[source]
        let constant = chosen.addresses.first { !$0.contains("#") && !$0.contains("+") }
        let only = chosen.addresses.count == 1 ? constant : nil
        guard let text = address?.value ?? only else {
            reader.reportMissing(
                "address",
                hint: "say where the message was published: the source reads "
                    + chosen.addresses.joined(separator: ", "))
            return nil
        }
        return .message(
            MappingCase.Message(
                source: source, address: text, qos: UInt8(clamping: qos ?? chosen.qos ?? 1), headers: headers,
                payload: payload))
    }

    private func readSignal(_ reader: ObjectReader, _ connection: Connection?) -> MappingCase.Input? {
        for field in CaseFields.inward {
            guard let pair = reader.pair(field.name) else { continue }
            sink.error(
                at: Spot(keyOf: pair), path: reader.path.key(field.name),
                "'\(field.name)' belongs to cases of a source, and this one is about a target",
                hint: "make two cases of it")
        }
        let target = place(reader.value(CaseFields.target) ?? 1, "target", of: connection?.targets.count, reader)
        guard let event = reader.value(CaseFields.event) else {
            if reader.pair("event") == nil {
                reader.reportMissing("event", hint: "write the Ditto Protocol message that the target is given")
            }
            return nil
        }
        guard let target else { return nil }
        return .signal(MappingCase.Signal(target: target, envelope: Array(event.value.json.text.utf8)))
    }

    /// The index of a source or target, from 0.
    private func place(_ number: Int, _ key: String, of count: Int?, _ reader: ObjectReader) -> Int? {
        guard let count else { return nil }
        if (1...max(count, 1)).contains(number), count > 0 { return number - 1 }
        let spot = reader.pair(key).map { Spot(of: $0.value) } ?? Spot(of: reader.node)
        let noun = count == 1 ? key : key + "s"
        sink.error(
            at: spot, path: reader.path.key(key),
            "the connection has \(count) \(noun), so there is no \(key) \(number)",
            hint: count > 0 ? "say 1 to \(count)" : nil)
        return nil
    }

    private func readHeaders(_ reader: ObjectReader) -> [(name: String, value: String)] {
        guard let part = reader.value(CaseFields.headers), let pairs = part.value.mapping else { return [] }
        return pairs.compactMap { pair in
            guard let scalar = pair.value.scalar else {
                sink.error(
                    at: Spot(of: pair.value), path: part.path.key(pair.key),
                    "expected text for the header '\(pair.key)', found \(pair.value.kindDescription)")
                return nil
            }
            return (name: pair.key, value: scalar.text)
        }
    }

    private func readPayload(_ reader: ObjectReader) -> [UInt8] {
        let encoded = reader.value(CaseFields.payloadBase64)
        let payload = reader.value(CaseFields.payload)
        if let encoded {
            if let pair = reader.pair("payload") {
                sink.error(
                    at: Spot(keyOf: pair), path: reader.path.key("payload"),
                    "'payload' and 'payloadBase64' exclude each other", hint: "remove one of them")
            }
            if let bytes = Base64.decode(encoded.value) { return bytes }
            sink.error(at: Spot(of: encoded.node), path: encoded.path, "'payloadBase64' is not base64")
            return []
        }
        guard let node = payload?.value else { return [] }
        if let scalar = node.scalar, scalar.value == .string { return Array(scalar.text.utf8) }
        return Array(node.json.text.utf8)
    }

    // MARK: Expectations

    private func readExpectation(_ reader: ObjectReader, isOutward: Bool) -> MappingCase.Expectation {
        var expectation = MappingCase.Expectation()
        expectation.isDropped = reader.value(CaseFields.isDropped)
        expectation.errorCode = reader.value(CaseFields.error)?.value
        if let part = reader.value(CaseFields.expect), let entries = part.value.sequence {
            expectation.messages = entries.enumerated().compactMap { index, entry in
                pattern(entry, path: part.path.index(index), number: index + 1, isOutward: isOutward)
            }
        }
        let says = reader.pair("expect") != nil || reader.pair("dropped") != nil || reader.pair("error") != nil
        if !says {
            reader.reportMissing("expect", hint: "say what has to come of it: expect, dropped or error")
        } else if expectation.isDropped, let pair = reader.pair("expect") ?? reader.pair("error") {
            sink.error(
                at: Spot(keyOf: pair), path: reader.path.key(pair.key),
                "'dropped' and '\(pair.key)' exclude each other", hint: "remove one of them")
        } else if let pair = reader.pair("dropped"), pair.value.scalar?.value == .bool(false),
            reader.pair("expect") == nil, reader.pair("error") == nil
        {
            sink.error(
                at: Spot(of: pair.value), path: reader.path.key("dropped"), "'dropped: false' says nothing to expect",
                hint: "say with 'expect' what has to come of it")
        }
        return expectation
    }

    private func pattern(
        _ node: YAMLNode, path: ConfigurationPath, number: Int, isOutward: Bool
    ) -> MappingCase.Pattern? {
        let owner = "expected message \(number)"
        guard let reader = ObjectReader(node, CaseFields.expectedGroup, path: path, owner: owner, sink: sink) else {
            return nil
        }
        let equals = reader.value(CaseFields.equals)
        let contains = reader.value(CaseFields.contains)
        if equals != nil, contains != nil, let pair = reader.pair("contains") {
            sink.error(
                at: Spot(keyOf: pair), path: path.key("contains"), "'equals' and 'contains' exclude each other",
                hint: "remove one of them")
        }
        guard let part = equals ?? contains else {
            if reader.pair("equals") == nil, reader.pair("contains") == nil {
                reader.reportMissing("equals", hint: "write equals: or contains: with the message")
            }
            return nil
        }
        // Only for its unknown keys: a misspelled member would never match.
        _ = ObjectReader(
            part.value, isOutward ? CaseFields.publicationGroup : CaseFields.envelopeGroup, path: part.path,
            owner: owner, sink: sink)
        return MappingCase.Pattern(isPartial: equals == nil, value: part.value.json)
    }
}
