// What `GET /devops/twinspan/status` says at one moment.
import TwinspanJSON

/// One reading of the status.
struct StatusReading {
    /// Messages that wait somewhere.
    struct Waiting {
        var messages: Int64
        var bytes: Int64
        var ageSeconds: Double

        init(_ json: JSONObject?) {
            messages = json?["messages"]?.int64 ?? 0
            bytes = json?["bytes"]?.int64 ?? 0
            ageSeconds = json?["ageSeconds"]?.double ?? 0
        }
    }

    /// One connection.
    struct Link {
        var id: String
        var type: String
        var state: String
        var stateAgeSeconds: Double
        var failure: (message: String, hint: String?)?
        /// What the place is, what is wrong with it, and what to do.
        var failedPlaces: [(place: String, message: String, hint: String?)]
        var nextAttemptSeconds: Double?
        var sources: Int64
        var targets: Int64
        var queue: Waiting
        var inbox: Waiting
        var deadLetters: Waiting
        /// Events a durable target has still to send, and the age of the oldest.
        var behind: (events: Int64, ageSeconds: Double)?
        /// By `direction/outcome` or `direction/outcome/reason`.
        var counters: [String: Int64]

        init(_ json: JSONObject) {
            id = json["id"]?.string ?? "?"
            type = json["type"]?.string ?? "?"
            state = json["state"]?.string ?? "unknown"
            stateAgeSeconds = json["stateAgeSeconds"]?.double ?? 0
            if let failure = json["failure"]?.object {
                self.failure = (
                    failure["message"]?.string ?? failure["reason"]?.string ?? "failed", failure["hint"]?.string
                )
            }
            failedPlaces = (json["failedPlaces"]?.array ?? []).compactMap { place in
                guard let place = place.object, let failure = place["failure"]?.object else { return nil }
                return (
                    "\(place["kind"]?.string ?? "place") \(place["address"]?.string ?? "")",
                    failure["message"]?.string ?? "failed", failure["hint"]?.string
                )
            }
            nextAttemptSeconds = json["nextAttemptSeconds"]?.double
            sources = json["sources"]?.int64 ?? 0
            targets = json["targets"]?.int64 ?? 0
            queue = Waiting(json["queue"]?.object)
            inbox = Waiting(json["inbox"]?.object)
            deadLetters = Waiting(json["deadLetters"]?.object)
            if let behind = json["behind"]?.object {
                self.behind = (behind["events"]?.int64 ?? 0, behind["ageSeconds"]?.double ?? 0)
            }
            counters = [:]
            for (key, value) in json["counters"]?.object ?? JSONObject() { counters[key] = value.int64 }
        }
    }

    /// As it came, for programs.
    let json: JSONObject
    let links: [Link]
    /// Monotonic nanoseconds.
    let takenAt: UInt64

    init(_ json: JSONObject, takenAt: UInt64) {
        self.json = json
        self.takenAt = takenAt
        links = (json["connections"]?.array ?? []).compactMap { $0.object.map { Link($0) } }
    }

    /// What was counted per second since an earlier reading, by connection and counter; nil where it was not known
    /// then. A counter that went back belongs to a service that was started again.
    func rates(since earlier: StatusReading) -> [String: [String: Double]] {
        guard takenAt > earlier.takenAt else { return [:] }
        let seconds = Double(takenAt - earlier.takenAt) / 1e9
        let before = Dictionary(earlier.links.map { ($0.id, $0.counters) }, uniquingKeysWith: { first, _ in first })
        var rates: [String: [String: Double]] = [:]
        for link in links {
            guard let old = before[link.id] else { continue }
            rates[link.id] = Dictionary(
                uniqueKeysWithValues: link.counters.map { key, value in
                    (key, Double(max(value - (old[key] ?? 0), 0)) / seconds)
                })
        }
        return rates
    }
}
