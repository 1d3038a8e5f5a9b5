// What a source asks for on behalf of its messages (spec/connectivity.md §6.3).
import TwinspanConnections
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

extension AcknowledgementRequests {
    /// Whether the requests concern a signal: changes of twins, live commands and messages alone.
    static func concern(_ envelope: Envelope) -> Bool {
        guard envelope.status == nil, envelope.topic.group == .things else { return false }
        switch envelope.topic.criterion {
        case .commands(let action): return envelope.topic.channel == .live || action != .retrieve
        case .messages: return true
        case .events, .errors, .acks, .search, .streaming, .announcements: return false
        }
    }

    /// Changes the header `requested-acks`. An empty list that the signal brings is not added to, but filtered all the
    /// same. Throws what is wrong with the signal's own list: `header.invalid` or
    /// `acknowledgement:request.parsing.failed`.
    func ask(_ headers: inout DittoHeaders, _ resolver: @autoclosure () -> SignalResolver) throws(TwinspanError) {
        var labels = try headers.requestedAcks
        if !includes.isEmpty, labels?.isEmpty != true {
            var all = labels ?? []
            for label in includes where !all.contains(label) { all.append(label) }
            labels = all
            headers[.requestedAcks] = .array(all.map { .string($0.text) })
        }
        guard let filter else { return }
        let resolver = resolver()
        let given = JSONValue.array((labels ?? []).map { .string($0.text) })
        guard let filtered = filter.resolve(resolver, input: .one(given.text)).first else {
            headers[.requestedAcks] = .array([])
            return
        }
        if labels != nil {
            headers[.requestedAcks] = Self.value(filtered)
        } else if let made = filter.resolve(resolver, input: .unresolved).first {
            // A filter that makes labels out of nothing, such as `fn:default('["x"]')`.
            headers[.requestedAcks] = Self.value(made)
        }
    }

    /// Text that is no array is judged with the other headers of the signal.
    private static func value(_ text: String) -> JSONValue {
        guard text.utf8.first == UInt8(ascii: "[") else { return .string(text) }
        do throws(JSONSyntaxError) {
            return try JSONValue.parse(text)
        } catch {
            return .string(text)
        }
    }
}
