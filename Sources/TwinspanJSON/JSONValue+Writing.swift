// From tree to compact text.

extension JSONValue {
    /// Appends the compact text: no whitespace, members in their order, only `" \` and control characters escaped.
    public func write(into output: inout [UInt8]) {
        var writer = JSONWriter()
        writer.value(self)
        writer.move(to: &output)
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
