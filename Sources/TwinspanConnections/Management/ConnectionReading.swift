// How a definition is read and written: the same readers as for files, given to the fleet as a value, because what the
// adapters know about their settings comes from the executable.
public import TwinspanJSON
public import TwinspanProtocol

/// Reads and writes definitions as JSON.
public struct ConnectionReading: Sendable {
    /// Validates a document; its id is replaced by the given one. The error is one of §1.8.
    public var read: @Sendable (_ document: JSONObject, _ id: ConnectionID) -> Result<Connection, TwinspanError>
    /// The document of a connection as it is shown, with every field that is always given, secrets included.
    public var write: @Sendable (_ connection: Connection) -> JSONObject
    /// The document as it is stored: reading it gives the same connection.
    public var store: @Sendable (_ connection: Connection) -> JSONObject

    public init(
        read: @escaping @Sendable (JSONObject, ConnectionID) -> Result<Connection, TwinspanError>,
        write: @escaping @Sendable (Connection) -> JSONObject,
        store: @escaping @Sendable (Connection) -> JSONObject
    ) {
        self.read = read
        self.write = write
        self.store = store
    }
}

extension ConnectionReading {
    /// Takes no definitions: for a process that has connections from files alone.
    public static let unavailable = ConnectionReading(
        read: { _, _ in
            .failure(
                ConnectivityErrorTable.configurationInvalid.error(
                    "This process takes no definitions of connections.", description: "Define it in a file."))
        },
        write: { connection in
            [
                "id": .string(connection.id.text), "connectionType": .string(connection.type.rawValue),
                "connectionStatus": .string(connection.isOpen ? "open" : "closed"),
                "tags": .array(connection.tags.map { .string($0) }),
            ]
        }, store: { _ in JSONObject() })
}
