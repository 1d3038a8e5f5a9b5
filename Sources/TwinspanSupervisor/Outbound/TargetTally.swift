// What a batch came to at one target: counted in one go.
import TwinspanConnections
import TwinspanMapping
import TwinspanProtocol

/// Fates of the signals of a batch at one target.
struct TargetTally: Sendable {
    private var offered = 0
    private var filtered = 0
    private var denied = 0
    private var mapped = 0
    private var dropped: [TargetFate.Drop] = []

    mutating func add(_ fate: TargetFate) {
        switch fate {
        case .unsubscribed: return
        case .filtered: filtered += 1
        case .denied: denied += 1
        case .dropped(let drop): dropped.append(drop)
        case .addressed: mapped += 1
        }
        offered += 1
    }

    /// Counts everything, and begins anew.
    mutating func flush(_ place: RecordedPlace, _ around: TargetPipeline.Surroundings) {
        guard offered > 0 else { return }
        let counters = around.counters
        let recorder = around.recorder
        counters.add(.offered, offered)
        counters.add(.filtered, filtered)
        if denied > 0 { counters.add(.denied, .outbound, reason: "no-read-permission", denied) }
        for drop in dropped {
            counters.add(.dropped, .outbound, reason: drop.reason)
            recorder.count(place, drop.stage, isFailure: drop.error != nil)
        }
        // Who may not read it is not asked for his filter in the eyes of users (spec/connectivity.md §3.3, step 3).
        let dispatched = offered - denied
        if dispatched > 0 { recorder.count(place, .dispatched, dispatched) }
        let passed = dispatched - filtered
        if passed > 0 { recorder.count(place, .filtered, passed) }
        if mapped > 0 { recorder.count(place, .mapped, mapped) }
        self = TargetTally()
    }
}

extension TargetFate.Drop {
    /// Where the log shows it (§3.3, §3.5).
    var stage: RecordedStage {
        guard error != nil else { return .dropped }
        return switch reason {
        case "enrichment": .mapped
        case "mapping": .other
        default: .published
        }
    }
}

extension TargetFate {
    var isFailure: Bool {
        if case .dropped(let drop) = self { return drop.error != nil }
        return false
    }

    func notes(_ signal: OutgoingSignal, _ delivery: TargetDelivery) -> [StageNote] {
        notes(
            delivery, correlationID: signal.correlationID, entityType: signal.entityType, entityID: signal.thingID.text)
    }

    /// What people are told of it.
    func notes(
        _ delivery: TargetDelivery, correlationID: String?, entityType: String, entityID: String
    ) -> [StageNote] {
        let place = RecordedPlace.target(delivery.compiled.index)
        func note(
            _ stage: RecordedStage, _ message: String, isFailure: Bool = false, reason: String? = nil
        ) -> StageNote {
            StageNote(
                place, stage, isFailure: isFailure, message, correlationID: correlationID, entityType: entityType,
                entityID: entityID, reason: reason)
        }
        let dispatched = note(.dispatched, "Message was dispatched")
        let passed = note(.filtered, "Message was filtered")
        switch self {
        case .unsubscribed, .denied: return []
        case .filtered: return [dispatched]
        case .addressed:
            let names = delivery.compiled.mappers.names.joined(separator: ", ")
            return [dispatched, passed, note(.mapped, "Mapped outgoing signal with mapper <\(names)>")]
        case .dropped(let drop):
            let isFailure = drop.error != nil
            let end = note(drop.stage, drop.message, isFailure: isFailure, reason: drop.error?.code ?? drop.reason)
            return [dispatched, passed, end]
        }
    }
}
