// The headers of a message as its transport gave them. Those of MQTT 3.1.1 are made when somebody asks for them: nearly
// nobody does, and a message should cost no allocation on its way.

/// Headers of an external message. Names are compared without regard to case.
public struct ExternalHeaders: Sendable {
    /// What an MQTT message has instead of headers; it appears as `mqtt.topic`, `mqtt.qos` and `mqtt.retain`.
    public struct MQTT: Sendable, Equatable {
        public var topic: String
        public var qos: UInt8
        public var isRetained: Bool
        public init(topic: String, qos: UInt8, isRetained: Bool) {
            self.topic = topic
            self.qos = qos
            self.isRetained = isRetained
        }
    }

    /// The headers the transport has, with names as it wrote them.
    public var list: [(name: String, value: String)]
    public var mqtt: MQTT?

    public init(_ list: [(name: String, value: String)] = [], mqtt: MQTT? = nil) {
        self.list = list
        self.mqtt = mqtt
    }

    /// The value of a header; the first where it stands several times.
    /// - Parameter name: lower case.
    public func value(_ name: String) -> String? {
        if let mqtt {
            switch name {
            case "mqtt.topic": return mqtt.topic
            case "mqtt.qos": return String(mqtt.qos)
            case "mqtt.retain": return mqtt.isRetained ? "true" : "false"
            default: break
            }
        }
        return listed(name)
    }

    private func listed(_ name: String) -> String? {
        for header in list where Self.isSame(header.name, name) { return header.value }
        return nil
    }

    /// Compares without regard to the case of ASCII letters, and without the allocation of `lowercased()`.
    private static func isSame(_ written: String, _ name: String) -> Bool {
        guard written.utf8.count == name.utf8.count else { return false }
        return zip(written.utf8, name.utf8).allSatisfy { byte, wanted in
            byte == wanted || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == wanted
        }
    }

    /// The same headers with another content type, however often there was one.
    func replacingContentType(with contentType: String) -> ExternalHeaders {
        var result = self
        result.list.removeAll { Self.isSame($0.name, "content-type") }
        result.list.append((name: "content-type", value: contentType))
        return result
    }

    public var contentType: String? { listed("content-type") }

    /// All headers, those of MQTT first.
    public var all: [(name: String, value: String)] {
        guard let mqtt else { return list }
        return [
            (name: "mqtt.topic", value: mqtt.topic), (name: "mqtt.qos", value: String(mqtt.qos)),
            (name: "mqtt.retain", value: mqtt.isRetained ? "true" : "false"),
        ] + list
    }
}
