// The headers of a command from the header fields of a request and the query parameters that may stand for headers
// (spec/http.md §2.1–§2.3, §2.5).
import HTTPTypes
import TwinspanJSON
import TwinspanProtocol

/// The headers of a command, checked.
struct CommandHeaders {
    private(set) var headers = DittoHeaders()
    /// Whether the client wants an answer beyond "accepted".
    private(set) var isResponseRequired = true
    /// How long the client waits.
    private(set) var patience = Self.patienceMaximum

    static let patienceMaximum = Duration.seconds(60)

    /// How long the answer waits for the commit. Also who wants no answer learns whether the command was refused, and
    /// that is not known before the commit.
    var waiting: Duration { patience == .zero ? Self.patienceMaximum : patience }

    /// Query parameters that mean the header of the same name.
    private static let parameterNames: Set<String> = [
        "accept", "channel", "correlation-id", "requested-acks", "declared-acks", "response-required", "timeout",
        "live-channel-timeout-strategy", "allow-policy-lockout", "policy-view", "condition",
        "live-channel-condition", "at-historical-revision", "at-historical-timestamp", "dry-run",
    ]

    /// Collects the headers. A retrieve makes no event, so its custom headers are not kept.
    init(
        _ fields: RequestFields, _ parameters: [(name: String, value: String)], correlationID: String,
        isModifying: Bool
    ) throws(TwinspanError) {
        for field in fields.all {
            let name = field.name.canonicalName
            guard !RequestFields.staysHere(name) else { continue }
            if let known = KnownHeader.named(name) {
                if known.isReadFromOutside, known != .correlationID { append(known, field.value) }
            } else if isModifying, !KnownHeader.isBlocked(name) {
                headers.append(name, .string(field.value))
            }
        }
        for (name, value) in parameters where Self.parameterNames.contains(name) {
            guard let known = KnownHeader.named(name) else { continue }
            if value.isEmpty, known == .correlationID { throw .headerInvalid(name, "It must not be empty.") }
            let inHead = known == .correlationID ? fields.correlationID : headers.text(known)
            if let inHead, inHead != value {
                throw GeneralErrorTable.duplicateHeader.error(
                    "The query parameter '\(name)' and the header of that name differ.",
                    description: "Send one of them, or both with the same value.")
            }
            if inHead == nil, known != .correlationID { append(known, value) }
        }
        if isModifying { headers.correlationID = correlationID }
        try check()
    }

    /// The correlation id of the query.
    static func correlationID(_ parameters: [(name: String, value: String)]) -> String? {
        parameters.first { $0.name == "correlation-id" }?.value
    }

    private mutating func append(_ known: KnownHeader, _ value: String) {
        headers.append(known.rawValue, .string(value))
    }

    /// Says which media type the value has, as an envelope over a broker would.
    mutating func setContentType(_ mediaType: String) {
        headers[.contentType] = .string(mediaType)
    }

    private mutating func check() throws(TwinspanError) {
        guard !headers.entries.isEmpty else { return }
        let required = try boolean(.responseRequired)
        isResponseRequired = required ?? true
        _ = try boolean(.allowPolicyLockout)
        if try boolean(.dryRun) == true { throw HTTPErrors.notServed("A dry run") }
        if let text = headers.text(.timeout) {
            patience = try Self.duration(text)
            if patience == .zero {
                if required == true {
                    throw .headerInvalid("timeout", "A timeout of 0 does not go together with response-required=true.")
                }
                isResponseRequired = false
            }
        }
        try checkChannel()
        for header in Self.notServed where headers[header] != nil {
            throw HTTPErrors.notServed("The header '\(header.rawValue)'")
        }
        try checkAcknowledgements()
    }

    /// Headers that change what a command means, and that come with later parts of the API.
    private static let notServed: [KnownHeader] = [
        .liveChannelCondition, .atHistoricalRevision, .atHistoricalTimestamp, .divertResponseToConnection,
    ]

    private func checkChannel() throws(TwinspanError) {
        guard let channel = headers.text(.channel) else { return }
        switch channel.filter({ $0 != " " }).lowercased() {
        case "twin": return
        case "live": throw HTTPErrors.notServed("The channel 'live'")
        default: throw .headerInvalid("channel", "Use 'twin' or 'live'.")
        }
    }

    /// The answer waits for the commit anyway, which is what `twin-persisted` asks for; other labels would need
    /// somebody who acknowledges.
    private func checkAcknowledgements() throws(TwinspanError) {
        guard let text = headers.text(.requestedAcks) else { return }
        let labels = text.split { ",[]\" ".contains($0) }
        for label in labels where label != "twin-persisted" && label != "live-response" {
            throw HTTPErrors.notServed("The acknowledgement '\(label.prefix(165))'")
        }
    }

    private func boolean(_ header: KnownHeader) throws(TwinspanError) -> Bool? {
        guard let text = headers.text(header) else { return nil }
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw .headerInvalid(header.rawValue, "Use 'true' or 'false'.")
        }
    }

    /// `10`, `10s`, `500ms`, `1m`; no unit means seconds.
    static func duration(_ text: String) throws(TwinspanError) -> Duration {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, digits.utf8.count <= 9, let number = Int64(digits) else {
            throw .headerInvalid("timeout", "Use a number with the unit ms, s or m, e.g. 10s.")
        }
        let duration: Duration
        switch text.dropFirst(digits.count) {
        case "", "s": duration = .seconds(number)
        case "ms": duration = .milliseconds(number)
        case "m": duration = .seconds(number * 60)
        case "h", "d", "w", "mo", "y": duration = number == 0 ? .zero : .seconds(3600)
        default: throw .headerInvalid("timeout", "Use a number with the unit ms, s or m, e.g. 10s.")
        }
        guard duration <= patienceMaximum else { throw HTTPErrors.timeoutInvalid }
        return duration
    }
}
