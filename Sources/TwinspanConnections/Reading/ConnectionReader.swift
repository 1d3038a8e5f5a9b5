// One connection document, field by field (spec/connectivity.md §1). Reads on after every problem, so that all are
// reported at once.
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// What a version or an installation sets limits to.
public struct ConnectionLimits: Sendable {
    /// Most sources of a connection.
    public var sources = 4
    /// Most targets of a connection.
    public var targets = 4
    /// The kinds of broker that can be served.
    public var servedTypes = Set(ConnectionType.allCases)

    public init() {}

    /// The limits of Ditto, and what this version serves.
    public static let standard = ConnectionLimits()
}

/// Reads connection documents.
struct ConnectionReader {
    let sink: DiagnosticSink
    let rules: ReadingRules
    /// Where connections come from: files, or the bodies of requests.
    var files: OptionFiles?
    /// The id that the request's path names; nil when the document has to say it.
    var givenID: ConnectionID?
    /// Whether `connectionStatus` has to be there, as it has in requests.
    var requiresStatus = false

    private var limits: ConnectionLimits { rules.limits }

    /// Reads a document.
    /// - Parameter file: the file's path, nil for a connection that is in no file.
    func connection(_ document: YAMLNode, file: String?) -> ReadConnection {
        let errorsBefore = sink.errorCount
        var result = ReadConnection(isUsable: false, document: document)
        guard
            let reader = ObjectReader(
                document, ConnectionFields.group, path: .root, owner: "this connection", sink: sink)
        else { return result }
        result.id = readID(reader, file: file)
        let type = readType(reader)
        let uri = readURI(reader, type)
        let connectionID = givenID ?? result.id.flatMap { id in checkedID(id) }
        let status = readStatus(reader)
        var mappers = PayloadMappingReader(
            reader.value(ConnectionFields.mappingDefinitions), rules: rules.mappers, files: files, sink: sink)
        mappers.readLegacy(reader.value(ConnectionFields.mappingContext))
        let labels = LabelReader(sink: sink, connectionID: connectionID)
        let sources = readSources(reader, type, labels, &mappers, &result)
        let targets = readTargets(reader, labels, &mappers, &result)
        mappers.reportUnused()
        let ca = readTrustedCertificates(reader, uri)
        let settings = readSettings(reader, type)
        let (clients, pool) = readCounts(reader, type)
        let secrets = CredentialsReader(type: type, uri: uri, sink: sink)
        let credentials = secrets.credentials(reader.value(ConnectionFields.credentials))
        let tunnel = secrets.tunnel(reader.value(ConnectionFields.sshTunnel))
        let ours = readExtension(reader)
        if let connectionID, let type, let uri {
            result.draft = Connection(
                id: connectionID, name: reader.value(ConnectionFields.name)?.value, type: type,
                isOpen: status == .open, uri: uri, sources: sources, targets: targets,
                isFailoverEnabled: reader.value(ConnectionFields.failoverEnabled),
                validatesCertificates: reader.value(ConnectionFields.validateCertificates),
                trustedCertificates: ca, specificConfig: settings, mappingDefinitions: mappers.definitions,
                tags: readTags(reader), credentials: credentials, sshTunnel: tunnel, clientCount: clients,
                processorPoolSize: pool, origin: origin(of: document, file, mappers.contentHash),
                isRequired: ours.isRequired, status: status)
            result.draft?.tls = ours.tls
            result.draft?.hosts = rules.hosts
        }
        applyRules(result)
        result.isUsable = sink.errorCount == errorsBefore && result.draft != nil
        return result
    }

    private func origin(of document: YAMLNode, _ file: String?, _ contentHash: UInt64?) -> ConfigurationOrigin? {
        file.map {
            let hash = Fingerprint.of(document)
            return ConfigurationOrigin(
                file: $0, line: document.start.line, fingerprint: contentHash.map { hash &* 31 &+ $0 } ?? hash)
        }
    }

    // MARK: Identity

    private func readID(_ reader: ObjectReader, file: String?) -> Located<String>? {
        if let id = reader.value(ConnectionFields.id) {
            if let givenID, givenID.text != id.value {
                sink.error(
                    at: Spot(of: id.node), path: id.path, "'id' differs from the one in the path",
                    hint: "leave it away", as: WireError(ConnectivityErrorTable.idNotSettable, rank: 0))
            }
            return id
        }
        if givenID != nil { return nil }
        // A wrong or broken value has been reported.
        if let pair = reader.pair("id"), !pair.value.isNull { return nil }
        let name = file.map { Self.suggestedID($0) } ?? "plant"
        reader.reportMissing("id", hint: "add 'id: \(name)'")
        return nil
    }

