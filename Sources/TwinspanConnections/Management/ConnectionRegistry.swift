// How connections are managed from outside: the seam between the HTTP door, which knows no supervisor, and the fleet of
// running connections, which knows no HTTP (spec/connectivity.md §8).
public import TwinspanJSON
public import TwinspanProtocol

/// Looks at the revision a definition has at the moment of its change; nil when there is none. Throws to refuse.
public typealias RevisionCheck = @Sendable (_ revision: Int64?) throws(TwinspanError) -> Void

/// All connections, from files and made over HTTP.
///
/// Every method may block the calling thread: for the store, and those that take a `patience` for a broker too. None
/// may be called on an event loop or in the cooperative pool. While one of the commands that change a connection runs,
/// others for the same connection throw `connectivity:signal.illegal` (409).
public protocol ConnectionRegistry: ConnectionDirectory {
    /// The ids in order.
    func ids() -> [ConnectionID]

    /// The definitions in the order of ids.
    func definitions() -> [ConnectionDefinition]

    /// One definition. Throws `connectivity:connection.notfound` (404).
    func definition(of id: ConnectionID) throws(TwinspanError) -> ConnectionDefinition

    /// The Kafka connection that a connection of Hono stands for; nil for other types.
    func resolvedHonoConnection(of id: ConnectionID) throws(TwinspanError) -> JSONObject?

    /// Makes a connection, and returns when it is stored; an open one is being connected then. The document's own id
    /// does not count. Throws `connectivity:connection.conflict` (409), and 400 for a document that is not valid.
    func create(
        _ document: JSONObject, id: ConnectionID, check: RevisionCheck
    ) throws(TwinspanError) -> ConnectionDefinition

    /// Replaces a definition: stores it, ends what runs, and connects if it is to be open. A connection that cannot be
    /// made is an error of the caller (504), though the new definition stays.
    /// - Parameter mayChangeType: whether `connectionType` may be another than before.
    func modify(
        _ document: JSONObject, id: ConnectionID, mayChangeType: Bool, patience: Duration, check: RevisionCheck
    ) throws(TwinspanError)

    /// Ends a connection and forgets it.
    func delete(_ id: ConnectionID, check: RevisionCheck) throws(TwinspanError)

    /// Connects, and returns when connected. Throws `connectivity:connection.failed` (504) after the first failed
    /// attempt or when the patience is up; the connection goes on trying.
    func open(_ id: ConnectionID, patience: Duration) throws(TwinspanError)

    /// Ends what runs. One that is closed already stays so.
    func close(_ id: ConnectionID) throws(TwinspanError)

    /// Tries a definition without keeping anything (§8.3), and returns the text of success.
    func test(_ document: JSONObject, id: ConnectionID, patience: Duration) throws(TwinspanError) -> String

    /// The status (§8.4), with its `type` and `status`.
    func status(of id: ConnectionID) throws(TwinspanError) -> JSONObject

    /// The metrics (§8.5), with their `type` and `status`.
    func metrics(of id: ConnectionID) throws(TwinspanError) -> JSONObject

    /// Sets all counters of §8.5 to 0.
    func resetMetrics(of id: ConnectionID) throws(TwinspanError)

    /// The log (§8.6), which has neither; looking at it keeps it going.
    func logs(of id: ConnectionID) throws(TwinspanError) -> JSONObject

    /// Lets successes be logged for another hour.
    func enableLogs(of id: ConnectionID) throws(TwinspanError)

    /// Empties the log.
    func resetLogs(of id: ConnectionID) throws(TwinspanError)

    /// Listens to what happens in a connection. Throws `too.many.requests` (429) when too many do already.
    func tap(_ id: ConnectionID, filter: TapFilter) throws(TwinspanError) -> MessageTap

    /// Carries out a dead letter once more; it is removed when that has been accepted.
    func retry(deadLetter id: Int64) throws(TwinspanError)
}

extension ConnectionRegistry {
    /// For registries that run none.
    public func resolvedHonoConnection(of id: ConnectionID) throws(TwinspanError) -> JSONObject? { nil }
}

/// A connection as it is defined.
public struct ConnectionDefinition: Sendable {
    public var id: ConnectionID
    /// All fields that are always given (§1.1), secrets included.
    public var json: JSONObject
    /// Counts changes, from 1 on. Those of a connection from a file are counted since the start of the process.
    public var revision: Int64
    public var created: Timestamp
    public var modified: Timestamp
    /// The file it stands in; nil for one that was made over HTTP.
    public var file: String?

    public init(
        id: ConnectionID, json: JSONObject, revision: Int64, created: Timestamp, modified: Timestamp,
        file: String? = nil
    ) {
        self.id = id
        self.json = json
        self.revision = revision
        self.created = created
        self.modified = modified
        self.file = file
    }

    public var tags: [String] { json["tags"]?.array?.compactMap(\.string) ?? [] }

    /// The chosen fields, the hidden ones among them; nil gives those that are always given.
    public func document(_ fields: JSONFieldSelector?) -> JSONValue {
        guard let fields else { return .object(json) }
        var all = json
        all["__lifecycle"] = "ACTIVE"
        all["_revision"] = .number(JSONNumber(revision))
        all["_created"] = .string(created.iso8601)
        all["_modified"] = .string(modified.iso8601)
        return fields.select(from: .object(all))
    }
}
