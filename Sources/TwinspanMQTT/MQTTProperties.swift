// What an MQTT 5 message carries besides topic, payload, QoS and retain flag, and how it stands to the headers of the
// pipelines (spec/connectivity-bindings.md §1.4, §1.6).
import TwinspanConnections

/// The properties of a message.
struct MQTTProperties: Sendable {
    /// Seconds after which the broker forgets the message.
    var expirySeconds: UInt32?
    var correlationData: [UInt8]?
    var responseTopic: String?
    var contentType: String?
    /// In the order of the packet; a name may stand several times.
    var userProperties: [(name: String, value: String)] = []

    /// Headers that stand for something else of the packet. A user property of such a name is not handed on: it would
    /// let a sender pretend to another topic.
    private static let reserved: Set<String> = [
        "mqtt.topic", "mqtt.qos", "mqtt.retain", expiryName, "correlation-id", "reply-to", "content-type",
    ]
    private static let expiryName = "mqtt.message-expiry-interval"
    private static let prefix = "mqtt."

    init() {}

    var isEmpty: Bool {
        expirySeconds == nil && correlationData == nil && responseTopic == nil && contentType == nil
            && userProperties.isEmpty
    }

    // MARK: Inbound

    /// The headers of a received message; topic, QoS and retain flag are the message's own.
    var headers: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if let expirySeconds { headers.append((name: Self.expiryName, value: String(expirySeconds))) }
        if let correlationData {
            headers.append((name: "correlation-id", value: String(decoding: correlationData, as: UTF8.self)))
        }
        if let responseTopic { headers.append((name: "reply-to", value: responseTopic)) }
        if let contentType { headers.append((name: "content-type", value: contentType)) }
        for property in userProperties where !Self.reserved.contains(property.name.lowercased()) {
            headers.append(property)
        }
        return headers
    }

    // MARK: Outbound

    /// The properties of a message that is about to be sent. Throws what can never be sent.
    ///
    /// - Parameter keepsKnownHeaders: whether `mqtt.topic`, `mqtt.qos` and `mqtt.retain`, where they were mapped, are
    ///   user properties as well, with the values that are used.
    init(of message: OutboundMessage, keepsKnownHeaders: Bool) throws(PublishRefusal) {
        for header in message.headers where !header.value.utf8.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) {
            switch header.name {
            case Self.expiryName: expirySeconds = try Self.expiry(header)
            case "correlation-id":
                correlationData = Array(header.value.utf8)
                try Self.check(header, length: header.value.utf8.count)
            case "reply-to":
                if let problem = MQTTTopic.problem(inName: header.value) { throw Self.illegal(header, problem) }
                responseTopic = header.value
            case "content-type":
                try Self.checkText(header)
                contentType = header.value
            case "mqtt.topic" where keepsKnownHeaders:
                userProperties.append((name: header.name, value: message.address))
            case "mqtt.qos" where keepsKnownHeaders:
                userProperties.append((name: header.name, value: String(message.qos)))
            case "mqtt.retain" where keepsKnownHeaders:
                userProperties.append((name: header.name, value: message.isRetained ? "true" : "false"))
            case let name where !keepsKnownHeaders && name.hasPrefix(Self.prefix): break
            default:
                try Self.checkText(header)
                userProperties.append(header)
            }
        }
    }

    /// 0 stands for no expiry.
    private static func expiry(_ header: (name: String, value: String)) throws(PublishRefusal) -> UInt32? {
        guard let seconds = UInt32(header.value) else {
            throw illegal(header, "it is not a number of seconds from 0 to \(UInt32.max)")
        }
        return seconds == 0 ? nil : seconds
    }

    /// Both parts of a property have a length of 16 bits and are UTF-8 without U+0000 (§1.5.4). The library takes no
    /// other control characters either.
    private static func checkText(_ header: (name: String, value: String)) throws(PublishRefusal) {
        try check(header, length: max(header.name.utf8.count, header.value.utf8.count))
        for scalar in header.name.unicodeScalars where isForbidden(scalar) {
            throw illegal(header, "its name contains a control character")
        }
        for scalar in header.value.unicodeScalars where isForbidden(scalar) {
            throw illegal(header, "its value contains a control character")
        }
    }

    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value & 0xFFFE == 0xFFFE
            || (0xFDD0...0xFDEF).contains(scalar.value)
    }

    private static func check(_ header: (name: String, value: String), length: Int) throws(PublishRefusal) {
        guard length > MQTTTopic.maximumLength else { return }
        throw illegal(header, "it is longer than \(MQTTTopic.maximumLength) bytes")
    }

    private static func illegal(_ header: (name: String, value: String), _ problem: String) -> PublishRefusal {
        PublishRefusal(
            reason: "invalid-header", detail: "The header '\(header.name.prefix(80))' cannot be sent: \(problem).",
            status: 400)
    }
}
