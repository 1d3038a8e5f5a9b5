// Extra fields (spec/http.md §12): which topic of a target wins, and what it adds to the signal. Extra fields of a twin
// event come from the state after it, which travels with it; those of live signals are read from the twin.
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanPolicies
import TwinspanProtocol

/// The thing that extra fields of one signal are taken from; read once for all targets, and only when one needs it.
struct EnrichmentSource {
    /// Reads the committed state of a thing, for signals that do not bring it along. May block.
    let read: (ThingID) throws(TwinspanError) -> ThingSnapshot
    private var known: Result<(thing: JSONValue, enforcer: PolicyEnforcer), TwinspanError>?

    init(read: @escaping (ThingID) throws(TwinspanError) -> ThingSnapshot) {
        self.read = read
    }

    /// The part of the thing that the subjects may read. Throws `signal.enrichment.failed` with the cause's status.
    mutating func thing(
        of signal: OutgoingSignal, for reader: AuthorizationContext
    ) throws(TwinspanError) -> JSONValue {
        if case .given(let signal) = signal { return signal.thing ?? .object(JSONObject()) }
        let known = self.known ?? load(signal)
        self.known = known
        do throws(TwinspanError) {
            let (thing, enforcer) = try known.get()
            let namespace = signal.thingID.namespace
            let view = enforcer.view(of: thing, type: .thing, base: .root, subjects: reader, namespace: namespace)
            guard let view else { throw .thingNotFound(signal.thingID) }
            return view
        } catch {
            throw TwinspanError(
                code: GeneralErrorTable.enrichmentFailed.code, status: error.status,
                message: "The extra fields could not be read: \(error.message)", description: error.description)
        }
    }

    private func load(
        _ signal: OutgoingSignal
    ) -> Result<(thing: JSONValue, enforcer: PolicyEnforcer), TwinspanError> {
        let namespace = signal.thingID.namespace
        if case .event(let change, _) = signal, case .thing(_, let after) = change.content,
            let enforcer = change.enforcer, let text = after.text ?? change.lastText
        {
            return .success((after.withSpecialFields(text.value, namespace: namespace), enforcer))
        }
        do throws(TwinspanError) {
            let snapshot = try read(signal.thingID)
            let thing = snapshot.state.withSpecialFields(snapshot.text.value, namespace: namespace)
            return .success((thing, snapshot.enforcer))
        } catch {
            return .failure(error)
        }
    }
}

/// The topic of a target that a signal goes out by.
enum TopicChoice {
    /// No topic admits it.
    case none
    /// The extra fields of the topic that won; nil when it has none, or nothing of them is there.
    case won(extra: JSONObject?)
    case failed(TwinspanError)
}

extension CompiledTarget {
    /// Asks the topics in their order; the first that admits the signal wins (spec/connectivity.md §3.3, steps 3, 4).
    /// A filter on extra fields is asked twice: without them, where it may not know, and with them.
    ///
    /// - Parameters:
    ///   - resolver: for filters, which see all of the signal (spec/policies-search.md A.4).
    ///   - readable: for what names extra fields, which must not tell more than the reader may see.
    func choose(
        _ signal: OutgoingSignal, among topics: [CompiledTopic], _ source: inout EnrichmentSource,
        resolver: () -> SignalResolver, readable: () -> SignalResolver
    ) -> TopicChoice {
        let namespace = signal.thingID.namespace
        var changed: JSONValue?
        for topic in topics where topic.admits(namespace: namespace) {
            let filter = topic.topic.filter
            guard let selector = topic.extra?.selector(readable) else {
                guard let filter else { return .won(extra: nil) }
                let part = changed ?? signal.changedPart(signal.value?.value)
                changed = part
                if filter.matches(part, placeholders: resolver()) { return .won(extra: nil) }
                continue
            }
            var isDecided = true
            if let filter {
                let part = changed ?? signal.changedPart(signal.value?.value)
                changed = part
                let outcome = filter.evaluate(part, placeholders: resolver()) { selector.touches($0) }
                if outcome == .differs { continue }
                isDecided = outcome == .matches
            }
            let extra: JSONValue
            do throws(TwinspanError) {
                extra = selector.select(from: try source.thing(of: signal, for: context))
            } catch {
                return .failed(error)
            }
            if !isDecided, let filter, let changed {
                guard filter.matches(extra.overlaid(with: changed), placeholders: resolver()) else { continue }
            }
            let object = extra.object
            return .won(extra: object?.isEmpty == false ? object : nil)
        }
        return .none
    }
}

extension JSONValue {
    /// This value with another one over it: objects are merged member by member, in everything else the upper one wins.
    /// The depth is bounded by that of the documents.
    func overlaid(with upper: JSONValue) -> JSONValue {
        guard case .object(var object) = self, case .object(let changes) = upper else { return upper }
        for (key, value) in changes { object[key] = object[key]?.overlaid(with: value) ?? value }
        return .object(object)
    }
}
