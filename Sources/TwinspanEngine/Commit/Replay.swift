// Rebuilds states from journal records, with the same function that made them. Used on start, for records behind the
// rows' cursor; a row may already be newer than its record, which then changes nothing.
import TwinspanProtocol

/// States rebuilt from a run of journal records.
public struct Replay {
    /// Records read at a time: bounds memory on a start after a crash.
    static let chunk = 10_000

    private let store: any TwinStore
    private var things: [ThingID: ThingState] = [:]
    private var policies: [PolicyID: PolicyState] = [:]

    /// `store` gives the rows the records follow.
    public init(store: any TwinStore) {
        self.store = store
    }

    /// Applies one record. Throws `corrupt` when it cannot follow what is there.
    public mutating func apply(_ record: JournalRecord) throws(StoreFailure) {
        switch record.content {
        case .thing(let event):
            var state = ThingState.never
            if let known = things[event.thingID] {
                state = known
            } else if let row = try store.thing(event.thingID) {
                state = row
            }
            guard event.revision > state.revision else { return }
            things[event.thingID] = try Self.checked(record.sequence) { () throws(InconsistentEvent) in
                try state.applying(event)
            }
        case .policy(let event):
            var state = PolicyState.never
            if let known = policies[event.policyID] {
                state = known
            } else if let row = try store.policy(event.policyID) {
                state = row
            }
            guard event.revision > state.revision else { return }
            policies[event.policyID] = try Self.checked(record.sequence) { () throws(InconsistentEvent) in
                try state.applying(event)
            }
        }
    }

    /// The rebuilt states as rows.
    public func rows(cursor: Int64) -> RowBatch {
        var rows = RowBatch(cursor: cursor)
        rows.things = things.map { ($0.key, $0.value) }
        rows.policies = policies.map { ($0.key, $0.value) }
        return rows
    }

    private static func checked<State>(
        _ sequence: Int64, _ body: () throws(InconsistentEvent) -> State
    ) throws(StoreFailure) -> State {
        do throws(InconsistentEvent) {
            return try body()
        } catch {
            throw StoreFailure(
                kind: .corrupt,
                description: "the journal contradicts itself at sequence \(sequence): \(error.description)",
                hint: "Restore the data directory from a backup.")
        }
    }
}
