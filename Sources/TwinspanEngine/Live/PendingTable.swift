// All requests that wait, found by number, by correlation id and by deadline. A plain value: `LiveChannel` guards it.
import TwinspanProtocol

/// The requests that wait.
struct PendingTable: Sendable {
    /// Where a request waits, and the correlation id under which it is answered.
    struct Place: Sendable, Equatable {
        let number: UInt64
        let correlationID: String
    }

    private struct Key: Hashable {
        let thingID: ThingID
        let correlationID: String
    }

    private struct Entry {
        var request: PendingRequest
        /// Nil when nothing from outside can reach it.
        let key: Key?
    }

    private var entries: [UInt64: Entry] = [:]
    private var numbers: [Key: UInt64] = [:]
    private var deadlines = DeadlineHeap()
    private var nextNumber: UInt64 = 0
    /// Nothing is taken in any more.
    private(set) var isClosed = false

    var count: Int { entries.count }

    /// When the first deadline comes; some of them may belong to requests that are answered.
    var firstDeadline: UInt64? { deadlines.first }

    /// Takes a request in. A correlation id that is in use for the same thing gets `#0`, `#1` and so on (§8.4).
    mutating func insert(_ request: PendingRequest) -> Place {
        nextNumber += 1
        var id = request.correlationID
        var key: Key?
        if request.isAddressable {
            id = uniqueID(request)
            key = Key(thingID: request.thingID, correlationID: id)
        }
        entries[nextNumber] = Entry(request: request, key: key)
        if let key { numbers[key] = nextNumber }
        deadlines.insert(nextNumber, due: request.deadline)
        if deadlines.count > 2 * entries.count + 1024 { deadlines.compact { entries[$0] != nil } }
        return Place(number: nextNumber, correlationID: id)
    }

    private func uniqueID(_ request: PendingRequest) -> String {
        func isUsed(_ id: String) -> Bool { numbers[Key(thingID: request.thingID, correlationID: id)] != nil }
        guard isUsed(request.correlationID) else { return request.correlationID }
        // Few are tried, so that whoever repeats one id all the time costs nothing; the number is used by nobody else.
        var suffix: UInt64 = 0
        while true {
            let id = "\(request.correlationID)#\(suffix)"
            if !isUsed(id) { return id }
            suffix = suffix < 7 ? suffix + 1 : max(suffix + 1, nextNumber)
        }
    }

    /// The request that an answer with this correlation id is for: the same id, or the same before a `#`, which
    /// devices add when they answer more than once.
    func find(_ thingID: ThingID, _ correlationID: String) -> (number: UInt64, request: PendingRequest)? {
        var id = correlationID[...]
        for _ in 0..<8 {
            if let number = numbers[Key(thingID: thingID, correlationID: String(id))], let entry = entries[number] {
                return (number, entry.request)
            }
            guard let hash = id.lastIndex(of: "#") else { return nil }
            id = id[..<hash]
        }
        return nil
    }

    func contains(_ number: UInt64) -> Bool { entries[number] != nil }

    /// Changes a request; nil when it is not there any more. When nothing is waited for any more, it is taken out.
    mutating func change<Result: Sendable>(
        _ number: UInt64, _ body: (inout PendingRequest) -> Result
    ) -> (result: Result, completed: PendingRequest?)? {
        guard entries[number] != nil else { return nil }
        let result = body(&entries[number]!.request)
        let isComplete = entries[number]?.request.isComplete ?? false
        return (result, isComplete ? remove(number) : nil)
    }

    /// Takes a request out; nil when somebody else has.
    mutating func remove(_ number: UInt64) -> PendingRequest? {
        guard let entry = entries.removeValue(forKey: number) else { return nil }
        if let key = entry.key { numbers[key] = nil }
        return entry.request
    }

    /// Takes out what is due.
    mutating func takeDue(_ now: UInt64) -> [PendingRequest] {
        var due: [PendingRequest] = []
        while let number = deadlines.takeDue(now) {
            if let request = remove(number) { due.append(request) }
        }
        return due
    }

    /// Takes everything out, and nothing in any more.
    mutating func close() -> [PendingRequest] {
        isClosed = true
        let all = entries.values.map(\.request)
        entries = [:]
        numbers = [:]
        deadlines = DeadlineHeap()
        return all
    }
}
