// The fields of a connection document (spec/connectivity.md §1.1).

enum ConnectionFields {
    static let id = Field<Located<String>?>.text(
        "id", limit: "1 to 100 of a-z, A-Z, 0-9, '-', '_', ':'",
        "Names the connection in status, metrics, logs and the HTTP API; unique over all connections.")
    static let name = Field<Located<String>?>.text("name", "Free text for people.")
    static let connectionType = Field<ConnectionType?>.word("connectionType", "The kind of broker.").required
    static let connectionStatus = Field<Connection.Status>.word(
        "connectionStatus", default: .open, "The desired state; only `open` is connected.")
    static let uri = Field<Located<String>?>.text(
        "uri", limit: "scheme://[user:password@]host:port[/path]",
        "Where the broker is. User and password are percent-encoded.")
    static let ca = Field<Located<String>?>.text(
        "ca", "PEM bundle of the certificates to trust; those of the system when absent.")
    static let sources = Field<Located<YAMLNode>?>.part(
        "sources", .objects("source"), default: "[]", limit: "4", "What is read from the broker.")
    static let targets = Field<Located<YAMLNode>?>.part(
        "targets", .objects("target"), default: "[]", limit: "4", "What is sent to the broker.")
    static let failoverEnabled = Field<Bool>.flag(
        "failoverEnabled", default: true, "Whether a lost connection is made again.")
    static let validateCertificates = Field<Bool>.flag(
        "validateCertificates", default: true, "Whether the broker's certificate is verified.")
    static let specificConfig = Field<Located<YAMLNode>?>.part(
        "specificConfig", .anyMap, default: "{}", "Settings of the binding, as text; numbers and flags may stand bare."
    )
    static let mappingDefinitions = Field<Located<YAMLNode>?>.part(
        "mappingDefinitions", .objectMap("mappingDefinition"), default: "{}",
        "Mappers with options, by the name that `payloadMapping` uses.")
    static let tags = Field<Located<YAMLNode>?>.part("tags", .texts, default: "[]", "Words for people and filters.")
    static let twinspan = Field<Located<YAMLNode>?>.part(
        "twinspan", .object("connection extension"), "What Twinspan adds to the connection model of Ditto.")
    static let clientCount = Field<Int>.integer(
        "clientCount", default: 1, in: 1...Int.max, "How many clients share the work.")
    static let processorPoolSize = Field<Int>.integer(
        "processorPoolSize", default: 1, in: 1...Int.max, "How many threads map messages; one does, in order.")
    static let credentials = Field<Located<YAMLNode>?>.part(
        "credentials", .object("credentials"), "Authentication by other means than user and password in `uri`."
    )
    static let sshTunnel = Field<Located<YAMLNode>?>.part(
        "sshTunnel", .object("sshTunnel"), "A tunnel through which the broker is reached."
    )
    static let mappingContext = Field<Located<YAMLNode>?>.part(
        "mappingContext", .object("mappingDefinition"),
        "Deprecated in Ditto: one mapper for all sources and targets.")

    /// What Ditto adds to a connection that it returns. Pasted definitions have them; they mean nothing here.
    private static let hidden = ["__lifecycle", "_revision", "_created", "_modified", "_metadata"].map {
        FieldDeclaration(name: $0, kind: .any, documentation: "Written by Ditto when it returns a connection; ignored.")
    }

    static let group = FieldGroup(
        "connection",
        [
            id.declaration, name.declaration, connectionType.declaration, connectionStatus.declaration,
            uri.declaration, credentials.declaration, ca.declaration, sources.declaration, targets.declaration,
            sshTunnel.declaration, clientCount.declaration, failoverEnabled.declaration,
            validateCertificates.declaration, processorPoolSize.declaration, specificConfig.declaration,
            mappingDefinitions.declaration, mappingContext.declaration, tags.declaration, twinspan.declaration,
        ] + hidden)

    static let isRequired = Field<Bool>.flag(
        "required", default: true, "Whether `/ready` waits for this connection.")
    static let tlsMinimumVersion = Field<TLSVersion>.word(
        "tlsMinimumVersion", default: .tls12, "The oldest version of TLS that is acceptable.")
    static let tlsCiphers = Field<Located<String>?>.text(
        "tlsCiphers", limit: "a cipher list of OpenSSL",
        "The ciphers acceptable with TLS 1.2; OpenSSL's own choice when absent. TLS 1.3 has no bad ones.")
    static let extensionGroup = FieldGroup(
        "connection extension", [isRequired.declaration, tlsMinimumVersion.declaration, tlsCiphers.declaration])
}
