// Message types with a JSON form of their own: instants, durations, wrapped scalars and free JSON.
import TwinspanJSON
import TwinspanProtocol

extension ProtobufReader {
    /// A message of a well-known type.
    mutating func wellKnown(
        _ type: ProtobufSchema.WellKnown, _ ranges: [Range<Int>], depth: Int
    ) throws(ProtobufError) -> JSONValue {
        let offset = ranges.first?.lowerBound ?? 0
        try spend(8, offset)
        switch type {
        case .timestamp:
            let (seconds, nanos) = try secondsAndNanos(ranges)
            guard (-62_135_596_800...253_402_300_799).contains(seconds), (0...999_999_999).contains(nanos) else {
                throw failure("an instant outside of the years 1 to 9999", offset)
            }
            let text = Timestamp(milliseconds: seconds * 1000).iso8601
            return .string(String(text.dropLast()) + Self.fraction(nanos) + "Z")
        case .duration:
            let (seconds, nanos) = try secondsAndNanos(ranges)
            let isOneSign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
            guard (-315_576_000_000...315_576_000_000).contains(seconds), nanos.magnitude <= 999_999_999, isOneSign
            else { throw failure("a duration that is not valid", offset) }
            let sign = seconds < 0 || nanos < 0 ? "-" : ""
            return .string("\(sign)\(seconds.magnitude)\(Self.fraction(Int32(nanos.magnitude)))s")
        case .wrapper(let kind):
            var value = zero(of: kind)
            try forEachField(ranges) { (reader, field) throws(ProtobufError) in
                guard field.number == 1 else { return }
                value = try reader.scalar(kind, field.content, field.offset)?.value ?? value
            }
            return value
        case .structure: return try structure(ranges, depth: depth)
        case .value: return try value(ranges, depth: depth)
        case .list: return try list(ranges, depth: depth)
        }
    }

    private mutating func structure(_ ranges: [Range<Int>], depth: Int) throws(ProtobufError) -> JSONValue {
        var members: [(String, JSONValue)] = []
        try forEachField(ranges) { (reader, field) throws(ProtobufError) in
            guard field.number == 1, case .bytes(let entry) = field.content else { return }
            var key = ""
            var parts: [Range<Int>] = []
            try reader.forEachField([entry]) { (reader, field) throws(ProtobufError) in
                switch (field.number, field.content) {
                case (1, _): key = try reader.scalar(.string, field.content, field.offset)?.value.string ?? key
                case (2, .bytes(let range)): parts.append(range)
                default: break
                }
            }
            members.append((key, try reader.value(parts, depth: depth + 1)))
        }
        return .object(JSONObject(members))
    }

    private mutating func list(_ ranges: [Range<Int>], depth: Int) throws(ProtobufError) -> JSONValue {
        var elements: [JSONValue] = []
        try forEachField(ranges) { (reader, field) throws(ProtobufError) in
            guard field.number == 1, case .bytes(let range) = field.content else { return }
            elements.append(try reader.value([range], depth: depth + 1))
        }
        return .array(elements)
    }

    private mutating func value(_ ranges: [Range<Int>], depth: Int) throws(ProtobufError) -> JSONValue {
        guard depth < Self.depthMax else {
            throw failure("more than \(Self.depthMax) nested messages", ranges.first?.lowerBound ?? 0)
        }
        var result = JSONValue.null
        try forEachField(ranges) { (reader, field) throws(ProtobufError) in
            switch (field.number, field.content) {
            case (1, .varint): result = .null
            case (2, .fixed64(let bits)):
                let number = Double(bitPattern: bits)
                guard number.isFinite else { throw reader.failure("a number that is not finite", field.offset) }
                result = Self.number(number)
            case (3, .bytes): result = try reader.scalar(.string, field.content, field.offset)?.value ?? .null
            case (4, .varint(let flag)): result = .bool(flag != 0)
            case (5, .bytes(let range)): result = try reader.structure([range], depth: depth + 1)
            case (6, .bytes(let range)): result = try reader.list([range], depth: depth + 1)
            default: break
            }
            try reader.spend(8, field.offset)
        }
        return result
    }

    private mutating func secondsAndNanos(
        _ ranges: [Range<Int>]
    ) throws(ProtobufError) -> (seconds: Int64, nanos: Int32) {
        var seconds: Int64 = 0
        var nanos: Int32 = 0
        try forEachField(ranges) { (_, field) throws(ProtobufError) in
            switch (field.number, field.content) {
            case (1, .varint(let bits)): seconds = Int64(bitPattern: bits)
            case (2, .varint(let bits)): nanos = Int32(truncatingIfNeeded: bits)
            default: break
            }
        }
        return (seconds, nanos)
    }

    /// Calls `body` for each field of a message that stands in several ranges.
    private mutating func forEachField(
        _ ranges: [Range<Int>], _ body: (inout ProtobufReader, ProtobufField) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        for range in ranges {
            var wire = ProtobufWire(input, range)
            while let field = try wire.next() { try body(&self, field) }
        }
    }

    /// Nothing, or a point with three, six or nine digits.
    private static func fraction(_ nanos: Int32) -> String {
        guard nanos != 0 else { return "" }
        let digits = String(nanos)
        var text = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while text.hasSuffix("000") { text.removeLast(3) }
        return "." + text
    }
}
