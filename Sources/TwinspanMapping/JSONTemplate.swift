// JSON with placeholders in its strings: the thing of ImplicitThingCreation, and headers that mappers make. Compiled
// once with the configuration, filled per message.
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// A value whose strings, keys included, may hold placeholders. What holds none is kept as it is.
///
/// Compiling and filling recurse once per level of the configured JSON, which its parser has bounded.
indirect enum JSONTemplate: Sendable {
    case constant(JSONValue)
    case text(PlaceholderTemplate)
    case array([JSONTemplate])
    case object([(key: PlaceholderTemplate, value: JSONTemplate)])

    /// Compiles `value`; throws what is wrong with the first template that cannot be.
    init(_ value: JSONValue, scope: PlaceholderScope) throws(PlaceholderError) {
        switch value {
        case .string(let text):
            let template = try PlaceholderTemplate.parse(text, scope: scope)
            self = template.constant == nil ? .text(template) : .constant(value)
        case .array(let elements):
            var templates: [JSONTemplate] = []
            for element in elements { templates.append(try JSONTemplate(element, scope: scope)) }
            self = templates.allSatisfy(\.isConstant) ? .constant(value) : .array(templates)
        case .object(let object):
            var members: [(key: PlaceholderTemplate, value: JSONTemplate)] = []
            for (key, value) in object {
                let key = try PlaceholderTemplate.parse(key, scope: scope)
                members.append((key, try JSONTemplate(value, scope: scope)))
            }
            let isConstant = members.allSatisfy { $0.key.constant != nil && $0.value.isConstant }
            self = isConstant ? .constant(value) : .object(members)
        case .null, .bool, .number: self = .constant(value)
        }
    }

    private var isConstant: Bool {
        if case .constant = self { return true }
        return false
    }

    /// The value for one message. A placeholder with several values gives its first one. Throws
    /// `placeholder:unresolved`, naming the template.
    func filled(_ resolver: SignalResolver) throws(TwinspanError) -> JSONValue {
        switch self {
        case .constant(let value): return value
        case .text(let template): return .string(try Self.text(of: template, resolver))
        case .array(let elements):
            var values: [JSONValue] = []
            for element in elements { values.append(try element.filled(resolver)) }
            return .array(values)
        case .object(let members):
            var filled: [(String, JSONValue)] = []
            for (key, value) in members {
                filled.append((try Self.text(of: key, resolver), try value.filled(resolver)))
            }
            return .object(JSONObject(filled))
        }
    }

    private static func text(of template: PlaceholderTemplate, _ resolver: SignalResolver) throws(TwinspanError)
        -> String
    {
        guard let text = template.resolve(resolver).first else {
            let error = PlaceholderError.noValue(for: template.text.shortened)
            throw GeneralErrorTable.placeholderUnresolved.error(error.message, description: error.description)
        }
        return text
    }
}

/// Headers of an option, whose text values may hold placeholders.
struct HeaderTemplates: Sendable {
    private let entries: [(name: String, value: JSONTemplate)]

    /// Throws `connectivity:message.mapper.config.invalid`, naming option and header.
    init(_ object: JSONObject, option: String, scope: PlaceholderScope, _ options: MapperOptions) throws(TwinspanError)
    {
        var entries: [(name: String, value: JSONTemplate)] = []
        for (name, value) in object where !value.isNull {
            do throws(PlaceholderError) {
                entries.append((name, try JSONTemplate(value, scope: scope)))
            } catch {
                throw options.invalid(option, "Header '\(name.shortened)': \(error.message) \(error.description)")
            }
        }
        self.entries = entries
    }

    /// Sets the headers for one message. One whose placeholder has no value is left out (spec/mapping.md §1.1).
    func set(in headers: inout DittoHeaders, _ resolver: SignalResolver) {
        for (name, template) in entries {
            // Only a placeholder without value is thrown, and that leaves the header out.
            if let value = try? template.filled(resolver) { headers.set(name, value) }
        }
    }
}
