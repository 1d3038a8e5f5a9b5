// Values of headers that must have a form (spec/protocol.md §5). Checked where an envelope becomes a signal; headers
// that belong to one kind of command are checked by that command.
import TwinspanJSON

extension DittoHeaders {
    /// Checks the form of the headers that every signal may carry, in one pass. `isCommand` is false for signals that
    /// are no commands: those of old devices may still name another version of the schema.
    ///
    /// Throws `header.invalid`, `timeout.invalid`, `acknowledgement:request.parsing.failed`,
    /// `acknowledgement:label.invalid`, `policies:view.invalid` or `unsupported.api.version`.
    public func checkValues(isCommand: Bool = true) throws(TwinspanError) {
        var isZeroTimeout = false
        var isAnswerWanted = false
        var areAcksWanted = false
        for entry in entries {
            switch entry.known {
            case .none: break
            case .correlationID:
                if entry.value.string?.isEmpty == true { throw .headerInvalid(entry.name, "It must not be empty.") }
            case .responseRequired: isAnswerWanted = try entry.flag
            case .timeout: isZeroTimeout = try entry.timeoutMilliseconds == 0
            case .requestedAcks: areAcksWanted = try !entry.requestedAcks.isEmpty
            case .version where isCommand: try entry.checkVersion()
            case .some(let header): try entry.checkValue(of: header)
            }
        }
        // Whoever waits no time at all cannot want an answer (§8.4).
        if isZeroTimeout, isAnswerWanted {
            throw .headerInvalid("timeout", "A timeout of zero and response-required true exclude each other.")
        }
        if isZeroTimeout, areAcksWanted {
            throw .headerInvalid("timeout", "A timeout of zero and requested-acks exclude each other.")
        }
    }
}

extension DittoHeaders.Entry {
    /// Checks the less frequent headers; those of preconditions and metadata are checked by the commands they belong
    /// to.
    fileprivate func checkValue(of header: KnownHeader) throws(TwinspanError) {
        switch header {
        case .declaredAcks: _ = try declaredAcks
        case .channel: _ = try channel
        case .liveChannelTimeoutStrategy: _ = try liveChannelTimeoutStrategy
        case .dryRun, .allowPolicyLockout: _ = try flag
        case .policyView: _ = try policyView
        case .atHistoricalRevision: _ = try integer
        case .atHistoricalTimestamp, .timestamp: _ = try instant
        case .divertResponseToConnection, .divertedResponseFromConnection:
            if value.string?.isEmpty != false { throw .headerInvalid(name, "It must be text and not empty.") }
        default: break
        }
    }
}

/// Durations in headers: digits and a unit (spec/protocol.md §5.3).
public enum HeaderDuration {
    /// The duration in milliseconds, without a unit in seconds; nil for anything else. What does not fit is the
    /// greatest number.
    public static func milliseconds(_ text: String) -> Int64? {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard !digits.isEmpty, let factor = factor(rest[digits.endIndex...]) else { return nil }
        guard let number = Int64(String(Substring(digits))) else { return .max }
        let (product, isTooLarge) = number.multipliedReportingOverflow(by: factor)
        return isTooLarge ? .max : product
    }

    private static func factor(_ unit: Substring.UTF8View) -> Int64? {
        let second: Int64 = 1000
        let day = 86_400 * second
        switch String(Substring(unit)) {
        case "", "s": return second
        case "ms": return 1
        case "m": return 60 * second
        case "h": return 3600 * second
        case "d": return day
        case "w": return 7 * day
        // A month and a year have no fixed length; these are the customary ones.
        case "mo": return 30 * day
        case "y": return 365 * day
        default: return nil
        }
    }
}
