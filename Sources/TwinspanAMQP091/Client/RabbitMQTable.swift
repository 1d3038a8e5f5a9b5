// Headers and properties of messages, between the library's tables and plain text (spec/connectivity-bindings.md §2).
import CRabbitMQ
import TwinspanConnections
import TwinspanProtocol

/// The properties of an outbound message.
struct RabbitMQProperties {
    var contentType: String?
    var correlationID: String?
    var messageID: String
    var headers: [(name: String, value: String)]

    /// The most bytes of a property.
    static let maximumLength = 255

    /// An upper limit of the bytes all of it takes in a frame, which must hold it as a whole.
    var encodedSize: Int {
        headers.reduce(1024) { $0 + $1.name.utf8.count + $1.value.utf8.count + 6 }
    }
}

/// Reads and writes the library's tables.
enum RabbitMQTable {
    // MARK: Inbound

    /// Turns the properties of a message into headers. What stands in the table first gives way to the properties of
    /// the same name.
    static func read(_ properties: amqp_basic_properties_t, into delivery: inout RabbitMQConnection.Delivery) {
        let flags = properties._flags
        func property(_ flag: Int32, _ bytes: amqp_bytes_t) -> String? {
            flags & amqp_flags_t(flag) == 0 ? nil : String(bytes)
        }
        let contentType = property(AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type)
        delivery.contentType = contentType
        var own = [(name: "message-id", value: String(delivery.tag))]
        if let replyTo = property(AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to) { own.append(("reply-to", replyTo)) }
        if let id = property(AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id) {
            own.append(("correlation-id", id))
        }
        if let contentType { own.append(("content-type", contentType)) }
        if flags & amqp_flags_t(AMQP_BASIC_HEADERS_FLAG) != 0 {
            for entry in entries(properties.headers) {
                let name = String(entry.key)
                if own.contains(where: { $0.name == name }) { continue }
                if let value = text(entry.value, isNested: false) { delivery.headers.append((name, value)) }
            }
        }
        delivery.headers += own
    }

