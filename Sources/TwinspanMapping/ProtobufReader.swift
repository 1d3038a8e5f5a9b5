// From a Protobuf message to JSON by the rules of the proto3 JSON mapping.
import TwinspanJSON
import TwinspanProtocol

/// Reads one message of a schema. Valid only while its bytes are.
struct ProtobufReader {
    /// How the message is written.
    struct Form: Sendable {
        /// Whether 64-bit integers are numbers as far as a double has them exactly.
        var writesInt64AsNumber = false
        /// Whether fields without presence are written when they have not been sent.
        var includesDefaults = false
    }

    /// Messages inside messages.
    static let depthMax = 100
    /// The largest JSON made of one payload, roughly.
    static let outputBytesMax = 8 << 20

    let input: UnsafeRawBufferPointer
    let schema: ProtobufSchema
    let form: Form
    /// The fields that lead to what is read, for errors.
    private(set) var path: [String] = []
    private var budget = Self.outputBytesMax

    init(_ input: UnsafeRawBufferPointer, _ schema: ProtobufSchema, _ form: Form) {
        self.input = input
        self.schema = schema
        self.form = form
    }

    /// The payload as JSON.
    mutating func json() throws(ProtobufError) -> JSONValue {
        try message(ProtobufSchema.root, [0..<input.count], depth: 0)
    }

    /// What was read of one field.
    private enum Slot {
        case scalar(JSONValue, isZero: Bool)
        case list([JSONValue])
        /// A message that may come in several parts, which are merged.
        case parts([Range<Int>])
        case entries([(String, JSONValue)])

        // Taking the list out before it grows keeps it in one place: otherwise each element would copy those before.

        mutating func append(_ value: JSONValue) {
            guard case .list(var list) = self else { return self = .list([value]) }
            self = .list([])
            list.append(value)
            self = .list(list)
        }

        mutating func append(_ part: Range<Int>) {
            guard case .parts(var parts) = self else { return self = .parts([part]) }
            self = .parts([])
            parts.append(part)
            self = .parts(parts)
        }

        mutating func append(_ entry: (String, JSONValue)) {
            guard case .entries(var entries) = self else { return self = .entries([entry]) }
            self = .entries([])
            entries.append(entry)
            self = .entries(entries)
        }
    }

    // MARK: Messages

    /// A message whose encoding stands in several ranges, as merging wants it.
    mutating func message(_ index: Int, _ ranges: [Range<Int>], depth: Int) throws(ProtobufError) -> JSONValue {
        let offset = ranges.first?.lowerBound ?? 0
        guard depth < Self.depthMax else { throw failure("more than \(Self.depthMax) nested messages", offset) }
        if let known = schema.messages[index].wellKnown { return try wellKnown(known, ranges, depth: depth) }
        var slots: [Int: Slot] = [:]
        for range in ranges {
            var wire = ProtobufWire(input, range)
            while let field = try wire.next() {
                guard let position = schema.messages[index].positions[field.number] else { continue }
                try read(field, index, position, &slots, depth: depth)
            }
        }
        return try object(index, slots, offset, depth: depth)
    }

    private mutating func read(
        _ field: ProtobufField, _ message: Int, _ position: Int, _ slots: inout [Int: Slot], depth: Int
    ) throws(ProtobufError) {
        let declared = schema.messages[message].fields[position]
        path.append(declared.name)
        if let oneof = declared.oneof { clear(oneof, but: position, message, &slots) }
        if declared.isRepeated {
            try readRepeated(field, declared, position, &slots, depth: depth)
        } else if case .message = declared.kind {
            if case .bytes(let range) = field.content { slots[position, default: .parts([])].append(range) }
        } else if let (value, isZero) = try scalar(declared.kind, field.content, field.offset) {
            slots[position] = .scalar(value, isZero: isZero)
        }
        path.removeLast()
    }

    /// The last member of a `oneof` is the one that counts.
    private func clear(_ oneof: Int, but position: Int, _ message: Int, _ slots: inout [Int: Slot]) {
        for other in slots.keys where other != position && schema.messages[message].fields[other].oneof == oneof {
            slots[other] = nil
        }
    }

