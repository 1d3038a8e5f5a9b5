// The JSON frame every Ditto Protocol message has (spec/protocol.md §4.2). Parsing validates the whole document once,
// in one pass; the value stays text, because most values are stored and sent on without ever being looked into.
public import TwinspanJSON

/// One Ditto Protocol message.
public struct Envelope: Sendable, Equatable {
    public var topic: TopicPath
    public var headers: DittoHeaders
    /// The path from the root of the entity.
    public var path: JSONPointer
    public var value: JSONText?
    /// Enrichment of events, messages and live signals.
    public var extra: JSONText?
    /// Present in responses, errors and acknowledgements only.
    public var status: Int?
    /// Revision of the entity after the event.
    public var revision: Int64?
    /// ISO-8601 instant of the event, as text.
    public var timestamp: String?
    public var metadata: JSONText?
    public var fields: JSONFieldSelector?

    public init(
        topic: TopicPath, headers: DittoHeaders = DittoHeaders(), path: JSONPointer, value: JSONText? = nil,
        extra: JSONText? = nil, status: Int? = nil, revision: Int64? = nil, timestamp: String? = nil,
        metadata: JSONText? = nil, fields: JSONFieldSelector? = nil
    ) {
        self.topic = topic
        self.headers = headers
        self.path = path
        self.value = value
        self.extra = extra
        self.status = status
        self.revision = revision
        self.timestamp = timestamp
        self.metadata = metadata
        self.fields = fields
    }

    /// The compact JSON text, members in the order topic, headers, path, value, extra, status, revision, timestamp,
    /// metadata, fields.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(headers.roughSize + 256 + (value?.bytes.count ?? 0) + (extra?.bytes.count ?? 0))
        write(into: &output)
        return output
    }

    /// Appends the compact JSON text.
    public func write(into output: inout [UInt8]) {
        write(into: &output, instant: nil)
    }

    /// The compact JSON text with an instant as its timestamp, which is written without making text of it first.
    func bytes(at instant: Timestamp) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(headers.roughSize + 256 + (value?.bytes.count ?? 0))
        write(into: &output, instant: instant)
        return output
    }

    private func write(into output: inout [UInt8], instant: Timestamp?) {
        output.append(contentsOf: #"{"topic":"#.utf8)
        topic.write(into: &output)
        if !headers.isAbsent || !headers.entries.isEmpty {
            output.append(contentsOf: #","headers":"#.utf8)
            headers.write(into: &output)
        }
        output.append(contentsOf: #","path":"#.utf8)
        path.writeString(into: &output)
        Self.write(#","value":"#, value, into: &output)
        Self.write(#","extra":"#, extra, into: &output)
        if let status { Self.write(#","status":"#, Int64(status), into: &output) }
        if let revision { Self.write(#","revision":"#, revision, into: &output) }
        if let instant {
            output.append(contentsOf: #","timestamp":""#.utf8)
            instant.write(into: &output)
            output.append(UInt8(ascii: "\""))
        } else if let timestamp {
            output.append(contentsOf: #","timestamp":"#.utf8)
            JSONText.writeString(timestamp, into: &output)
        }
        Self.write(#","metadata":"#, metadata, into: &output)
        if let fields {
            output.append(contentsOf: #","fields":"#.utf8)
            JSONText.writeString(fields.text, into: &output)
        }
        output.append(UInt8(ascii: "}"))
    }

    private static func write(_ name: StaticString, _ text: JSONText?, into output: inout [UInt8]) {
        guard let text else { return }
        name.withUTF8Buffer { output.append(contentsOf: $0) }
        output.append(contentsOf: text.bytes)
    }

    private static func write(_ name: StaticString, _ number: Int64, into output: inout [UInt8]) {
        name.withUTF8Buffer { output.append(contentsOf: $0) }
        output.appendDecimal(number)
    }
}

extension [UInt8] {
    /// Appends a number in decimal digits, without the allocation of a String.
    package mutating func appendDecimal(_ number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var position = 20
            repeat {
                position -= 1
                digits[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            append(contentsOf: UnsafeBufferPointer(rebasing: digits[position...]))
        }
    }
}
