// Connections of Eclipse Hono are a shorthand for Kafka ones (spec/connectivity-bindings.md §6): aliases in place of
// topics, and the cluster from the service's own settings. They are stored and shown as entered, and rewritten when
// they run: sessions, header mappings and reply targets see the Kafka connection.
import TwinspanExpressions
import TwinspanProtocol

/// The service's settings of Hono's Kafka cluster, `hono` in `twinspan.yaml`.
public struct HonoSettings: Sendable, Equatable {
    public var baseURI = ConnectionURI(scheme: "tcp", host: "localhost", port: 9092)
    public var validatesCertificates = false
    /// PEM bundle of trusted certificates.
    public var trustedCertificates: String?
    public var saslMechanism = "PLAIN"
    public var bootstrapServers = "localhost:9092"
    /// Empty for a cluster without a login.
    public var username = "honoUsername"
    public var password = Secret("honoPassword")

    /// The defaults of Ditto.
    public init() {}
}

/// Rewrites connections of Hono.
public struct HonoResolution: Sendable {
    /// What a source's address may be.
    public static let sourceAliases = ["telemetry", "event", "command_response"]
    /// What the address of a target and of a reply target has to be.
    public static let commandAlias = "command"
    /// The setting that names the tenant; without it the connection's id is its name.
    public static let tenantKey = "honoTenantId"

    private let settings: HonoSettings

    public init(_ settings: HonoSettings) { self.settings = settings }

    /// The Kafka connection that a connection of Hono stands for; others as they are.
    public func resolve(_ connection: Connection) -> Connection {
        guard connection.type == .hono else { return connection }
        let tenant = connection.specificConfig[Self.tenantKey] ?? connection.id.text
        var resolved = connection
        resolved.type = .kafka
        resolved.uri = settings.baseURI
        resolved.uri.user = settings.username.isEmpty ? nil : settings.username
        resolved.uri.password = settings.username.isEmpty ? nil : settings.password
        resolved.validatesCertificates = settings.validatesCertificates
        resolved.trustedCertificates = settings.baseURI.scheme == "ssl" ? settings.trustedCertificates : nil
        resolved.specificConfig = [
            "saslMechanism": settings.saslMechanism, "bootstrapServers": settings.bootstrapServers,
            "groupId": connection.specificConfig["groupId"] ?? connection.id.text,
        ]
        resolved.sources = connection.sources.map { resolve($0, tenant: tenant) }
        resolved.targets = connection.targets.map { resolve($0, tenant: tenant) }
        return resolved
    }

    private func resolve(_ source: Source, tenant: String) -> Source {
        var resolved = source
        resolved.addresses = source.addresses.map { Self.topic($0, tenant) }
        if source.addresses.contains("command_response") {
            resolved.replyTarget = nil
            resolved.headerMapping.add("correlation-id", Self.correlationID)
            resolved.headerMapping.add("status", Self.status)
        } else if var reply = source.replyTarget {
            let isCommand = reply.address.text == Self.commandAlias
            if isCommand {
                reply.address = Self.commandAddress(tenant) ?? reply.address
                reply.headerMapping.add("device_id", Self.deviceID)
                reply.headerMapping.add("subject", Self.responseSubject)
            }
            reply.headerMapping.add("correlation-id", Self.correlationID)
            resolved.replyTarget = reply
        }
        return resolved
    }

    private func resolve(_ target: Target, tenant: String) -> Target {
        var resolved = target
        if target.address.text == Self.commandAlias {
            resolved.address = Self.commandAddress(tenant) ?? target.address
        }
        resolved.headerMapping.add("device_id", Self.deviceID)
        resolved.headerMapping.add("correlation-id", Self.correlationID)
        resolved.headerMapping.add("subject", Self.subject)
        if target.topics.contains(where: { $0.kind == .liveMessages || $0.kind == .liveCommands }) {
            resolved.headerMapping.add("response-required", Self.responseRequired)
        }
        return resolved
    }

    private static func topic(_ alias: String, _ tenant: String) -> String { "hono.\(alias).\(tenant)" }

    /// Commands of a device keep their order: its id is the key.
    private static func commandAddress(_ tenant: String) -> PlaceholderTemplate? {
        template(topic(commandAlias, tenant) + "/{{thing:id}}", .address)
    }

    private static let deviceID = template("{{ thing:id }}", .headerMapping)
    private static let correlationID = template("{{ header:correlation-id }}", .headerMapping)
    private static let status = template("{{ header:status }}", .headerMapping)
    private static let responseRequired = template("{{ header:response-required }}", .headerMapping)
    private static let subject = template(
        "{{ header:subject | fn:default(topic:action-subject) }}", .headerMapping)
    private static let responseSubject = template(
        "{{ header:subject | fn:default(topic:action-subject) | fn:default(topic:criterion) }}-response",
        .headerMapping)

    /// A test proves that each of them compiles; a tenant with braces in its name keeps its alias.
    private static func template(_ text: String, _ scope: PlaceholderScope) -> PlaceholderTemplate? {
        do {
            return try PlaceholderTemplate.parse(text, scope: scope)
        } catch {
            return nil
        }
    }
}

extension [HeaderMapping] {
    /// Adds a header unless the definition has it.
    fileprivate mutating func add(_ name: String, _ template: PlaceholderTemplate?) {
        guard let template, !contains(where: { $0.name == name }) else { return }
        append(HeaderMapping(name: name, template: template))
    }
}
