// The addresses of a connection under which is counted and logged: a small closed table, so that nothing a peer sends
// can make it grow.
import TwinspanExpressions

/// The categories of the log (spec/connectivity.md §8.6).
public enum RecordedCategory: String, Sendable, CaseIterable {
    case source, target, response, connection
}

/// Maps places to slots of the tables behind a recorder.
struct RecordedAddresses: Sendable {
    struct Slot: Sendable, Equatable {
        var category: RecordedCategory
        /// Nil for the connection itself.
        var address: String?
    }

    /// The address of all answers.
    static let responsesAddress = "_responses"
    /// Sources and targets with an address of their own; what is beyond shares one.
    static let slotMaximum = 200
    static let sharedAddress = "_others"

    let slots: [Slot]
    /// For each source its slots in the order of its addresses.
    private let sources: [[Int]]
    private let targets: [Int]
    private let responses: Int
    private let connection: Int

    /// A source of MQTT has one slot, its addresses joined with `;`: of overlapping topic filters a client cannot tell
    /// which one brought a message. Every other source has one per address.
    init(_ connection: Connection) {
        var slots: [Slot] = []
        var known: [String: Int] = [:]
        func slot(_ category: RecordedCategory, _ address: String) -> Int {
            let address = known.count < Self.slotMaximum ? address : Self.sharedAddress
            let key = "\(category.rawValue) \(address)"
            if let index = known[key] { return index }
            known[key] = slots.count
            slots.append(Slot(category: category, address: address))
            return slots.count - 1
        }
        let isMQTT = connection.type == .mqtt || connection.type == .mqtt5
        sources = connection.sources.map { source in
            isMQTT
                ? [slot(.source, source.addresses.joined(separator: ";"))]
                : source.addresses.map { slot(.source, $0) }
        }
        targets = connection.targets.map { slot(.target, $0.address.text) }
        responses = slots.count
        slots.append(Slot(category: .response, address: Self.responsesAddress))
        self.connection = slots.count
        slots.append(Slot(category: .connection))
        self.slots = slots
    }

    /// The slot of a place. `address` chooses between those of a source; any other is the source's first.
    func slot(of place: RecordedPlace, address: String? = nil) -> Int {
        switch place {
        case .source(let index):
            guard sources.indices.contains(index), let first = sources[index].first else { return connection }
            guard sources[index].count > 1, let address else { return first }
            return sources[index].first { slots[$0].address == address } ?? first
        case .target(let index): return targets.indices.contains(index) ? targets[index] : connection
        case .responses: return responses
        case .connection: return connection
        }
    }
}
