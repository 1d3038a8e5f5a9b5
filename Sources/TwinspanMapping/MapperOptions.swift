// Reads the options of a mapper strictly: an option that is there and cannot be used is an error that names it, one
// that nobody asks for is ignored (spec/mapping.md §4.4).
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// The options of one mapper. All reads throw `connectivity:message.mapper.config.invalid`.
struct MapperOptions {
    let mapper: String
    private let object: JSONObject

    init(_ definition: MapperDefinition) {
        mapper = definition.name
        object = definition.options
    }

    /// The option as it is; nil when absent or null.
    subscript(name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    /// The text form of a scalar; nil when absent.
    func text(_ name: String) throws(TwinspanError) -> String? {
        guard let value = self[name] else { return nil }
        if let string = value.string { return string }
        guard value.array == nil, value.object == nil else {
            throw invalid(name, "Use text, a number, true or false.")
        }
        return value.text
    }

    /// The text form of a scalar that has to be there and not to be empty.
    func requiredText(_ name: String) throws(TwinspanError) -> String {
        guard let text = try text(name), !text.isEmpty else { throw missing(name) }
        return text
    }

    /// `true` or `false`, also as text in any case.
    func flag(_ name: String, default standard: Bool) throws(TwinspanError) -> Bool {
        guard let text = try text(name) else { return standard }
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw invalid(name, "Use true or false.")
        }
    }

    /// An object, also as text that holds one; nil when absent.
    func object(_ name: String) throws(TwinspanError) -> JSONObject? {
        guard let value = self[name] else { return nil }
        if let object = value.object { return object }
        guard let text = value.string else { throw invalid(name, "Use a JSON object.") }
        let parsed: JSONValue
        do throws(JSONSyntaxError) {
            parsed = try JSONValue.parse(text)
        } catch {
            throw invalid(name, "It is not a JSON object: \(error).")
        }
        guard let object = parsed.object else { throw invalid(name, "Use a JSON object.") }
        return object
    }

    /// A template.
    func template(_ text: String, _ name: String, _ scope: PlaceholderScope) throws(TwinspanError)
        -> PlaceholderTemplate
    {
        do throws(PlaceholderError) {
            return try PlaceholderTemplate.parse(text, scope: scope)
        } catch {
            throw invalid(name, "\(error.message) \(error.description)")
        }
    }

    func missing(_ name: String) -> TwinspanError {
        ConnectivityErrorTable.mapperConfigInvalid.error(
            "The option '\(name)' of the mapper '\(mapper.shortened)' is missing.",
            description: "Add it to the 'options' of the mapper's definition.")
    }

    func invalid(_ name: String, _ why: String) -> TwinspanError {
        ConnectivityErrorTable.mapperConfigInvalid.error(
            "The option '\(name)' of the mapper '\(mapper.shortened)' is not valid.", description: why)
    }

    // MARK: Options of every mapper

    /// Content types that are not for the mapper: those of the option, else those of its kind (§4.3).
    func blockedContentTypes(default standard: [String]) throws(TwinspanError) -> [String] {
        guard let text = try text("content-type-blocklist") else { return standard }
        return text.split(separator: ",").map { part in
            let bytes = part.utf8.drop { $0 == 0x20 || $0 == 0x09 }
            return String(Substring(bytes.dropLast(bytes.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count)))
        }.filter { !$0.isEmpty }
    }
}
