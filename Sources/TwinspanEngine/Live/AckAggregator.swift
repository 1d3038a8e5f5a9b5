// Gathers the acknowledgements of one signal (spec/protocol.md §8.3). A plain value: whoever owns it guards it.
import TwinspanJSON
public import TwinspanProtocol

/// The requested labels of one signal, and what has arrived for them.
public struct AckAggregator: Sendable {
    /// What became of one acknowledgement.
    public enum Intake: Sendable, Equatable {
        case counted
        /// Its label has been acknowledged before: the first one counts.
        case duplicate
        case notRequested
    }

    /// In the order of the request.
    public let requested: [AckLabel]
    private var received: [Acknowledgement?]
    private var missing: Int

    public init(_ requested: [AckLabel]) {
        self.requested = requested
        received = Array(repeating: .none, count: requested.count)
        missing = requested.count
    }

    /// Whether nothing is waited for any more.
    public var isComplete: Bool { missing == 0 }

    /// Whether the requester gets the plain response instead of an aggregate: at most a built-in label was requested.
    public var isPlain: Bool { requested.isEmpty || requested.count == 1 && requested[0].isBuiltIn }

    /// Whether an acknowledgement with the label is still waited for.
    public func isWaiting(for label: AckLabel) -> Bool {
        requested.firstIndex(of: label).map { received[$0] == nil } ?? false
    }

    /// Counts an acknowledgement.
    public mutating func take(_ acknowledgement: Acknowledgement) -> Intake {
        guard let index = requested.firstIndex(of: acknowledgement.label) else { return .notRequested }
        guard received[index] == nil else { return .duplicate }
        received[index] = acknowledgement
        missing -= 1
        return .counted
    }

    /// All of them; labels that nobody has acknowledged count as timed out.
    public func result(of thingID: ThingID, channel: TopicPath.Channel, correlationID: String) -> Acknowledgements {
        var headers = DittoHeaders()
        headers.correlationID = correlationID
        let all = zip(requested, received).map { label, acknowledgement in
            acknowledgement ?? timedOut(label, thingID, channel, headers)
        }
        headers[.responseRequired] = .bool(false)
        headers[.contentType] = .string("application/json")
        return Acknowledgements(thingID: thingID, channel: channel, acknowledgements: all, headers: headers)
    }

    private func timedOut(
        _ label: AckLabel, _ thingID: ThingID, _ channel: TopicPath.Channel, _ headers: DittoHeaders
    ) -> Acknowledgement {
        let error = AckErrorTable.requestTimeout.error("The acknowledgement '\(label)' did not arrive in time.")
        return Acknowledgement(
            label: label, thingID: thingID, channel: channel, status: error.status, payload: JSONText(error.json),
            headers: headers)
    }
}
