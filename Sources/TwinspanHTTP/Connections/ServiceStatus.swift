// `GET /devops/twinspan/status`: everything `twinspan status` shows, in one document.
import TwinspanConnections
public import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// What the process knows about itself.
public struct ServiceFacts: Sendable {
    public var version: String
    /// Reads the time; nil where nobody has said how.
    public var clock: (any EngineClock)?
    /// The monotonic clock at the start of the process.
    public var startedAt: UInt64
    /// Bytes that the journal may have before its oldest records go.
    public var journalMaxBytes: Int64

    public init(
        version: String = "", clock: (any EngineClock)? = nil, startedAt: UInt64 = 0, journalMaxBytes: Int64 = 0
    ) {
        self.version = version
        self.clock = clock
        self.startedAt = startedAt
        self.journalMaxBytes = journalMaxBytes
    }
}

/// The status of the service at one moment.
struct ServiceStatus {
    let backend: HTTPBackend

    /// Reads the store's measures, so not on an event loop.
    var json: JSONValue {
        let facts = backend.facts
        let uptime = facts.clock.map { Double($0.monotonic - facts.startedAt) / 1e9 } ?? 0
        var status: JSONObject = [
            "version": .string(facts.version), "uptimeSeconds": Self.rounded(uptime),
            "memoryBytes": ResidentMemory.bytes().map { .number(JSONNumber($0)) } ?? .null,
            "ready": .bool(backend.readiness.isReady),
        ]
        status["journal"] = [
            "bytes": .number(JSONNumber(backend.storeMeasures().journalBytes)),
            "maxBytes": .number(JSONNumber(facts.journalMaxBytes)),
        ]
        let percentile = backend.engine.metrics.snapshot.commitMilliseconds(percentile: 0.99)
        status["commit"] = ["p99Milliseconds": percentile.map(Self.rounded) ?? .null]
        let (inboxes, letters) = (backend.engine.inboxLoad, backend.engine.deadLetterLoad)
        status["connections"] = .array(
            (backend.connections?.snapshots() ?? []).map { snapshot in
                .object(connection(snapshot, inbox: inboxes[snapshot.id], letters: letters[snapshot.id]))
            })
        return .object(status)
    }

    private func connection(_ snapshot: ConnectionSnapshot, inbox: RecordLoad?, letters: RecordLoad?) -> JSONObject {
        var json: JSONObject = [
            "id": .string(snapshot.id.text), "type": .string(snapshot.type.rawValue), "uri": .string(snapshot.uri),
            "state": .string(snapshot.state.rawValue), "stateAgeSeconds": Self.rounded(snapshot.stateAgeSeconds),
            "failure": snapshot.failure.map(Self.failure) ?? .null,
            "nextAttemptSeconds": snapshot.nextAttemptSeconds.map(Self.rounded) ?? .null,
            "sources": .number(JSONNumber(snapshot.sourceCount)), "targets": .number(JSONNumber(snapshot.targetCount)),
            "inFlight": .number(JSONNumber(snapshot.inFlight)),
        ]
        json["queue"] = [
            "messages": .number(JSONNumber(snapshot.queueDepth)), "bytes": .number(JSONNumber(snapshot.queueBytes)),
            "ageSeconds": Self.rounded(snapshot.queueAgeSeconds),
        ]
        json["inbox"] = load(inbox)
        json["deadLetters"] = load(letters)
        json["behind"] = Self.behind(snapshot)
        var counters = JSONObject()
        for counter in snapshot.counters {
            let name = "\(counter.direction.rawValue)/\(counter.outcome)"
            counters[counter.reason.isEmpty ? name : "\(name)/\(counter.reason)"] = .number(JSONNumber(counter.value))
        }
        json["counters"] = .object(counters)
        if !snapshot.failedPlaces.isEmpty {
            json["failedPlaces"] = .array(
                snapshot.failedPlaces.map { place in
                    [
                        "kind": .string(place.kind.rawValue), "index": .number(JSONNumber(place.index)),
                        "address": .string(place.address), "failure": Self.failure(place.failure),
                    ]
                })
        }
        if !snapshot.notes.isEmpty { json["notes"] = .array(snapshot.notes.map { .string($0) }) }
        return json
    }

    private func load(_ load: RecordLoad?) -> JSONValue {
        let load = load ?? RecordLoad()
        var age = 0.0
        if let oldest = load.oldest, let now = backend.facts.clock?.now {
            age = Double(max(now.milliseconds - oldest.milliseconds, 0)) / 1000
        }
        return [
            "messages": .number(JSONNumber(load.count)), "bytes": .number(JSONNumber(load.bytes)),
            "ageSeconds": Self.rounded(age),
        ]
    }

    /// All durable targets together, and each of them.
    private static func behind(_ snapshot: ConnectionSnapshot) -> JSONValue {
        guard let all = snapshot.behindTogether else { return .null }
        let targets = snapshot.behind.map { target -> JSONValue in
            [
                "name": .string(target.target), "events": .number(JSONNumber(target.events)),
                "ageSeconds": rounded(target.ageSeconds), "missed": .number(JSONNumber(target.missed)),
            ]
        }
        return [
            "events": .number(JSONNumber(all.events)), "ageSeconds": rounded(all.ageSeconds),
            "targets": .array(targets),
        ]
    }

    private static func failure(_ failure: BrokerFailure) -> JSONValue {
        [
            "step": .string(failure.step.rawValue), "reason": .string(failure.reason),
            "message": .string(failure.message), "hint": failure.hint.map { .string($0) } ?? .null,
        ]
    }

    /// Three digits are enough.
    private static func rounded(_ value: Double) -> JSONValue {
        .number(JSONNumber((value * 1000).rounded() / 1000))
    }
}
