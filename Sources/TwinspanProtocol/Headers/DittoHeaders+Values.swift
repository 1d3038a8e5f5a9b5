// Headers read into their types (spec/protocol.md §5). What `checkValues` has let pass does not throw here again.
import TwinspanJSON

/// What happens when a live retrieve is not answered in time (spec/protocol.md §7.4).
public enum LiveTimeoutStrategy: String, Sendable {
    case fail
    case useTwin = "use-twin"
}

/// Which form of a policy a retrieve wants (spec/protocol.md §5.1).
public enum PolicyView: String, Sendable { case original, resolved }

extension DittoHeaders {
    /// `requested-acks`: an array, text that holds one, or labels separated by commas; nil when absent, which is not
    /// the same as empty (§8.4). Throws `header.invalid` or `acknowledgement:request.parsing.failed`.
    public var requestedAcks: [AckLabel]? {
        get throws(TwinspanError) { try entry(.requestedAcks)?.requestedAcks }
    }

    /// `declared-acks` in the same forms. Throws `header.invalid` or `acknowledgement:label.invalid`.
    public var declaredAcks: [AckLabel]? {
        get throws(TwinspanError) { try entry(.declaredAcks)?.declaredAcks }
    }

    /// `timeout` in milliseconds as the sender gave it; the maximum is the caller's. Throws `timeout.invalid`.
    public var timeoutMilliseconds: Int64? {
        get throws(TwinspanError) { try entry(.timeout)?.timeoutMilliseconds }
    }

    /// `channel`, trimmed and in any case. Throws `header.invalid`.
    public var channel: TopicPath.Channel? {
        get throws(TwinspanError) { try entry(.channel)?.channel }
    }

    /// `live-channel-timeout-strategy`. Throws `header.invalid`.
    public var liveChannelTimeoutStrategy: LiveTimeoutStrategy? {
        get throws(TwinspanError) { try entry(.liveChannelTimeoutStrategy)?.liveChannelTimeoutStrategy }
    }

    /// `dry-run`; false when absent. Throws `header.invalid`.
    public var isDryRun: Bool {
        get throws(TwinspanError) { try entry(.dryRun)?.flag ?? false }
    }

    /// `allow-policy-lockout`; false when absent. Throws `header.invalid`.
    public var allowsPolicyLockout: Bool {
        get throws(TwinspanError) { try entry(.allowPolicyLockout)?.flag ?? false }
    }

    /// `policy-view`; original when absent. Throws `policies:view.invalid`.
    public var policyView: PolicyView {
        get throws(TwinspanError) { try entry(.policyView)?.policyView ?? .original }
    }

    /// `at-historical-revision`. Throws `header.invalid`.
    public var historicalRevision: Int64? {
        get throws(TwinspanError) { try entry(.atHistoricalRevision)?.integer }
    }

    /// `at-historical-timestamp`. Throws `header.invalid`.
    public var historicalTimestamp: Timestamp? {
        get throws(TwinspanError) { try entry(.atHistoricalTimestamp)?.instant }
    }

    /// `timestamp`. Throws `header.invalid`.
    public var timestamp: Timestamp? {
        get throws(TwinspanError) { try entry(.timestamp)?.instant }
    }

    private func entry(_ header: KnownHeader) -> Entry? { entries.first { $0.known == header } }
}

extension DittoHeaders.Entry {
    /// The value as text, whether it was sent as text or as another scalar.
    private var text: String { value.string ?? value.text }

    var flag: Bool {
        get throws(TwinspanError) {
            if let bool = value.bool { return bool }
            switch value.string?.lowercased() {
            case "true": return true
            case "false": return false
            default: throw .headerInvalid(name, "Use true or false.")
            }
        }
    }

    var integer: Int64 {
        get throws(TwinspanError) {
            guard let number = value.int64 ?? value.string.flatMap({ Int64($0) }) else {
                throw .headerInvalid(name, "Use a whole number.")
            }
            return number
        }
    }

    var instant: Timestamp {
        get throws(TwinspanError) {
            guard let instant = value.string.flatMap({ Timestamp(parsing: $0) }) else {
                throw .headerInvalid(name, "Use an ISO-8601 instant, e.g. '2030-01-01T12:00:00Z'.")
            }
            return instant
        }
    }

    var timeoutMilliseconds: Int64 {
        get throws(TwinspanError) {
            guard let milliseconds = HeaderDuration.milliseconds(text) else {
                throw GeneralErrorTable.timeoutInvalid.error("The timeout '\(text.shortened)' is not valid.")
            }
            return milliseconds
        }
    }

    var requestedAcks: [AckLabel] {
        get throws(TwinspanError) {
            var labels: [AckLabel] = []
            for label in try labelTexts(notText: AckErrorTable.requestParsingFailed) {
                do throws(TwinspanError) {
                    labels.append(try AckLabel(label))
                } catch {
                    throw AckErrorTable.requestParsingFailed.error(
                        "'\(label.shortened)' in requested-acks is not the label of an acknowledgement.")
                }
            }
            return labels
        }
    }

    var declaredAcks: [AckLabel] {
        get throws(TwinspanError) {
            var labels: [AckLabel] = []
            for label in try labelTexts(notText: AckErrorTable.labelInvalid) { labels.append(try AckLabel(label)) }
            return labels
        }
    }

    var channel: TopicPath.Channel {
        get throws(TwinspanError) {
            guard let channel = value.string.flatMap({ TopicPath.Channel(rawValue: $0.trimmed.lowercased()) }) else {
                throw .headerInvalid(name, "Use 'twin' or 'live'.")
            }
            return channel
        }
    }

    var liveChannelTimeoutStrategy: LiveTimeoutStrategy {
        get throws(TwinspanError) {
            guard let strategy = value.string.flatMap({ LiveTimeoutStrategy(rawValue: $0.trimmed.lowercased()) }) else {
                throw .headerInvalid(name, "Use 'fail' or 'use-twin'.")
            }
            return strategy
        }
    }

    var policyView: PolicyView {
        get throws(TwinspanError) {
            guard let view = value.string.flatMap({ PolicyView(rawValue: $0.lowercased()) }) else {
                throw PolicyErrorTable.viewInvalid.error("The policy view '\(text.shortened)' is not known.")
            }
            return view
        }
    }

    /// There is one version of the schema.
    func checkVersion() throws(TwinspanError) {
        let version = try integer
        guard version == 2 else {
            throw GatewayErrorTable.unsupportedAPIVersion.error(
                "The version \(version) of the schema is not supported.")
        }
    }

    /// The labels of an array, of text that holds an array, or between commas.
    private func labelTexts(notText row: ErrorRow) throws(TwinspanError) -> [String] {
        var elements = value.array
        if elements == nil, let text = value.string?.trimmed {
            guard text.utf8.first == UInt8(ascii: "[") else {
                return text.split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty }
            }
            do throws(JSONSyntaxError) {
                elements = try JSONValue.parse(text).array
            } catch {
                throw .headerInvalid(name, "It is not a JSON array: \(error)")
            }
        }
        guard let elements else { throw .headerInvalid(name, "Use an array of labels.") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else {
                throw row.error("'\(element.text.shortened)' in \(name) is not the label of an acknowledgement.")
            }
            texts.append(text)
        }
        return texts
    }
}

extension String {
    /// Without blanks and tabs at both ends.
    var trimmed: String {
        let bytes = utf8.drop { $0 == 0x20 || $0 == 0x09 }
        let count = bytes.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
        return String(Substring(bytes.dropLast(count)))
    }
}
