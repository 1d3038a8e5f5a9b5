// What a signal asks for besides being carried out: an answer, acknowledgements, and how long it waits for them
// (spec/protocol.md §5.3, §8.1, §8.4). Read from the headers once, when the signal enters the engine.
import TwinspanJSON
public import TwinspanProtocol

/// The terms of one signal.
public struct LiveTerms: Sendable, Equatable {
    /// What the terms are for; the defaults differ.
    public enum Use: Sendable {
        /// A command that may change the twin.
        case twinChange
        /// A retrieve of the twin: it has no acknowledgements.
        case twinQuery
        /// A live command or a message.
        case liveRequest
        /// A live event: nothing answers it, but custom acknowledgements may be asked for.
        case liveEvent
    }

    /// Nobody waits longer, whatever the header says (§5.3).
    static let longestWait: UInt64 = 60_000_000_000
    /// How long a signal that nobody waits for may wait for its authorization (§5.3).
    static let authorizationWait: UInt64 = 3_000_000_000

    public var isResponseRequired: Bool
    /// The labels that are waited for, built-in ones included, each once, in the order of the request.
    public var requestedAcks: [AckLabel]
    /// Nanoseconds, at most 60 s.
    public var timeout: UInt64

    /// Throws `header.invalid`, `timeout.invalid` and `acknowledgement:request.parsing.failed`.
    public init(_ headers: DittoHeaders, for use: Use) throws(TwinspanError) {
        let milliseconds = try headers.timeoutMilliseconds ?? 60_000
        let isZero = milliseconds == 0
        timeout = min(UInt64(min(milliseconds, 60_000)) * 1_000_000, Self.longestWait)
        let isAnswerAsked = headers[.responseRequired] != nil
        isResponseRequired = headers.isResponseRequired
        if isZero, isAnswerAsked, isResponseRequired {
            throw .headerInvalid("timeout", "A timeout of zero and response-required true exclude each other.")
        }
        let asked = try RequestedAcks.labels(headers)
        if isZero, let asked, !asked.isEmpty {
            throw .headerInvalid("timeout", "A timeout of zero and requested acknowledgements exclude each other.")
        }
        requestedAcks = []
        requestedAcks = labels(asked, use)
    }

    /// The terms of an announcement: nothing but these labels, for so many milliseconds.
    init(announcement labels: [AckLabel], milliseconds: Int64) {
        isResponseRequired = false
        requestedAcks = labels
        timeout = UInt64(max(milliseconds, 0)).multipliedReportingOverflow(by: 1_000_000).partialValue
    }

    /// Whether nobody waits for anything.
    var isFireAndForget: Bool { !isResponseRequired && requestedAcks.isEmpty }

    /// The labels that only subscribers can issue; these alone travel with the signal (§8.4).
    public var customAcks: [AckLabel] { requestedAcks.filter { !$0.isBuiltIn } }

    private func labels(_ asked: [AckLabel]?, _ use: Use) -> [AckLabel] {
        switch use {
        case .twinQuery: return []
        case .twinChange:
            guard let asked else { return isResponseRequired ? [.twinPersisted] : [] }
            return asked.filter { $0 != .liveResponse }
        case .liveEvent: return (asked ?? []).filter { !$0.isBuiltIn }
        case .liveRequest:
            let others = (asked ?? []).filter { !$0.isBuiltIn }
            guard isResponseRequired else { return others }
            // With an explicitly empty list the answer is waited for all the same, and comes as it is.
            let isFirst = asked?.first == .liveResponse || others.isEmpty
            return isFirst ? [.liveResponse] + others : others + [.liveResponse]
        }
    }
}

/// The header `requested-acks`.
enum RequestedAcks {
    /// The labels, each once; nil when the header is absent. Throws as `DittoHeaders.requestedAcks`.
    static func labels(_ headers: DittoHeaders) throws(TwinspanError) -> [AckLabel]? {
        guard let asked = try headers.requestedAcks else { return nil }
        var labels: [AckLabel] = []
        for label in asked where !labels.contains(label) { labels.append(label) }
        return labels
    }

    /// The headers as a subscriber gets them: with custom labels only, and without the header when there are none.
    static func deliver(_ headers: inout DittoHeaders) {
        guard headers[.requestedAcks] != nil else { return }
        // Whoever asked wrongly was told so when he asked; what is left over here asks nobody for anything.
        let labels = (try? Self.labels(headers)) ?? []
        set(labels, in: &headers)
    }

    /// Sets the header to the custom ones of some labels, or removes it.
    static func set(_ labels: [AckLabel], in headers: inout DittoHeaders) {
        let custom = labels.filter { !$0.isBuiltIn }
        if custom.isEmpty {
            headers[.requestedAcks] = .none
        } else {
            headers[.requestedAcks] = .array(custom.map { .string($0.text) })
        }
    }
}
