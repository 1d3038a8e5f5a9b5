// How the scalars of Protobuf are written in JSON.
import TwinspanJSON
import TwinspanProtocol

extension ProtobufReader {
    /// The value of a scalar, and whether it is what an absent one stands for; nil when the wire type does not fit,
    /// which makes the field an unknown one.
    mutating func scalar(
        _ kind: ProtobufSchema.Kind, _ content: ProtobufField.Content, _ offset: Int
    ) throws(ProtobufError) -> (value: JSONValue, isZero: Bool)? {
        try spend(8, offset)
        switch (kind, content) {
        case (.int32, .varint(let bits)): return small(Int64(Int32(truncatingIfNeeded: bits)))
        case (.uint32, .varint(let bits)): return small(Int64(UInt32(truncatingIfNeeded: bits)))
        case (.sint32, .varint(let bits)):
            let folded = UInt32(truncatingIfNeeded: bits)
            return small(Int64(Int32(bitPattern: folded >> 1) ^ -Int32(folded & 1)))
        case (.int64, .varint(let bits)): return large(Int64(bitPattern: bits))
        case (.sint64, .varint(let bits)): return large(Int64(bitPattern: bits >> 1) ^ -Int64(bits & 1))
        case (.uint64, .varint(let bits)), (.fixed64, .fixed64(let bits)):
            guard let value = Int64(exactly: bits) else { return (.string(String(bits)), false) }
            return large(value)
        case (.sfixed64, .fixed64(let bits)): return large(Int64(bitPattern: bits))
        case (.fixed32, .fixed32(let bits)): return small(Int64(bits))
        case (.sfixed32, .fixed32(let bits)): return small(Int64(Int32(bitPattern: bits)))
        case (.bool, .varint(let bits)): return (.bool(bits != 0), bits == 0)
        case (.double, .fixed64(let bits)): return (Self.number(Double(bitPattern: bits)), bits == 0)
        case (.float, .fixed32(let bits)): return (Self.number(Float(bitPattern: bits)), bits == 0)
        case (.enumeration(let index), .varint(let bits)):
            let number = Int32(truncatingIfNeeded: bits)
            return (label(number, schema.enumerations[index]), number == 0)
        case (.string, .bytes(let range)):
            try spend(range.count, offset)
            guard let text = String(validating: input[range], as: UTF8.self) else {
                throw failure("invalid UTF-8", range.lowerBound)
            }
            return (.string(text), range.isEmpty)
        case (.bytes, .bytes(let range)):
            try spend(range.count / 3 * 4, offset)
            return (.string(Base64.encode(Array(input[range]))), range.isEmpty)
        default: return nil
        }
    }

    /// What stands for a scalar that was not sent.
    func zero(of kind: ProtobufSchema.Kind) -> JSONValue {
        switch kind {
        case .int32, .uint32, .sint32, .fixed32, .sfixed32: 0
        case .double, .float: 0
        case .int64, .uint64, .sint64, .fixed64, .sfixed64: large(0).value
        case .bool: false
        case .string, .bytes: ""
        case .enumeration(let index): label(schema.enumerations[index].first, schema.enumerations[index])
        case .message, .group: nil
        }
    }

    private func label(_ number: Int32, _ enumeration: ProtobufSchema.Enumeration) -> JSONValue {
        if enumeration.isNull { return .null }
        return enumeration.names[number].map { .string($0) } ?? .number(JSONNumber(Int64(number)))
    }

    private func small(_ value: Int64) -> (value: JSONValue, isZero: Bool) {
        (.number(JSONNumber(value)), value == 0)
    }

    /// Text, because many readers of JSON know doubles only; numbers where that is wanted and doubles are exact.
    private func large(_ value: Int64) -> (value: JSONValue, isZero: Bool) {
        let isExact = value.magnitude <= 1 << 53
        let isNumber = form.writesInt64AsNumber && isExact
        return (isNumber ? .number(JSONNumber(value)) : .string(String(value)), value == 0)
    }

    /// The shortest text that reads back as the same number of its own precision.
    static func number<Number: BinaryFloatingPoint & CustomStringConvertible>(_ number: Number) -> JSONValue {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return JSONNumber(literal: number.description).map { .number($0) } ?? .number(JSONNumber(Double(number)))
    }
}
