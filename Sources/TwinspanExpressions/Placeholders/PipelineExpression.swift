// An expression without braces: mapper conditions and the filter of acknowledgement requests.

/// A compiled pipeline that stands alone, e.g. `fn:filter(header:qos,'ne','0')`.
public struct PipelineExpression: Sendable, Hashable {
    /// The most functions one pipeline may chain; a leading placeholder does not count.
    public static let functionCountMax = 10

    /// The expression as written.
    public let text: String
    let pipeline: Pipeline

    /// Compiles `text`, in which white space around stages is ignored.
    ///
    /// - Throws: any `placeholder:` code of spec/protocol.md §12.11.
    public static func parse(
        _ text: String, scope: PlaceholderScope
    ) throws(PlaceholderError) -> PipelineExpression {
        let bytes = Array(text.utf8)
        var parser = PipelineParser(bytes: bytes, range: 0..<bytes.count, scope: scope)
        return PipelineExpression(text: text, pipeline: try parser.parse())
    }

    /// The placeholders, arguments of functions included, in reading order.
    public var placeholders: [Placeholder] { pipeline.placeholders }

    /// The values for one message.
    ///
    /// - Parameter input: what the first function receives. Ignored when the expression starts with a placeholder.
    ///   Conditions pass `.one("true")`, see spec/mapping.md §4.2.
    public func resolve(
        _ resolver: any PlaceholderResolver, input: PlaceholderValues = .unresolved
    ) -> PlaceholderValues {
        pipeline.resolve(resolver, input: input)
    }
}