    private func checkedID(_ id: Located<String>) -> ConnectionID? {
        do {
            return try ConnectionID(id.value)
        } catch {
            let allowed = "use 1 to 100 of a-z, A-Z, 0-9, '-', '_', ':'"
            sink.error(
                at: Spot(of: id.node), path: id.path, "'\(id.value)' is not a connection id", hint: allowed,
                as: .idInvalid)
            return nil
        }
    }

    /// The file's name, without its ending and with what an id may not have as dashes.
    static func suggestedID(_ file: String) -> String {
        var name = Substring(FilePath.name(of: file))
        for ending in [".yaml", ".yml", ".json"] where name.hasSuffix(ending) { name = name.dropLast(ending.count) }
        let legal = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_:".contains($0)) ? $0 : "-" }
        return legal.isEmpty ? "plant" : String(legal.prefix(100))
    }

    private func readType(_ reader: ObjectReader) -> ConnectionType? {
        guard let type = reader.value(ConnectionFields.connectionType) else { return nil }
        if !limits.servedTypes.contains(type), let pair = reader.pair("connectionType") {
            let served = ConnectionType.allCases.filter(limits.servedTypes.contains).map(\.rawValue)
            sink.error(
                at: Spot(of: pair.value), path: reader.path.key("connectionType"),
                "connections of type '\(type.rawValue)' are not in this version",
                hint: "this version serves: \(served.joined(separator: ", "))")
        }
        return type
    }

    private func readStatus(_ reader: ObjectReader) -> Connection.Status {
        if requiresStatus, reader.pair("connectionStatus")?.value.isNull ?? true {
            reader.reportMissing("connectionStatus", hint: "say open or closed")
        }
        let status = reader.value(ConnectionFields.connectionStatus)
        switch status {
        case .open, .closed: break
        case .failed, .misconfigured, .unknown:
            if let pair = reader.pair("connectionStatus") {
                sink.warning(
                    at: Spot(of: pair.value), path: reader.path.key("connectionStatus"),
                    "'\(status.rawValue)' means closed here: only 'open' is connected", hint: "say open or closed")
            }
        }
        return status
    }

    private func readExtension(_ reader: ObjectReader) -> (isRequired: Bool, tls: TLSDemands) {
        guard let part = reader.value(ConnectionFields.twinspan),
            let fields = ObjectReader(
                part.value, ConnectionFields.extensionGroup, path: part.path, owner: "'twinspan' of this connection",
                sink: sink)
        else { return (true, TLSDemands()) }
        let tls = TLSDemands(
            minimumVersion: fields.value(ConnectionFields.tlsMinimumVersion),
            ciphers: fields.value(ConnectionFields.tlsCiphers)?.value)
        return (fields.value(ConnectionFields.isRequired), tls)
    }

    // MARK: Place

    private static let schemes: [ConnectionType: [String]] = [
        .mqtt: ["tcp", "ssl", "mqtt", "mqtts"], .mqtt5: ["tcp", "ssl", "mqtt", "mqtts"], .kafka: ["tcp", "ssl"],
        .amqp091: ["amqp", "amqps"], .amqp10: ["amqp", "amqps"], .httpPush: ["http", "https"],
    ]

    private func readURI(_ reader: ObjectReader, _ type: ConnectionType?) -> ConnectionURI? {
        guard let text = reader.value(ConnectionFields.uri) else {
            if type == .hono { return ConnectionURI(scheme: "", host: "", port: 9999) }
            if reader.pair("uri")?.value.isNull ?? true { reader.reportMissing("uri", hint: ConnectionURI.form) }
            return nil
        }
        if type == .hono, text.value.isEmpty { return ConnectionURI(scheme: "", host: "", port: 9999) }
        let uri: ConnectionURI
        do {
            uri = try ConnectionURI.parse(text.value)
        } catch {
            sink.error(
                at: sink.spot(in: text.node, error.range), path: text.path, error.message, hint: error.hint,
                as: .uriInvalid)
            return nil
        }
        if let type, let schemes = Self.schemes[type], !schemes.contains(uri.scheme) {
            sink.error(
                at: sink.spot(in: text.node, 0..<uri.scheme.utf8.count), path: text.path,
                "the scheme '\(uri.scheme)' is not valid for \(type.rawValue)",
                hint: "use \(schemes.joined(separator: ", "))",
                suggestion: NearestName.find(uri.scheme, among: schemes),
                as: .uriInvalid.saying("The URI scheme '\(uri.scheme)' is not valid for \(type.rawValue)."))
        }
        if text.value.contains("@"), uri.user == nil, uri.password == nil {
            sink.warning(
                at: Spot(of: text.node), path: text.path, "a user without a password is ignored",
                hint: "write user:password@host, or user:@host for an empty password")
        }
        return uri
    }

