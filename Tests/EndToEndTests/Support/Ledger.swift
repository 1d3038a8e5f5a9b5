// The questions every loss test ends with: did all that was sent arrive, is the journal without gaps, and was nothing
// told that did not happen.
import TwinspanJSON
import TwinspanTestSupport

/// What a published event says.
struct SeenEvent: Hashable {
    var run: Int
    var thing: String
    var revision: Int
    var path: String
    var value: String

    /// Reads a message of `events/<run>/<thing id>`; nil for others.
    init?(_ message: EventCollector.Message) {
        let parts = message.topic.split(separator: "/")
        guard parts.count == 3, parts[0] == "events", let run = Int(parts[1]) else { return nil }
        let json = message.json
        guard let revision = json.value(at: ["revision"])?.int64 else { return nil }
        self.run = run
        thing = String(parts[2])
        self.revision = Int(revision)
        path = json.value(at: ["path"])?.string ?? ""
        value = json.value(at: ["value"])?.text ?? ""
    }
}

extension JSONValue {
    func value(at segments: [String]) -> JSONValue? { value(at: JSONPointer(segments: segments)) }

    /// The property the tests count with, in a thing.
    var speed: Int? { value(at: ["features", "engine", "properties", "speed"])?.int64.map { Int($0) } }
}

/// Numbers 1…n sent to each device.
struct Ledger {
    static let path = "/features/engine/properties/speed"
    /// The last number by the device's name.
    private(set) var last: [String: Int] = [:]

    /// The next number for a device.
    mutating func next(_ name: String) -> Int {
        last[name, default: 0] += 1
        return last[name] ?? 0
    }

    var total: Int { last.values.reduce(0, +) }

    /// Fails unless each twin's journal is gap-free from 1, holds every number that was sent, and ends with the last;
    /// and unless the rows agree.
    func check(_ journal: Journal) throws {
        for (name, last) in last {
            let thing = "plant:\(name)"
            let records = journal.things[thing] ?? []
            let revisions = records.map(\.revision)
            try require(
                revisions == Array(1...max(records.count, 1)), "\(thing): revisions are not gap-free: \(revisions)")
            let numbers = records.filter { $0.path == Self.path }.compactMap { Int($0.value) }
            let missing = Set(1...last).subtracting(numbers)
            try require(missing.isEmpty, "\(thing): \(missing.count) of \(last) numbers are lost: \(missing.sorted())")
            try require(numbers.last == last, "\(thing) ends at \(numbers.last ?? -1) instead of \(last)")
            let row = journal.rows[thing]
            try require(
                row?.revision == records.last?.revision,
                "\(thing): the row has revision \(row?.revision ?? -1), the journal \(records.last?.revision ?? -1)")
            let speed = try row.flatMap { try JSONValue.parse($0.json).speed }
            try require(speed == last, "\(thing): the row has \(speed ?? -1) instead of \(last)")
        }
    }

    /// Fails unless every event tells of a change that is in the journal, and unless, within a run, no event of a thing
    /// comes after a newer one for the first time.
    ///
    /// - Parameter mayRepeat: whether an event may come twice, because a connection was lost before the confirmation.
    ///   Without that, a repetition means that a change was told, refused by the store, and made again.
    static func check(_ events: [SeenEvent], in journal: Journal, mayRepeat: Bool) throws {
        var newest: [String: Int] = [:]
        var seen: Set<SeenEvent> = []
        for event in events {
            let place = "run \(event.run): revision \(event.revision) of \(event.thing)"
            guard seen.insert(event).inserted else {
                try require(mayRepeat, "\(place) was published twice")
                continue
            }
            let key = "\(event.run) \(event.thing)"
            try require(event.revision > newest[key] ?? 0, "\(place) came after \(newest[key] ?? 0)")
            newest[key] = event.revision
            let records = journal.things[event.thing] ?? []
            let record =
                (1...max(records.count, 1)).contains(event.revision)
                ? records.dropFirst(event.revision - 1).first : nil
            try require(record != nil, "\(place) was published, but is not in the journal")
            guard event.path == path else { continue }
            try require(
                record?.value == event.value,
                "\(place) was published as \(event.value), but is \(record?.value ?? "")")
        }
    }
}
