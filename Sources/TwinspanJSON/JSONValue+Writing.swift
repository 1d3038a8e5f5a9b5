// From tree to compact text.

extension JSONValue {
    /// Appends the compact text: no whitespace, members in their order, only `" \` and control characters escaped.
    public func write(into output: inout [UInt8]) {
        switch self {
        // Nearly every header is one of these; a buffer of their own would cost more than writing them.
        case .string(let text): JSONText.writeString(text, into: &output)
        case .bool(let flag): output.append(contentsOf: (flag ? "true" : "false").utf8)
        case .null: output.append(contentsOf: "null".utf8)
        case .number(let number): output.append(contentsOf: number.text.utf8)
        case .array, .object:
            var writer = JSONWriter()
            writer.value(self)
            writer.move(to: &output)
        }
    }

    /// The compact text as bytes, in an array of exactly their size.
    public var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }

    /// The compact text.
    public var text: String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension JSONObject {
    /// Appends the compact text.
    public func write(into output: inout [UInt8]) {
        var writer = JSONWriter()
        writer.object(self)
        writer.move(to: &output)
    }
}
