// The functions of spec/mapping.md §3, compiled: a function holds its checked arguments.
import TwinspanProtocol

/// An argument that may be a string or a placeholder.
enum PipelineArgument: Sendable, Hashable {
    case constant(String)
    case placeholder(Placeholder)

    func values(_ resolver: any PlaceholderResolver) -> PlaceholderValues {
        switch self {
        case .constant(let text): .one(text)
        case .placeholder(let placeholder): resolver.values(of: placeholder)
        }
    }

    var placeholder: Placeholder? {
        if case .placeholder(let placeholder) = self { placeholder } else { nil }
    }
}

/// One function stage of a pipeline.
enum PipelineFunction: Sendable, Hashable {
    case fallback(PipelineArgument)
    case substringBefore(String)
    case substringAfter(String)
    case lower, upper, trim
    case urlEncode, urlDecode
    case base64Encode, base64Decode
    case delete
    case replace(PipelineArgument, PipelineArgument)
    case split(SplitPattern)
    case join(String)
    case format(FormatTemplate)
    case filter(FilterCondition)

    /// The name as written in an expression.
    enum Name: String, Sendable, CaseIterable {
        case fallback = "fn:default"
        case substringBefore = "fn:substring-before"
        case substringAfter = "fn:substring-after"
        case lower = "fn:lower"
        case upper = "fn:upper"
        case trim = "fn:trim"
        case urlEncode = "fn:url-encode"
        case urlDecode = "fn:url-decode"
        case base64Encode = "fn:base64-encode"
        case base64Decode = "fn:base64-decode"
        case delete = "fn:delete"
        case replace = "fn:replace"
        case split = "fn:split"
        case join = "fn:join"
        case format = "fn:format"
        case filter = "fn:filter"

        /// The valid forms, for messages.
        var signatures: String {
            switch self {
            case .lower, .upper, .trim, .urlEncode, .urlDecode, .base64Encode, .base64Decode, .delete:
                "\(rawValue)()"
            case .fallback: "fn:default('text') or fn:default(prefix:name)"
            case .substringBefore, .substringAfter, .join: "\(rawValue)('text')"
            case .split: "fn:split('separator'), where the separator is a regular expression"
            case .format: "fn:format('{field} … {#array}{field}{/array}')"
            case .replace: "fn:replace('from','to'), each a string or a placeholder"
            case .filter:
                "fn:filter('eq|ne|like|exists','text'), fn:filter(value,'eq|ne|like','text'), "
                    + "fn:filter(value,'exists') or fn:filter(value,'exists','true|false')"
            }
        }
    }

    var placeholders: [Placeholder] {
        switch self {
        case .fallback(let argument): [argument].compactMap(\.placeholder)
        case .replace(let from, let to): [from, to].compactMap(\.placeholder)
        case .filter(let condition): condition.placeholders
        case .substringBefore, .substringAfter, .lower, .upper, .trim, .urlEncode, .urlDecode, .base64Encode,
            .base64Decode, .delete, .split, .join, .format:
            []
        }
    }

    /// Applies the function. Unless the function says otherwise, unresolved and deleted stay what they are, and several
    /// values are treated one by one.
    func apply(to input: PlaceholderValues, resolver: any PlaceholderResolver) -> PlaceholderValues {
        switch self {
        case .fallback(let argument): input == .unresolved ? argument.values(resolver) : input
        case .substringBefore(let delimiter): input.mapEach { $0.before(delimiter) }
        case .substringAfter(let delimiter): input.mapEach { $0.after(delimiter) }
        case .lower: input.mapEach { $0.lowercased() }
        case .upper: input.mapEach { $0.uppercased() }
        case .trim: input.mapEach { $0.trimmed() }
        case .urlEncode: input.mapEach(FormEncoding.encode)
        case .urlDecode: input.mapEach(FormEncoding.decode)
        case .base64Encode: input.mapEach { Base64.encode(Array($0.utf8)) }
        case .base64Decode:
            input.mapEach { text in
                // Decoded bytes that are not UTF-8 become U+FFFD.
                Base64.decode(text).map { String(decoding: $0, as: UTF8.self) }
            }
        case .delete: .deleted
        case .replace(let from, let to): Self.replace(input, from, to, resolver)
        case .split(let pattern):
            input.isResolved ? PlaceholderValues(input.values.flatMap(pattern.split)) : input
        case .join(let delimiter): input.isResolved ? .one(input.values.joined(separator: delimiter)) : input
        case .format(let template): template.apply(to: input)
        case .filter(let condition): condition.apply(to: input, resolver: resolver)
        }
    }

    /// An argument without a value leaves nothing sensible to replace, so the result is unresolved.
    private static func replace(
        _ input: PlaceholderValues, _ from: PipelineArgument, _ to: PipelineArgument,
        _ resolver: any PlaceholderResolver
    ) -> PlaceholderValues {
        guard input.isResolved else { return input }
        guard let from = from.values(resolver).first, let to = to.values(resolver).first else { return .unresolved }
        return input.mapEach { $0.replacing(literal: from, with: to) }
    }
}
