// Checks the arguments of a function call and compiles them. Everything that can be wrong with a call is found here,
// when the configuration is read.

extension PipelineFunction {
    /// - Parameter offset: where the argument list starts, for errors.
    /// - Throws: `placeholder:function.signature.invalid`.
    init(_ name: Name, _ arguments: [PipelineArgument], offset: Int) throws(PlaceholderError) {
        switch name {
        case .lower, .upper, .trim, .urlEncode, .urlDecode, .base64Encode, .base64Decode, .delete:
            guard arguments.isEmpty else { throw .signature(name, "it takes no argument", at: offset) }
            self = Self.withoutArguments(name)
        case .fallback:
            guard arguments.count == 1 else { throw .signature(name, "it takes one argument", at: offset) }
            self = .fallback(arguments[0])
        case .replace:
            guard arguments.count == 2 else { throw .signature(name, "it takes two arguments", at: offset) }
            self = .replace(arguments[0], arguments[1])
        case .substringBefore: self = .substringBefore(try Self.constant(name, arguments, offset))
        case .substringAfter: self = .substringAfter(try Self.constant(name, arguments, offset))
        case .join: self = .join(try Self.constant(name, arguments, offset))
        case .split:
            let text = try Self.constant(name, arguments, offset)
            do {
                self = .split(try SplitPattern(text))
            } catch {
                throw .signature(name, "the separator is not a regular expression, \(error.reason)", at: offset)
            }
        case .format:
            let text = try Self.constant(name, arguments, offset)
            do {
                self = .format(try FormatTemplate(text))
            } catch {
                throw .signature(name, error.reason, at: offset)
            }
        case .filter: self = .filter(try Self.filter(arguments, offset))
        }
    }

    /// The case of a function whose name is all there is to it.
    private static func withoutArguments(_ name: Name) -> PipelineFunction {
        switch name {
        case .lower: .lower
        case .upper: .upper
        case .trim: .trim
        case .urlEncode: .urlEncode
        case .urlDecode: .urlDecode
        case .base64Encode: .base64Encode
        case .base64Decode: .base64Decode
        case .delete: .delete
        case .fallback, .substringBefore, .substringAfter, .replace, .split, .join, .format, .filter:
            preconditionFailure("\(name.rawValue) takes arguments")
        }
    }

    /// The only argument, which has to be a string.
    private static func constant(
        _ name: Name, _ arguments: [PipelineArgument], _ offset: Int
    ) throws(PlaceholderError) -> String {
        guard arguments.count == 1, case .constant(let text) = arguments[0] else {
            throw .signature(name, "it takes one string", at: offset)
        }
        return text
    }

    /// `('op','cmp')`, `(value,'op','cmp')`, `(value,'exists')` or `(value,'exists','true|false')`.
    private static func filter(
        _ arguments: [PipelineArgument], _ offset: Int
    ) throws(PlaceholderError) -> FilterCondition {
        switch arguments.count {
        case 2:
            if case .constant(let name) = arguments[0], let comparison = comparison(name, arguments[1]) {
                return .values(comparison)
            }
            guard arguments[1] == .constant("exists") else {
                throw .signature(.filter, "its operator is none of 'eq', 'ne', 'like', 'exists'", at: offset)
            }
            return .input(arguments[0], .exists(true))
        case 3:
            guard case .constant(let name) = arguments[1] else {
                throw .signature(.filter, "its operator has to be a string", at: offset)
            }
            if name == "exists", arguments[2].placeholder != nil {
                throw .signature(.filter, "the flag of 'exists' has to be 'true' or 'false'", at: offset)
            }
            return .input(arguments[0], comparison(name, arguments[2]) ?? .never)
        default:
            throw .signature(.filter, "it takes two or three arguments", at: offset)
        }
    }

    private static func comparison(_ name: String, _ operand: PipelineArgument) -> FilterCondition.Comparison? {
        switch (name, operand) {
        case ("eq", _): .equal(operand)
        case ("ne", _): .notEqual(operand)
        case ("like", .constant(let text)):
            .likePattern(WildcardPattern(text, splitsAlternatives: true, isCaseSensitive: true))
        case ("like", .placeholder): .like(operand)
        case ("exists", .constant(let text)): .exists(text.lowercased() == "true")
        default: nil
        }
    }
}