    private mutating func readRepeated(
        _ field: ProtobufField, _ declared: ProtobufSchema.Field, _ position: Int, _ slots: inout [Int: Slot],
        depth: Int
    ) throws(ProtobufError) {
        if case .message(let index) = declared.kind {
            guard case .bytes(let range) = field.content else { return }
            if schema.messages[index].isMapEntry {
                let entry = try mapEntry(index, range, depth: depth)
                slots[position, default: .entries([])].append(entry)
            } else {
                try spend(4, field.offset)
                let element = try message(index, [range], depth: depth + 1)
                slots[position, default: .list([])].append(element)
            }
            return
        }
        guard case .bytes(let range) = field.content, let wireType = declared.kind.packedWireType else {
            if let (value, _) = try scalar(declared.kind, field.content, field.offset) {
                slots[position, default: .list([])].append(value)
            }
            return
        }
        var packed = ProtobufWire(input, range)
        while let element = try packed.element(wireType) {
            if let (value, _) = try scalar(declared.kind, element, packed.position) {
                slots[position, default: .list([])].append(value)
            }
        }
    }

    /// A pair of a map: key and value are the fields 1 and 2 of a message, and either may be left out.
    private mutating func mapEntry(
        _ index: Int, _ range: Range<Int>, depth: Int
    ) throws(ProtobufError) -> (String, JSONValue) {
        try spend(4, range.lowerBound)
        let fields = schema.messages[index].positions
        guard let keyPosition = fields[1], let valuePosition = fields[2] else {
            throw failure("a map whose entries have no key and value", range.lowerBound)
        }
        let keyKind = schema.messages[index].fields[keyPosition].kind
        let valueKind = schema.messages[index].fields[valuePosition].kind
        var key: JSONValue?
        var value: JSONValue?
        var parts: [Range<Int>] = []
        var wire = ProtobufWire(input, range)
        while let field = try wire.next() {
            switch (field.number, field.content) {
            case (1, _): key = try scalar(keyKind, field.content, field.offset)?.value ?? key
            case (2, .bytes(let range)) where valueKind.isMessage: parts.append(range)
            case (2, _): value = try scalar(valueKind, field.content, field.offset)?.value ?? value
            default: break
            }
        }
        let keyValue = key ?? zero(of: keyKind)
        let name = keyValue.string ?? keyValue.text
        if case .message(let message) = valueKind {
            path.append(name)
            try spend(name.utf8.count + 4, range.lowerBound)
            value = try self.message(
                message, parts.isEmpty ? [range.upperBound..<range.upperBound] : parts, depth: depth + 1)
            path.removeLast()
        }
        return (name, value ?? zero(of: valueKind))
    }

    // MARK: Objects

    private mutating func object(
        _ index: Int, _ slots: [Int: Slot], _ offset: Int, depth: Int
    ) throws(ProtobufError) -> JSONValue {
        var members: [(String, JSONValue)] = []
        members.reserveCapacity(slots.count)
        let positions = form.includesDefaults ? Array(schema.messages[index].fields.indices) : slots.keys.sorted()
        for position in positions {
            let field = schema.messages[index].fields[position]
            let value: JSONValue
            switch slots[position] {
            case .scalar(_, let isZero) where isZero && !field.hasPresence && !form.includesDefaults: continue
            case .scalar(let scalar, _): value = scalar
            case .list(let list): value = .array(list)
            case .entries(let entries): value = .object(JSONObject(entries))
            case .parts(let parts):
                guard case .message(let message) = field.kind else { continue }
                path.append(field.name)
                value = try self.message(message, parts, depth: depth + 1)
                path.removeLast()
            case nil:
                if field.isRepeated {
                    value = isMap(field) ? .object(JSONObject()) : .array([])
                } else if !field.hasPresence {
                    value = zero(of: field.kind)
                } else {
                    continue
                }
            }
            try spend(field.jsonName.utf8.count + 6, offset)
            members.append((field.jsonName, value))
        }
        return .object(JSONObject(members))
    }

    private func isMap(_ field: ProtobufSchema.Field) -> Bool {
        if case .message(let index) = field.kind { return schema.messages[index].isMapEntry }
        return false
    }

    /// Counts what a value will take in the text.
    mutating func spend(_ bytes: Int, _ offset: Int) throws(ProtobufError) {
        budget -= bytes
        if budget < 0 { throw failure("more than \(Self.outputBytesMax) bytes of JSON", offset) }
    }

    func failure(_ reason: String, _ offset: Int) -> ProtobufError {
        ProtobufError(reason: reason, offset: offset)
    }
}
