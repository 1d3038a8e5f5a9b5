// The library's lists of MQTT 5 properties: read inside a callback, built for the time of one call.
import CMosquitto
import Glibc

extension MQTTProperties {
    /// Copies the properties of a received PUBLISH.
    init(reading list: OpaquePointer) {
        self.init()
        var next: OpaquePointer? = list
        while let property = next {
            switch mosquitto_property_identifier(property) {
            case MosquittoProperty.expiry: expirySeconds = MosquittoProperty.number32(property)
            case MosquittoProperty.correlation: correlationData = MosquittoProperty.bytes(property)
            case MosquittoProperty.responseTopic:
                responseTopic = MosquittoProperty.text(in: property, MosquittoProperty.responseTopic)
            case MosquittoProperty.contentType:
                contentType = MosquittoProperty.text(in: property, MosquittoProperty.contentType)
            case MosquittoProperty.user:
                if let pair = MosquittoProperty.pair(property) { userProperties.append(pair) }
            default: break
            }
            next = mosquitto_property_next(property)
        }
    }

    /// The same as a list of the library. Throws what the library does not take.
    func list() throws(MosquittoRefusal) -> MosquittoPropertyList {
        var list = MosquittoPropertyList()
        if let expirySeconds { try list.add(MosquittoProperty.expiry, number: expirySeconds) }
        if let correlationData { try list.add(MosquittoProperty.correlation, bytes: correlationData) }
        if let responseTopic { try list.add(MosquittoProperty.responseTopic, text: responseTopic) }
        if let contentType { try list.add(MosquittoProperty.contentType, text: contentType) }
        for property in userProperties { try list.add(user: property.name, value: property.value) }
        return list
    }
}

/// A list that is freed with its value.
struct MosquittoPropertyList: ~Copyable {
    private(set) var pointer: OpaquePointer?

    init() {}

    deinit {
        var list = pointer
        mosquitto_property_free_all(&list)
    }

    mutating func add(_ identifier: Int32, number: UInt32) throws(MosquittoRefusal) {
        try check(mosquitto_property_add_int32(&pointer, identifier, number))
    }

    mutating func add(_ identifier: Int32, text: String) throws(MosquittoRefusal) {
        try check(mosquitto_property_add_string(&pointer, identifier, text))
    }

    mutating func add(_ identifier: Int32, bytes: [UInt8]) throws(MosquittoRefusal) {
        try check(mosquitto_property_add_binary(&pointer, identifier, bytes, UInt16(clamping: bytes.count)))
    }

    mutating func add(user name: String, value: String) throws(MosquittoRefusal) {
        try check(mosquitto_property_add_string_pair(&pointer, MosquittoProperty.user, name, value))
    }

    private func check(_ code: Int32) throws(MosquittoRefusal) {
        guard code != MosquittoCode.success.rawValue else { return }
        throw MosquittoRefusal(code: MosquittoCode(rawValue: code), option: "properties")
    }
}

/// The properties we read or write, and how to read one.
enum MosquittoProperty {
    static let expiry = identifier(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL)
    static let contentType = identifier(MQTT_PROP_CONTENT_TYPE)
    static let responseTopic = identifier(MQTT_PROP_RESPONSE_TOPIC)
    static let correlation = identifier(MQTT_PROP_CORRELATION_DATA)
    static let user = identifier(MQTT_PROP_USER_PROPERTY)
    static let sessionExpiry = identifier(MQTT_PROP_SESSION_EXPIRY_INTERVAL)
    static let maximumPacketSize = identifier(MQTT_PROP_MAXIMUM_PACKET_SIZE)
    static let serverKeepAlive = identifier(MQTT_PROP_SERVER_KEEP_ALIVE)
    static let serverReference = identifier(MQTT_PROP_SERVER_REFERENCE)
    static let reason = identifier(MQTT_PROP_REASON_STRING)

    private static func identifier(_ property: mqtt5_property) -> Int32 { Int32(property.rawValue) }

    /// The first text with this identifier. Values are copies that belong to the caller.
    static func text(in list: OpaquePointer?, _ identifier: Int32) -> String? {
        var value: UnsafeMutablePointer<CChar>?
        guard mosquitto_property_read_string(list, identifier, &value, false) != nil, let value else { return nil }
        defer { free(value) }
        return String(cString: value)
    }

    /// The first number of 16 bits with this identifier.
    static func number16(in list: OpaquePointer?, _ identifier: Int32) -> Int? {
        var value: UInt16 = 0
        return mosquitto_property_read_int16(list, identifier, &value, false) == nil ? nil : Int(value)
    }

    /// The first number of 32 bits with this identifier.
    static func number32(in list: OpaquePointer?, _ identifier: Int32) -> UInt32? {
        var value: UInt32 = 0
        return mosquitto_property_read_int32(list, identifier, &value, false) == nil ? nil : value
    }

    fileprivate static func number32(_ property: OpaquePointer) -> UInt32? {
        number32(in: property, mosquitto_property_identifier(property))
    }

    fileprivate static func bytes(_ property: OpaquePointer) -> [UInt8]? {
        var value: UnsafeMutableRawPointer?
        var count: UInt16 = 0
        guard mosquitto_property_read_binary(property, correlation, &value, &count, false) != nil else { return nil }
        defer { free(value) }
        return Array(UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : Int(count)))
    }

    fileprivate static func pair(_ property: OpaquePointer) -> (name: String, value: String)? {
        var name: UnsafeMutablePointer<CChar>?
        var value: UnsafeMutablePointer<CChar>?
        guard mosquitto_property_read_string_pair(property, user, &name, &value, false) != nil else { return nil }
        defer {
            free(name)
            free(value)
        }
        guard let name, let value else { return nil }
        return (name: String(cString: name), value: String(cString: value))
    }
}
