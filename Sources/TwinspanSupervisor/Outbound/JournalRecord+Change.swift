// What was an event when it was committed, made an event again from the journal.
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

extension JournalRecord {
    /// When it happened.
    var time: Timestamp {
        switch content {
        case .thing(let event): event.timestamp
        case .policy(let event): event.timestamp
        }
    }

    /// The change behind the record, whose event is given, as subscribers would have got it, but for what is as it is
    /// at present: the policy, and the thing that extra fields are taken from. Of a thing that is gone there is only
    /// its id.
    func change(
        _ event: ThingEvent, _ presence: ThingPresence, clock: any EngineClock, deliversParts: Bool
    ) -> TwinChange {
        let headers = self.headers ?? DittoHeaders()
        let age = clock.now.milliseconds - event.timestamp.milliseconds
        let now = clock.monotonic
        var lastText: JSONText?
        if presence.state.text == nil {
            var thing = JSONObject()
            thing["thingId"] = .string(event.thingID.text)
            thing["policyId"] = presence.state.policyID.map { .string($0.text) }
            lastText = JSONText(.object(thing))
        }
        return TwinChange(
            content: .thing(event, after: presence.state), headers: headers,
            originator: headers[.originator]?.string, origin: origin, enforcer: presence.enforcer,
            madeAt: now - min(UInt64(clamping: age) &* 1_000_000, now), lastText: lastText,
            deliversParts: deliversParts)
    }
}