    private func readTrustedCertificates(_ reader: ObjectReader, _ uri: ConnectionURI?) -> String? {
        guard let text = reader.value(ConnectionFields.ca), !text.value.trimmed.isEmpty else { return nil }
        if !PEMLabel.certificate.begins(text.value) {
            sink.error(
                at: Spot(of: text.node), path: text.path, "bad format of trusted certificates",
                hint: "expect PEM starting with '-----BEGIN CERTIFICATE-----'; ${file:/path} reads a file",
                as: .credentialsInvalid.saying(
                    "/ca: bad format. Expect PEM-encoded certificate (DER) starting with "
                        + "'-----BEGIN CERTIFICATE-----'"))
        }
        if let uri, ["tcp", "mqtt", "amqp", "http"].contains(uri.scheme) {
            sink.error(
                at: Spot(of: text.node), path: text.path,
                "trusted certificates are given, but the scheme '\(uri.scheme)' is not encrypted",
                hint: "use ssl, mqtts, amqps or https in the uri, or remove 'ca'", as: .uriInvalid)
        }
        return text.value
    }

    private func readSettings(_ reader: ObjectReader, _ type: ConnectionType?) -> [String: String] {
        guard let part = reader.value(ConnectionFields.specificConfig) else { return [:] }
        for rule in rules.bindings where !rule.settings.isEmpty && type.map(rule.types.contains) == true {
            for pair in part.value.mapping ?? [] where !rule.settings.contains(pair.key) {
                sink.warning(
                    at: Spot(keyOf: pair), path: part.path.key(pair.key), "the setting '\(pair.key)' has no effect",
                    hint: "settings: \(rule.settings.joined(separator: ", "))",
                    suggestion: NearestName.find(pair.key, among: rule.settings))
            }
        }
        if type == .kafka || type == .hono, let group = part.value["groupId"], let scalar = group.value.scalar {
            let text = Located(value: scalar.text, node: group.value, path: part.path.key("groupId"))
            _ = TemplateReader(sink: sink).template(text, .kafkaGroupID)
        }
        return PayloadMappingReader.texts(part)
    }

    private func readTags(_ reader: ObjectReader) -> [String] {
        var tags: [String] = []
        for element in reader.value(ConnectionFields.tags)?.value.sequence ?? [] {
            guard let scalar = element.scalar, scalar.value == .string else {
                sink.warning(
                    at: Spot(of: element), path: reader.path.key("tags"), "a tag that is not text is ignored",
                    hint: "put it in quotes")
                continue
            }
            if !tags.contains(scalar.text) { tags.append(scalar.text) }
        }
        return tags
    }

    // MARK: Sources and targets

    private func readSources(
        _ reader: ObjectReader, _ type: ConnectionType?, _ labels: LabelReader,
        _ mappers: inout PayloadMappingReader, _ result: inout ReadConnection
    ) -> [Source] {
        let part = reader.value(ConnectionFields.sources)
        let sourceReader = SourceReader(type: type, sink: sink, labels: labels)
        var sources: [Source] = []
        for (index, node) in (part?.value.sequence ?? []).enumerated() {
            let path = ConfigurationPath(["sources"]).index(index)
            if index == limits.sources { reportTooMany("sources", limits.sources, at: node, path) }
            guard
                let source = sourceReader.source(node, path: path, owner: "source \(index + 1)", mappers: &mappers)
            else { continue }
            sources.append(source)
            result.sourceIndices.append(index)
        }
        return sources
    }