    private static func entries(_ table: amqp_table_t) -> UnsafeBufferPointer<amqp_table_entry_t> {
        UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries))
    }

    /// A value as text: tables and arrays as JSON, a point in time in ISO 8601; nil for a value that is none.
    private static func text(_ value: amqp_field_value_t, isNested: Bool) -> String? {
        let field = value.value
        func quoted(_ text: String) -> String { isNested ? quotedJSON(text) : text }
        switch Character(UnicodeScalar(value.kind)) {
        case "t": return field.boolean == 0 ? "false" : "true"
        case "b": return String(field.i8)
        case "B": return String(field.u8)
        case "s": return String(field.i16)
        case "u": return String(field.u16)
        case "I": return String(field.i32)
        case "i": return String(field.u32)
        case "l": return String(field.i64)
        case "L": return String(field.u64)
        case "f": return isNested && !field.f32.isFinite ? "null" : String(field.f32)
        case "d": return isNested && !field.f64.isFinite ? "null" : String(field.f64)
        case "D": return decimal(field.decimal)
        case "S", "x": return quoted(String(field.bytes))
        case "T": return quoted(time(seconds: field.u64))
        case "A":
            let values = UnsafeBufferPointer(start: field.array.entries, count: Int(field.array.num_entries))
            return "[" + values.map { text($0, isNested: true) ?? "null" }.joined(separator: ",") + "]"
        case "F":
            let pairs = entries(field.table).map { entry in
                quotedJSON(String(entry.key)) + ":" + (text(entry.value, isNested: true) ?? "null")
            }
            return "{" + pairs.joined(separator: ",") + "}"
        default: return nil
        }
    }

    private static func decimal(_ decimal: amqp_decimal_t) -> String {
        let scale = Int(decimal.decimals)
        let digits = String(decimal.value)
        guard scale > 0 else { return digits }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        return padded.dropLast(scale) + "." + padded.suffix(scale)
    }

    private static func quotedJSON(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\" + String(scalar)
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func time(seconds: UInt64) -> String {
        // Far beyond any date the text can show; the product must not overflow.
        Timestamp(milliseconds: Int64(min(seconds, 1 << 50)) * 1000).iso8601
    }

    // MARK: Outbound

    /// Calls `body` with the properties as the library wants them; they live until it returns.
    static func withProperties<Result>(
        _ properties: RabbitMQProperties, _ body: (UnsafeMutablePointer<amqp_basic_properties_t>) -> Result
    ) -> Result {
        // All texts stand in one buffer, which is complete before the first pointer into it is taken.
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        func add(_ text: String) {
            let start = bytes.count
            bytes += text.utf8
            ranges.append(start..<bytes.count)
        }
        add(properties.messageID)
        add(properties.contentType ?? "")
        add(properties.correlationID ?? "")
        for header in properties.headers {
            add(header.name)
            add(header.value)
        }
        bytes.append(0)  // Never without an address.
        return bytes.withUnsafeMutableBytes { buffer in
            func text(_ index: Int) -> amqp_bytes_t {
                amqp_bytes_t(len: ranges[index].count, bytes: buffer.baseAddress.map { $0 + ranges[index].lowerBound })
            }
            var entries = properties.headers.indices.map { index in
                var value = amqp_field_value_t()
                value.kind = UInt8(ascii: "S")
                value.value.bytes = text(4 + 2 * index)
                return amqp_table_entry_t(key: text(3 + 2 * index), value: value)
            }
            return entries.withUnsafeMutableBufferPointer { entries in
                var made = amqp_basic_properties_t()
                made._flags = amqp_flags_t(
                    AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG)
                // A restart of the broker must not lose what it has confirmed.
                made.delivery_mode = 2
                made.message_id = text(0)
                if properties.contentType != nil {
                    made._flags |= amqp_flags_t(AMQP_BASIC_CONTENT_TYPE_FLAG)
                    made.content_type = text(1)
                }
                if properties.correlationID != nil {
                    made._flags |= amqp_flags_t(AMQP_BASIC_CORRELATION_ID_FLAG)
                    made.correlation_id = text(2)
                }
                made.headers = amqp_table_t(num_entries: Int32(entries.count), entries: entries.baseAddress)
                return body(&made)
            }
        }
    }

    /// What we say of ourselves at login. Without these the broker would neither tell that a queue is gone nor that it
    /// takes no messages.
    static func withClientProperties<Result>(_ body: (UnsafePointer<amqp_table_t>) -> Result) -> Result {
        let names: [StaticString] = [
            "authentication_failure_close", "basic.nack", "connection.blocked", "consumer_cancel_notify",
            "publisher_confirms",
        ]
        var capabilities = names.map { name in
            var value = amqp_field_value_t()
            value.kind = UInt8(ascii: "t")
            value.value.boolean = 1
            return amqp_table_entry_t(key: bytes(name), value: value)
        }
        return capabilities.withUnsafeMutableBufferPointer { entries in
            var value = amqp_field_value_t()
            value.kind = UInt8(ascii: "F")
            value.value.table = amqp_table_t(num_entries: Int32(entries.count), entries: entries.baseAddress)
            var product = amqp_field_value_t()
            product.kind = UInt8(ascii: "S")
            product.value.bytes = bytes("Twinspan")
            var outer = [
                amqp_table_entry_t(key: bytes("capabilities"), value: value),
                amqp_table_entry_t(key: bytes("product"), value: product),
            ]
            return outer.withUnsafeMutableBufferPointer { outer in
                var table = amqp_table_t(num_entries: Int32(outer.count), entries: outer.baseAddress)
                return body(&table)
            }
        }
    }

    private static func bytes(_ text: StaticString) -> amqp_bytes_t {
        amqp_bytes_t(len: text.utf8CodeUnitCount, bytes: UnsafeMutableRawPointer(mutating: text.utf8Start))
    }
}
