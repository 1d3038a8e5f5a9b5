// From the bytes of a message to headers and payload (spec/connectivity-bindings.md §3.1). Walks the sections itself,
// so that cut-off messages are recognised and several data sections make one payload.

/// A message as the pipeline wants it.
struct AMQP10Decoder {
    /// The payload, unless it is one part of the message's own bytes.
    private(set) var joined: [UInt8] = []
    /// Where the payload stands in the message, if it is one part.
    private(set) var payload: Range<Int>?
    /// Whether the sender says that the payload is bytes and no text.
    private(set) var isBinary = false
    private(set) var headers: [(name: String, value: String)] = []
    /// Properties that no header can be: nested, or no text.
    private(set) var skippedCount = 0
    private var dataSections = 0

    private enum Section: UInt64 {
        case header = 0x70
        case deliveryAnnotations, messageAnnotations, properties, applicationProperties, data, sequence, value, footer
    }

    /// Reads a message. No bytes at all are an empty message.
    init(_ bytes: UnsafeRawBufferPointer) throws(AMQPReadError) {
        var reader = AMQPReader(bytes)
        while !reader.isAtEnd {
            guard let section = Section(rawValue: try reader.descriptor()) else { throw .malformed }
            let start = reader.offset
            let value = try reader.value()
            switch section {
            case .header, .deliveryAnnotations, .footer: continue
            case .messageAnnotations: try readMap(value, bytes, AMQP10Property.annotationPrefix)
            case .properties: try readProperties(value, bytes)
            case .applicationProperties: try readMap(value, bytes, nil)
            case .data:
                guard case .binary(let range) = value else { throw .malformed }
                readData(range, bytes)
            case .value: readValue(value, start..<reader.offset, reader)
            case .sequence:
                // Nothing a mapper could read; kept as it is, so that it is not lost when mapping fails.
                isBinary = true
                payload = start..<reader.offset
            }
        }
    }

    private mutating func readData(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        isBinary = true
        dataSections += 1
        if dataSections == 1 {
            payload = range
        } else {
            if let first = payload.take() { joined.append(contentsOf: bytes[first]) }
            joined.append(contentsOf: bytes[range])
        }
    }

    private mutating func readValue(_ value: AMQPValue, _ whole: Range<Int>, _ reader: AMQPReader) {
        switch value {
        case .null: break
        case .string(let range):
            payload = range
            isBinary = reader.text(range) == nil
        case .binary(let range):
            payload = range
            isBinary = true
        default:
            if let text = text(value, reader) {
                joined = Array(text.utf8)
            } else {
                payload = whole
                isBinary = true
            }
        }
    }

    private mutating func readProperties(_ value: AMQPValue, _ bytes: UnsafeRawBufferPointer) throws(AMQPReadError) {
        guard case .compound(let count, let range) = value else { throw .malformed }
        var reader = AMQPReader(bytes, in: range)
        for index in 0..<count {
            let value = try reader.value()
            guard let property = AMQP10Property(rawValue: index), property != .contentEncoding else { continue }
            switch value {
            case .null: continue
            // Numbers that are not set read as 0.
            case .unsigned(0) where property.kind == .uint, .timestamp(0): continue
            default: add(property.name, value, reader)
            }
        }
    }

    /// The entries of a map whose keys are texts.
    private mutating func readMap(
        _ value: AMQPValue, _ bytes: UnsafeRawBufferPointer, _ prefix: String?
    ) throws(AMQPReadError) {
        if value == .null { return }
        guard case .compound(let count, let range) = value else { throw .malformed }
        var reader = AMQPReader(bytes, in: range)
        for _ in 0..<(count / 2) {
            let key = try reader.value()
            let value = try reader.value()
            switch key {
            case .string(let range), .symbol(let range):
                guard let name = reader.text(range) else {
                    skippedCount += 1
                    continue
                }
                if let prefix {
                    add(prefix + name, value, reader)
                } else {
                    let collides = AMQP10Property.byName[name] != nil
                    add(collides ? AMQP10Property.applicationPrefix + name : name, value, reader)
                }
            default: skippedCount += 1
            }
        }
    }

    private mutating func add(_ name: String, _ value: AMQPValue, _ reader: AMQPReader) {
        if value == .null { return }
        if let text = text(value, reader) {
            headers.append((name, text))
        } else {
            skippedCount += 1
        }
    }

    /// A scalar as text; nil for what has none.
    private func text(_ value: AMQPValue, _ reader: AMQPReader) -> String? {
        switch value {
        case .null, .compound, .other: nil
        case .boolean(let flag): flag ? "true" : "false"
        case .unsigned(let number): String(number)
        case .signed(let number), .timestamp(let number): String(number)
        case .float(let number): String(number)
        case .double(let number): String(number)
        case .character(let code): Unicode.Scalar(code).map { String(Character($0)) }
        case .uuid(let range): AMQP10Decoder.uuid(reader.bytes[range])
        case .binary(let range), .string(let range), .symbol(let range): reader.text(range)
        }
    }

    private static func uuid(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
        }
        return text
    }
}