    private func readTargets(
        _ reader: ObjectReader, _ labels: LabelReader, _ mappers: inout PayloadMappingReader,
        _ result: inout ReadConnection
    ) -> [Target] {
        let part = reader.value(ConnectionFields.targets)
        var targets: [Target] = []
        var names: [String: Int] = [:]
        var issued: [AckLabel: Int] = [:]
        for (index, node) in (part?.value.sequence ?? []).enumerated() {
            let path = ConfigurationPath(["targets"]).index(index)
            if index == limits.targets { reportTooMany("targets", limits.targets, at: node, path) }
            guard
                let target = TargetReader(sink: sink, labels: labels).target(
                    node, path: path, owner: "target \(index + 1)", mappers: &mappers)
            else { continue }
            targets.append(target)
            result.targetIndices.append(index)
            if let name = target.name, let other = names.updateValue(index, forKey: name) {
                sink.error(
                    at: result.spot(at: path.key("twinspan").key("name")), path: path.key("twinspan").key("name"),
                    "the name '\(name)' is used twice", hint: "target \(other + 1) has it too")
            }
            if let label = target.issuedAcknowledgementLabel, let other = issued.updateValue(index, forKey: label) {
                let place = path.key("issuedAcknowledgementLabel")
                sink.error(
                    at: result.spot(at: place), path: place, "the label '\(label)' is issued twice",
                    hint: "target \(other + 1) issues it too", as: .labelNotUnique)
            }
        }
        reportNothingToDo(reader)
        return targets
    }

    private func reportNothingToDo(_ reader: ObjectReader) {
        let sourcesAreEmpty = reader.pair("sources")?.value.sequence?.isEmpty ?? true
        let targetsAreEmpty = reader.pair("targets")?.value.sequence?.isEmpty ?? true
        if sourcesAreEmpty && targetsAreEmpty, reader.pair("sources")?.value.mapping == nil,
            reader.pair("targets")?.value.mapping == nil
        {
            sink.error(
                at: Spot(of: reader.node), "this connection has neither a source nor a target",
                hint: "add 'sources' or 'targets'",
                as: .configurationInvalid.saying(
                    "Either a source or a target must be specified in the configuration of a connection."))
        }
    }

    private func reportTooMany(_ what: String, _ limit: Int, at node: YAMLNode, _ path: ConfigurationPath) {
        sink.error(
            at: Spot(of: node), path: path, "more than \(limit) \(what)", hint: "make a second connection for the rest")
    }

    // MARK: The rest

    private func readCounts(_ reader: ObjectReader, _ type: ConnectionType?) -> (clients: Int, pool: Int) {
        let clients = reader.value(ConnectionFields.clientCount)
        let pool = reader.value(ConnectionFields.processorPoolSize)
        if type == .mqtt, clients > 1, let pair = reader.pair("clientCount") {
            sink.error(
                at: Spot(of: pair.value), path: reader.path.key("clientCount"),
                "client count limited to 1 for MQTT 3.1.1", hint: "remove it")
        }
        if type != .mqtt, clients > 1, let pair = reader.pair("clientCount") {
            sink.note(
                at: Spot(keyOf: pair), path: reader.path.key("clientCount"),
                "'clientCount' has no effect: one client does the work of all",
                hint: "it may stay; make a second connection to use another core")
        }
        if pool > 1, let pair = reader.pair("processorPoolSize") {
            sink.warning(
                at: Spot(keyOf: pair), path: reader.path.key("processorPoolSize"),
                "'processorPoolSize' has no effect: one thread maps the messages of a connection, in their order",
                hint: "remove it; make a second connection to use another core")
        }
        return (clients, pool)
    }

    /// What can be said of the connection as a whole, by its binding and by the model.
    private func applyRules(_ result: ReadConnection) {
        guard let draft = result.draft else { return }
        for problem in ModelRules.problems(draft) { report(problem.binding, result, as: problem.wire) }
        for problem in rules.hosts.problems(draft) {
            report(problem, result, as: .credentialsInvalid.saying("\(problem.message)."))
        }
        for rule in rules.bindings where rule.types.contains(draft.type) {
            for problem in rule.problems(draft) {
                // Ditto says this of every header that MQTT 3.1.1 cannot carry, and clients look for it.
                let isHeader = draft.type == .mqtt && problem.path.contains("/headerMapping/")
                let text = isHeader ? "\(problem.message) \(WireError.unresolvedPlaceholders)" : problem.message
                report(problem, result, as: .configurationInvalid.saying(text))
            }
        }
    }

    private func report(_ problem: BindingProblem, _ result: ReadConnection, as wire: WireError) {
        let path = result.documentPath(problem.path)
        let spot = result.spot(at: path)
        // What the model has said there already is not said again by the binding.
        if sink.hasReported(problem.isWarning ? .warning : .error, at: spot, path: path) { return }
        let message = Sentence.phrase(problem.message)
        if problem.isWarning {
            sink.warning(at: spot, path: path, message, hint: problem.hint)
        } else {
            sink.error(at: spot, path: path, message, hint: problem.hint, as: wire)
        }
    }
}
