// What is wrong with a template or a pipeline (spec/protocol.md §12.11). Found when a configuration is read, so an
// error carries its place and what would be allowed. The edges turn it into the wire error; all codes have status 400.

/// A template or pipeline that cannot be compiled, or (thrown by callers) a value that could not be resolved.
public struct PlaceholderError: Error, Sendable, Equatable {
    /// Code of an unknown or forbidden placeholder, and of one without a value where one is required.
    public static let unresolvedCode = "placeholder:unresolved"
    /// Code of a function name that does not exist.
    public static let functionUnknownCode = "placeholder:function.unknown"
    /// Code of a call whose arguments do not fit the function.
    public static let functionSignatureInvalidCode = "placeholder:function.signature.invalid"
    /// Code of a pipeline with more than `PipelineExpression.functionCountMax` functions.
    public static let functionTooComplexCode = "placeholder:function.too.complex"

    /// One of the codes above.
    public let code: String
    /// What happened.
    public let message: String
    /// What is allowed, and the nearest match if there is one.
    public let description: String
    /// UTF-8 byte offset in the text that was parsed.
    public let offset: Int

    public init(code: String, message: String, description: String, offset: Int) {
        self.code = code
        self.message = message
        self.description = description
        self.offset = offset
    }

    /// The error for a template that had no value at run time where one is required. The offset is 0.
    public static func noValue(for template: String) -> PlaceholderError {
        PlaceholderError(
            code: unresolvedCode,
            message: "The placeholders of '\(template)' have no value for this message.",
            description: "Check that the message carries what the template reads, or add fn:default('…').",
            offset: 0)
    }

    static func unresolved(_ message: String, _ description: String, at offset: Int) -> PlaceholderError {
        PlaceholderError(code: unresolvedCode, message: message, description: description, offset: offset)
    }

    static func unknownFunction(_ name: String, at offset: Int) -> PlaceholderError {
        let names = PipelineFunction.Name.allCases.map(\.rawValue)
        return PlaceholderError(
            code: functionUnknownCode,
            message: "The function '\(name)' is not known.",
            description: "Known functions: \(names.joined(separator: ", "))."
                + NearestName.hint(for: name, among: names),
            offset: offset)
    }

    static func signature(
        _ function: PipelineFunction.Name, _ problem: String, at offset: Int
    ) -> PlaceholderError {
        PlaceholderError(
            code: functionSignatureInvalidCode,
            message: "The call of '\(function.rawValue)' is not valid: \(problem).",
            description: "Write \(function.signatures).",
            offset: offset)
    }

    static func tooComplex(at offset: Int) -> PlaceholderError {
        PlaceholderError(
            code: functionTooComplexCode,
            message: "The expression chains more than \(PipelineExpression.functionCountMax) functions.",
            description: "Use at most \(PipelineExpression.functionCountMax) functions in one expression.",
            offset: offset)
    }
}
