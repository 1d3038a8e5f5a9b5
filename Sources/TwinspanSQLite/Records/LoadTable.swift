// How many records there are by connection, kept as they come and go.
import TwinspanEngine
import TwinspanProtocol

/// The loads of one table by connection.
struct LoadTable {
    private(set) var loads: [ConnectionID: RecordLoad] = [:]
    /// The id of the oldest record of each connection.
    private var oldestIDs: [ConnectionID: Int64] = [:]
    /// Connections whose oldest record has gone; the time of the next has to be read.
    private(set) var stale: Set<ConnectionID> = []

    /// The bytes of all connections.
    var bytes: Int64 { loads.values.reduce(0) { $0 + $1.bytes } }

    /// What was counted by the database.
    mutating func set(_ connection: ConnectionID, count: Int, bytes: Int64, oldestID: Int64, oldest: Timestamp) {
        loads[connection] = RecordLoad(count: count, bytes: bytes, oldest: oldest)
        oldestIDs[connection] = oldestID
    }

    mutating func add(_ connection: ConnectionID, id: Int64, bytes: Int, time: Timestamp) {
        var load = loads[connection] ?? RecordLoad()
        load.count += 1
        load.bytes += Int64(bytes)
        // While the oldest is not known, it is read when the transaction ends, and this record with it.
        if !stale.contains(connection), id <= oldestIDs[connection] ?? .max {
            load.oldest = time
            oldestIDs[connection] = id
        }
        loads[connection] = load
    }

    mutating func remove(_ connection: ConnectionID, id: Int64, bytes: Int) {
        guard var load = loads[connection] else { return }
        load.count -= 1
        load.bytes -= Int64(bytes)
        if load.count <= 0 {
            loads[connection] = nil
            oldestIDs[connection] = nil
            stale.remove(connection)
        } else {
            loads[connection] = load
            if id == oldestIDs[connection] { stale.insert(connection) }
        }
    }

    /// The oldest record of a stale connection.
    mutating func setOldest(_ connection: ConnectionID, id: Int64, time: Timestamp) {
        loads[connection]?.oldest = time
        oldestIDs[connection] = id
        stale.remove(connection)
    }
}
