// From headers and payload to the bytes of a message (spec/connectivity-bindings.md §3.1). The buffer is used again for
// the next message.
import TwinspanConnections

/// Writes messages.
struct AMQP10Encoder {
    /// The message that was written last.
    private(set) var bytes: [UInt8] = []
    private var scratch: [UInt8] = []

    init() {}

    /// Replaces `bytes` by a message. Headers whose value their property cannot take are left out.
    mutating func encode(_ message: OutboundMessage) {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 20)
        // Durable: what waits at the broker shall survive its restart.
        bytes += [0x00, 0x53, 0x70, 0xC0, 0x02, 0x01, 0x41]
        var properties: [String?] = []
        var annotations: [(String, String)] = []
        var application: [(String, String)] = []
        for header in message.headers {
            if header.name.hasPrefix(AMQP10Property.annotationPrefix) {
                set(String(header.name.dropFirst(AMQP10Property.annotationPrefix.count)), header.value, &annotations)
            } else if header.name.hasPrefix(AMQP10Property.applicationPrefix) {
                set(String(header.name.dropFirst(AMQP10Property.applicationPrefix.count)), header.value, &application)
            } else if let property = AMQP10Property.byName[header.name] {
                while properties.count <= property.rawValue { properties.append(nil) }
                properties[property.rawValue] = header.value
            } else {
                set(header.name, header.value, &application)
            }
        }
        writeMap(0x72, annotations, short: 0xA3, long: 0xB3)
        writeProperties(properties)
        writeMap(0x74, application, short: 0xA1, long: 0xB1)
        writeBody(message)
    }

    /// A map has each key once; the last value counts.
    private func set(_ name: String, _ value: String, _ entries: inout [(String, String)]) {
        if let index = entries.firstIndex(where: { $0.0 == name }) {
            entries[index].1 = value
        } else {
            entries.append((name, value))
        }
    }

    private mutating func writeBody(_ message: OutboundMessage) {
        if message.payload.isEmpty {
            bytes += [0x00, 0x53, 0x77, 0x40]
        } else if message.isBinary || String(validating: message.payload, as: UTF8.self) == nil {
            bytes += [0x00, 0x53, 0x75]
            AMQP10Encoder.append(message.payload, short: 0xA0, long: 0xB0, to: &bytes)
        } else {
            bytes += [0x00, 0x53, 0x77]
            AMQP10Encoder.append(message.payload, short: 0xA1, long: 0xB1, to: &bytes)
        }
    }

    private mutating func writeMap(_ section: UInt8, _ entries: [(String, String)], short: UInt8, long: UInt8) {
        guard !entries.isEmpty else { return }
        scratch.removeAll(keepingCapacity: true)
        for (name, value) in entries {
            AMQP10Encoder.append(name.utf8, short: short, long: long, to: &scratch)
            AMQP10Encoder.append(value.utf8, short: 0xA1, long: 0xB1, to: &scratch)
        }
        bytes += [0x00, 0x53, section, 0xD1]
        appendScratch(count: entries.count * 2)
    }

    private mutating func writeProperties(_ values: [String?]) {
        guard !values.isEmpty else { return }
        scratch.removeAll(keepingCapacity: true)
        for (index, value) in values.enumerated() {
            guard let value, let property = AMQP10Property(rawValue: index) else {
                scratch.append(0x40)
                continue
            }
            AMQP10Encoder.append(value, as: property.kind, to: &scratch)
        }
        bytes += [0x00, 0x53, 0x73, 0xD0]
        appendScratch(count: values.count)
    }

    private mutating func appendScratch(count: Int) {
        AMQP10Encoder.append(UInt32(scratch.count + 4), to: &bytes)
        AMQP10Encoder.append(UInt32(count), to: &bytes)
        bytes += scratch
    }

    /// Appends a property, or null where the text is not of its kind.
    private static func append(_ value: String, as kind: AMQP10Property.Kind, to bytes: inout [UInt8]) {
        switch kind {
        case .string: append(value.utf8, short: 0xA1, long: 0xB1, to: &bytes)
        case .binary: append(value.utf8, short: 0xA0, long: 0xB0, to: &bytes)
        case .symbol:
            // Symbols are ASCII.
            guard value.utf8.allSatisfy({ $0 < 0x80 }) else { return bytes.append(0x40) }
            append(value.utf8, short: 0xA3, long: 0xB3, to: &bytes)
        case .timestamp:
            guard let time = Int64(value) else { return bytes.append(0x40) }
            bytes.append(0x83)
            append(UInt32(truncatingIfNeeded: time >> 32), to: &bytes)
            append(UInt32(truncatingIfNeeded: time), to: &bytes)
        case .uint:
            guard let number = UInt32(value) else { return bytes.append(0x40) }
            bytes.append(0x70)
            append(number, to: &bytes)
        }
    }

    private static func append(
        _ content: some Collection<UInt8>, short: UInt8, long: UInt8, to bytes: inout [UInt8]
    ) {
        let count = content.count
        if count < 256 {
            bytes += [short, UInt8(count)]
        } else {
            bytes.append(long)
            append(UInt32(clamping: count), to: &bytes)
        }
        bytes.append(contentsOf: content)
    }

    private static func append(_ number: UInt32, to bytes: inout [UInt8]) {
        for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
}
