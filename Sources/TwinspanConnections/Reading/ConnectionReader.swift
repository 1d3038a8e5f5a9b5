// One connection document, field by field (spec/connectivity.md §1). Reads on after every problem, so that all are
// reported at once.
import TwinspanExpressions
import TwinspanProtocol

/// What a version or an installation sets limits to.
public struct ConnectionLimits: Sendable {
    /// Most sources of a connection.
    public var sources = 4
    /// Most targets of a connection.
    public var targets = 4
    /// The kinds of broker that can be served.
    public var servedTypes: Set<ConnectionType> = [.mqtt]

    public init() {}

    /// The limits of Ditto, and what this version serves.
    public static let standard = ConnectionLimits()
}

/// Reads connection documents.
struct ConnectionReader {
    let sink: DiagnosticSink
    let rules: [BindingRules]
    let limits: ConnectionLimits

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
        var mappers = PayloadMappingReader(reader.value(ConnectionFields.mappingDefinitions), sink: sink)
        let sources = readSources(reader, type, &mappers, &result)
        let targets = readTargets(reader, &mappers, &result)
        mappers.reportUnused()
        let ca = readTrustedCertificates(reader, uri)
        let settings = readSettings(reader, type)
        readUnserved(reader, type)
        let connectionID = result.id.flatMap { id in checkedID(id) }
        if let connectionID, let type, let uri {
            result.draft = Connection(
                id: connectionID, name: reader.value(ConnectionFields.name)?.value, type: type,
                isOpen: readStatus(reader), uri: uri, sources: sources, targets: targets,
                isFailoverEnabled: reader.value(ConnectionFields.failoverEnabled),
                validatesCertificates: reader.value(ConnectionFields.validateCertificates),
                trustedCertificates: ca, specificConfig: settings, mappingDefinitions: mappers.definitions,
                tags: readTags(reader), origin: origin(of: document, file), isRequired: readIsRequired(reader))
        }
        applyRules(result)
        result.isUsable = sink.errorCount == errorsBefore && result.draft != nil
        return result
    }

    private func origin(of document: YAMLNode, _ file: String?) -> ConfigurationOrigin? {
        file.map {
            ConfigurationOrigin(file: $0, line: document.start.line, fingerprint: Fingerprint.of(document))
        }
    }

    // MARK: Identity

    private func readID(_ reader: ObjectReader, file: String?) -> Located<String>? {
        if let id = reader.value(ConnectionFields.id) { return id }
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
            sink.error(at: Spot(of: id.node), path: id.path, "'\(id.value)' is not a connection id", hint: allowed)
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

    private func readStatus(_ reader: ObjectReader) -> Bool {
        let status = reader.value(ConnectionFields.connectionStatus)
        switch status {
        case .open: return true
        case .closed: return false
        case .failed, .misconfigured, .unknown:
            if let pair = reader.pair("connectionStatus") {
                sink.warning(
                    at: Spot(of: pair.value), path: reader.path.key("connectionStatus"),
                    "'\(status.rawValue)' means closed here: only 'open' is connected", hint: "say open or closed")
            }
            return false
        }
    }

    private func readIsRequired(_ reader: ObjectReader) -> Bool {
        guard let part = reader.value(ConnectionFields.twinspan),
            let fields = ObjectReader(
                part.value, ConnectionFields.extensionGroup, path: part.path, owner: "'twinspan' of this connection",
                sink: sink)
        else { return true }
        return fields.value(ConnectionFields.isRequired)
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
            sink.error(at: sink.spot(in: text.node, error.range), path: text.path, error.message, hint: error.hint)
            return nil
        }
        if let type, let schemes = Self.schemes[type], !schemes.contains(uri.scheme) {
            sink.error(
                at: sink.spot(in: text.node, 0..<uri.scheme.utf8.count), path: text.path,
                "the scheme '\(uri.scheme)' is not valid for \(type.rawValue)",
                hint: "use \(schemes.joined(separator: ", "))",
                suggestion: NearestName.find(uri.scheme, among: schemes))
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
        if !text.value.contains("-----BEGIN CERTIFICATE-----") {
            sink.error(
                at: Spot(of: text.node), path: text.path, "bad format of trusted certificates",
                hint: "expect PEM starting with '-----BEGIN CERTIFICATE-----'; ${file:/path} reads a file")
        }
        if let uri, ["tcp", "mqtt", "amqp", "http"].contains(uri.scheme) {
            sink.error(
                at: Spot(of: text.node), path: text.path,
                "trusted certificates are given, but the scheme '\(uri.scheme)' is not encrypted",
                hint: "use ssl, mqtts, amqps or https in the uri, or remove 'ca'")
        }
        return text.value
    }

    private func readSettings(_ reader: ObjectReader, _ type: ConnectionType?) -> [String: String] {
        guard let part = reader.value(ConnectionFields.specificConfig) else { return [:] }
        for rule in rules where !rule.settings.isEmpty && type.map(rule.types.contains) == true {
            for pair in part.value.mapping ?? [] where !rule.settings.contains(pair.key) {
                sink.warning(
                    at: Spot(keyOf: pair), path: part.path.key(pair.key), "the setting '\(pair.key)' has no effect",
                    hint: "settings: \(rule.settings.joined(separator: ", "))",
                    suggestion: NearestName.find(pair.key, among: rule.settings))
            }
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
        _ reader: ObjectReader, _ type: ConnectionType?, _ mappers: inout PayloadMappingReader,
        _ result: inout ReadConnection
    ) -> [Source] {
        let part = reader.value(ConnectionFields.sources)
        let sourceReader = SourceReader(type: type, sink: sink)
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
        _ reader: ObjectReader, _ mappers: inout PayloadMappingReader, _ result: inout ReadConnection
    ) -> [Target] {
        let part = reader.value(ConnectionFields.targets)
        var targets: [Target] = []
        var names: [String: Int] = [:]
        for (index, node) in (part?.value.sequence ?? []).enumerated() {
            let path = ConfigurationPath(["targets"]).index(index)
            if index == limits.targets { reportTooMany("targets", limits.targets, at: node, path) }
            guard
                let target = TargetReader(sink: sink).target(
                    node, path: path, owner: "target \(index + 1)", mappers: &mappers)
            else { continue }
            targets.append(target)
            result.targetIndices.append(index)
            if let name = target.name, let other = names.updateValue(index, forKey: name) {
                sink.error(
                    at: result.spot(at: path.key("twinspan").key("name")), path: path.key("twinspan").key("name"),
                    "the name '\(name)' is used twice", hint: "target \(other + 1) has it too")
            }
        }
        let sourcesAreEmpty = reader.pair("sources")?.value.sequence?.isEmpty ?? true
        let targetsAreEmpty = reader.pair("targets")?.value.sequence?.isEmpty ?? true
        if sourcesAreEmpty && targetsAreEmpty, reader.pair("sources")?.value.mapping == nil,
            reader.pair("targets")?.value.mapping == nil
        {
            sink.error(
                at: Spot(of: reader.node), "this connection has neither a source nor a target",
                hint: "add 'sources' or 'targets'")
        }
        return targets
    }

    private func reportTooMany(_ what: String, _ limit: Int, at node: YAMLNode, _ path: ConfigurationPath) {
        sink.error(
            at: Spot(of: node), path: path, "more than \(limit) \(what)", hint: "make a second connection for the rest")
    }

    // MARK: The rest

    private func readUnserved(_ reader: ObjectReader, _ type: ConnectionType?) {
        let clientCount = reader.value(ConnectionFields.clientCount, warns: type != .mqtt)
        if type == .mqtt, clientCount > 1, let pair = reader.pair("clientCount") {
            sink.error(
                at: Spot(of: pair.value), path: reader.path.key("clientCount"),
                "client count limited to 1 for MQTT 3.1.1", hint: "remove it")
        }
        _ = reader.value(ConnectionFields.processorPoolSize)
        UnservedFields.check(
            reader.value(ConnectionFields.credentials), UnservedFields.credentials, owner: "credentials", sink: sink)
        UnservedFields.check(
            reader.value(ConnectionFields.sshTunnel), UnservedFields.sshTunnel, owner: "sshTunnel", sink: sink)
        UnservedFields.check(
            reader.value(ConnectionFields.mappingContext), UnservedFields.mappingContext, owner: "mappingContext",
            sink: sink)
    }

    private func applyRules(_ result: ReadConnection) {
        guard let draft = result.draft else { return }
        for rule in rules where rule.types.contains(draft.type) {
            for problem in rule.problems(draft) {
                let path = result.documentPath(problem.path)
                let spot = result.spot(at: path)
                let severity: Diagnostic.Severity = problem.isWarning ? .warning : .error
                // What the model has said there already is not said again by the binding.
                if sink.hasReported(severity, at: spot, path: path) { continue }
                sink.report(
                    severity, at: spot, path: path, Sentence.phrase(problem.message), hint: problem.hint)
            }
        }
    }
}
