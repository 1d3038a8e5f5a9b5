// Which policy is to be looked at when. A plain value: its owner guards it.
import TwinspanProtocol

/// Policies by the first moment at which there is something to do, on one clock.
struct DueTable: Sendable {
    private var heap = DeadlineHeap()
    private var policies: [UInt64: PolicyID] = [:]
    private var places: [PolicyID: (number: UInt64, due: UInt64)] = [:]
    private var nextNumber: UInt64 = 0

    var count: Int { places.count }

    /// When the first is due; it may be one that was moved since.
    var first: UInt64? { heap.first }

    /// Lets a policy be due at a moment, unless it is due earlier already.
    mutating func insert(_ id: PolicyID, due: UInt64) {
        if let place = places[id] {
            guard due < place.due else { return }
            policies[place.number] = nil
        }
        nextNumber += 1
        places[id] = (nextNumber, due)
        policies[nextNumber] = id
        heap.insert(nextNumber, due: due)
        if heap.count > 2 * places.count + 1024 { heap.compact { policies[$0] != nil } }
    }

    /// Takes out at most `limit` policies that are due.
    mutating func takeDue(_ now: UInt64, limit: Int) -> [PolicyID] {
        var due: [PolicyID] = []
        while due.count < limit, let number = heap.takeDue(now) {
            guard let id = policies.removeValue(forKey: number) else { continue }
            places[id] = nil
            due.append(id)
        }
        return due
    }
}
