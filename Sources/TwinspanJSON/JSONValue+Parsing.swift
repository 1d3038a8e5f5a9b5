// From text to tree. The compactor is the only judge of what is a document; the tree is then built from its output,
// which needs no checks, knows only canonical escapes and is still in the cache.

extension JSONValue {
    /// Reads one document.
    /// - Throws: `JSONSyntaxError` with the byte offset of the first mistake.
    public static func parse(
        _ buffer: UnsafeRawBufferPointer, limits: JSONLimits = .standard
    ) throws(JSONSyntaxError) -> JSONValue {
        try JSONCompactor.withCompactText(of: buffer, limits: limits) { JSONTreeBuilder.build($0) }
    }

    /// Reads one document.
    /// - Throws: `JSONSyntaxError` with the byte offset of the first mistake.
    public static func parse(
        _ bytes: [UInt8], limits: JSONLimits = .standard
    ) throws(JSONSyntaxError) -> JSONValue {
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONSyntaxError) in
            try parse(UnsafeRawBufferPointer(buffer), limits: limits)
        }
    }

    /// Reads one document.
    /// - Throws: `JSONSyntaxError`; its offset counts UTF-8 bytes, not characters.
    public static func parse(
        _ text: String, limits: JSONLimits = .standard
    ) throws(JSONSyntaxError) -> JSONValue {
        try text.utf8Span.span.withUnsafeBufferPointer { (buffer) throws(JSONSyntaxError) in
            try parse(UnsafeRawBufferPointer(buffer), limits: limits)
        }
    }
}
