// The headers that a record gets on its way in and out (spec/connectivity-bindings.md §4.2, §4.4).

/// Headers of the binding.
enum KafkaHeaders {
    /// The record's own headers and those that tell of the record itself, which nobody may feign.
    static func inbound(_ record: KafkaHandle.Record) -> [(name: String, value: String)] {
        var headers = record.headers.filter { !isOurs($0.name) }
        if !headers.contains(where: { $0.name == correlationID }) { headers.append((correlationID, freshID())) }
        headers.append(("kafka.topic", record.partition.topic))
        if record.timestamp >= 0 { headers.append(("kafka.timestamp", String(record.timestamp))) }
        if let key = record.key { headers.append(("kafka.key", String(decoding: key, as: UTF8.self))) }
        return headers
    }

    /// Whether a record's time to live is over; one whose headers cannot be read lives for ever.
    static func isExpired(_ headers: [(name: String, value: String)], now: () -> Int64) -> Bool {
        guard let ttl = headers.first(where: { $0.name == "ttl" }).flatMap({ Int64($0.value) }),
            let creation = headers.first(where: { $0.name == "creation-time" }).flatMap({ Int64($0.value) })
        else { return false }
        let (age, overflow) = now().subtractingReportingOverflow(creation)
        return !overflow && age >= ttl
    }

    /// The mapped headers and the connection's id.
    static func outbound(
        _ headers: [(name: String, value: String)], connectionID: String
    ) -> [(name: String, value: String)] {
        headers.filter { $0.name != connectionHeader } + [(connectionHeader, connectionID)]
    }

    private static let correlationID = "correlation-id"
    private static let connectionHeader = "ditto-connection-id"

    private static func isOurs(_ name: String) -> Bool {
        name == "kafka.topic" || name == "kafka.timestamp" || name == "kafka.key"
    }

    /// A random UUID of version 4.
    private static func freshID() -> String {
        var high = UInt64.random(in: .min ... .max)
        var low = UInt64.random(in: .min ... .max)
        high = high & ~0xF000 | 0x4000
        low = low & ~(0xC000 << 48) | 0x8000 << 48
        let digits = hex(high) + hex(low)
        func part(_ range: Range<Int>) -> String { String(decoding: digits[range], as: UTF8.self) }
        return "\(part(0..<8))-\(part(8..<12))-\(part(12..<16))-\(part(16..<20))-\(part(20..<32))"
    }

    private static func hex(_ number: UInt64) -> [UInt8] {
        (0..<16).map { index in
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(60 - index * 4)) & 15
            return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }
}
