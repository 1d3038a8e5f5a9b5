// Values of headers that must have a form (spec/protocol.md §5). Checked where a signal becomes a command; headers that
// belong to one kind of command are checked by that command.
import TwinspanJSON

extension DittoHeaders {
    /// Checks the headers that every signal may carry. Throws `header.invalid` or `timeout.invalid`.
    public func checkValues() throws(TwinspanError) {
        var isZeroTimeout = false
        var isAnswerWanted = false
        for entry in entries {
            switch entry.known {
            case .correlationID:
                if entry.value.string?.isEmpty == true { throw .headerInvalid(entry.name, "It must not be empty.") }
            case .responseRequired:
                guard let flag = entry.value.flag else { throw .headerInvalid(entry.name, "Use true or false.") }
                isAnswerWanted = flag
            case .timeout:
                let text = entry.value.string ?? entry.value.text
                guard let milliseconds = HeaderDuration.milliseconds(text) else {
                    throw GeneralErrorTable.timeoutInvalid.error("The timeout '\(text.shortened)' is not valid.")
                }
                isZeroTimeout = milliseconds == 0
            default: break
            }
        }
        // Whoever waits no time at all cannot want an answer (§8.4).
        if isZeroTimeout, isAnswerWanted {
            throw .headerInvalid("timeout", "A timeout of zero and response-required true exclude each other.")
        }
    }
}

extension JSONValue {
    /// A boolean, or text that says one; nil for anything else.
    fileprivate var flag: Bool? {
        if let bool { return bool }
        switch string?.lowercased() {
        case "true": return true
        case "false": return false
        default: return nil
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
