// Where a mapped message goes: the address and the mapped headers of a target or a reply target, on top of what the
// mapper says (spec/connectivity.md §3.3, step 7; connectivity-bindings.md §1.6).
import TwinspanConnections
import TwinspanExpressions
import TwinspanMapping
import TwinspanProtocol

/// Address and headers as the configuration has them for one signal.
struct Addressing {
    /// Nil when the address has no value for the signal.
    private let address: String?
    private let headers: [(name: String, value: String)]
    private let type: ConnectionType
    private let qos: UInt8

    /// - Parameter resolver: called only when something has to be resolved.
    init(
        _ address: PlaceholderTemplate, _ mappings: [HeaderMapping], qos: UInt8, type: ConnectionType,
        resolver: () -> SignalResolver
    ) {
        self.type = type
        self.qos = qos
        if let constant = address.constant, mappings.isEmpty {
            self.address = constant
            headers = []
            return
        }
        let resolver = resolver()
        self.address = address.resolve(resolver).first
        // An entry without a value is left out; the others count.
        headers = mappings.compactMap { mapping in
            mapping.template.resolve(resolver).first.map { (name: mapping.name, value: $0) }
        }
    }

    /// What became of a message.
    enum Placed {
        case message(OutboundMessage)
        /// No address: it is dropped, which is what a configuration may want.
        case unresolved
        case failed(TwinspanError)
    }

    func place(_ mapped: MappedMessage, target: Int?, queuedAt: UInt64) -> Placed {
        var message = OutboundMessage(
            address: address ?? "", payload: mapped.payload, qos: qos, headers: mapped.headers,
            isBinary: mapped.isBinary, target: target, queuedAt: queuedAt)
        for header in headers {
            if let index = message.headers.firstIndex(where: { $0.name.isSameHeader(as: header.name) }) {
                message.headers[index].value = header.value
            } else {
                message.headers.append(header)
            }
        }
        if type == .mqtt || type == .mqtt5, message.headers.contains(where: { $0.name.hasPrefix(Self.prefix) }),
            let failure = takeMQTTHeaders(&message)
        {
            return .failed(failure)
        }
        return message.address.isEmpty ? .unresolved : .message(message)
    }

    private static let prefix = "mqtt."

    /// `mqtt.topic`, `mqtt.qos` and `mqtt.retain` are settings of the message. MQTT 5 also sends them as properties;
    /// MQTT 3.1.1 has none.
    private func takeMQTTHeaders(_ message: inout OutboundMessage) -> TwinspanError? {
        for header in message.headers {
            switch header.name {
            case "mqtt.topic": message.address = header.value
            case "mqtt.qos":
                guard let qos = UInt8(header.value), qos <= 2 else { return Self.illegal(header) }
                message.qos = qos
            case "mqtt.retain":
                switch header.value.trimmingBlanks.lowercased() {
                case "true": message.isRetained = true
                case "false": message.isRetained = false
                default: return Self.illegal(header)
                }
            default: break
            }
        }
        if type == .mqtt { message.headers.removeAll { $0.name.hasPrefix(Self.prefix) } }
        return nil
    }

    private static func illegal(_ header: (name: String, value: String)) -> TwinspanError {
        TwinspanError(
            code: GeneralErrorTable.sendingFailed.code, status: 400,
            message: "The header '\(header.name)' has the value '\(header.value.prefix(40))', which is not legal.",
            description: "Check the header mapping and the mapper.")
    }
}

extension String {
    /// Whether both name one header; names of headers have no case.
    fileprivate func isSameHeader(as other: String) -> Bool {
        if self == other { return true }
        return utf8.count == other.utf8.count && lowercased() == other.lowercased()
    }

    /// Without blanks at both ends.
    fileprivate var trimmingBlanks: String {
        let start = utf8.drop { $0 == 0x20 || $0 == 0x09 }
        let count = start.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
        return String(Substring(start.dropLast(count)))
    }
}
