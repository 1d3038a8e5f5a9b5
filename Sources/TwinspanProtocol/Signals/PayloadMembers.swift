// Reads the members of a payload object, with the errors of JSON that is missing or of the wrong type.
public import TwinspanJSON

/// The members of the object a signal has as its value.
struct PayloadMembers {
    let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    /// The members of an envelope's value. Throws `json.invalid` when it is missing or not an object.
    init(of envelope: Envelope) throws(TwinspanError) {
        guard let value = envelope.value else { throw .jsonInvalid("The value is missing.") }
        object = try Self.object(value.value, "The value")
    }

    static func object(_ value: JSONValue, _ what: String) throws(TwinspanError) -> JSONObject {
        guard let object = value.object else { throw .jsonInvalid("\(what) is not a JSON object.") }
        return object
    }

    /// A member; null counts as absent.
    subscript(name: String) -> JSONValue? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    /// A member as it is, also null.
    func text(_ name: String) -> JSONText? { object[name].map { JSONText($0) } }

    func requiredText(_ name: String) throws(TwinspanError) -> JSONText {
        guard let value = text(name) else { throw Self.missing(name) }
        return value
    }

    func string(_ name: String) throws(TwinspanError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw .jsonInvalid("'\(name)' is not a string.") }
        return text
    }

    func requiredString(_ name: String) throws(TwinspanError) -> String {
        guard let text = try string(name) else { throw Self.missing(name) }
        return text
    }

    func integer(_ name: String) throws(TwinspanError) -> Int64? {
        guard let value = self[name] else { return nil }
        guard let number = value.int64 else { throw .jsonInvalid("'\(name)' is not a whole number.") }
        return number
    }

    func requiredInteger(
        _ name: String, in range: ClosedRange<Int64> = .min ... .max
    ) throws(TwinspanError) -> Int64 {
        guard let number = try integer(name) else { throw Self.missing(name) }
        guard range.contains(number) else {
            throw .jsonInvalid("'\(name)' is not between \(range.lowerBound) and \(range.upperBound).")
        }
        return number
    }

    func bool(_ name: String) throws(TwinspanError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.bool else { throw .jsonInvalid("'\(name)' is not a boolean.") }
        return flag
    }

    func instant(_ name: String) throws(TwinspanError) -> Timestamp? {
        guard let text = try string(name) else { return nil }
        guard let instant = Timestamp(parsing: text) else {
            throw .jsonInvalid(
                "'\(name)' is not an instant.", hint: "Use an ISO-8601 instant, e.g. '2030-01-01T12:00:00Z'.")
        }
        return instant
    }

    func requiredInstant(_ name: String) throws(TwinspanError) -> Timestamp {
        guard let instant = try instant(name) else { throw Self.missing(name) }
        return instant
    }

    func object(_ name: String) throws(TwinspanError) -> JSONObject? {
        guard let value = self[name] else { return nil }
        return try Self.object(value, "'\(name)'")
    }

    func strings(_ name: String) throws(TwinspanError) -> [String]? {
        guard let value = self[name] else { return nil }
        guard let elements = value.array else { throw .jsonInvalid("'\(name)' is not an array.") }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else {
                throw .jsonInvalid("'\(name)' has an element that is not a string.")
            }
            texts.append(text)
        }
        return texts
    }

    func requiredStrings(_ name: String) throws(TwinspanError) -> [String] {
        guard let texts = try strings(name) else { throw Self.missing(name) }
        return texts
    }

    static func missing(_ name: String) -> TwinspanError {
        GeneralErrorTable.jsonFieldMissing.error(
            "The field '\(name)' is missing.", description: "Add '\(name)' to the value.")
    }
}

extension Envelope {
    /// Throws `protocoladapter:unknown.path` unless the path is the root.
    func checkRootPath() throws(TwinspanError) {
        guard path.isRoot else {
            throw GeneralErrorTable.unknownPath.error(
                "The path '\(path.description.shortened)' does not address a known resource.",
                description: "This signal is addressed by its topic alone; its path is '/'.")
        }
    }

    /// Throws `json.field.missing` without a status.
    var requiredStatus: Int {
        get throws(TwinspanError) {
            guard let status else {
                throw GeneralErrorTable.jsonFieldMissing.error(
                    "The field 'status' is missing.", description: "Add a status between 100 and 599.")
            }
            return status
        }
    }
}

extension DittoHeaders {
    /// The headers as a JSON object.
    public var json: JSONValue { .object(JSONObject(entries.map { ($0.name, $0.value) })) }
}

extension TwinspanError {
    /// `protocoladapter:unknown.topicpath`, saying why.
    static func unknownTopicPath(_ topic: TopicPath, _ why: String) -> TwinspanError {
        GeneralErrorTable.unknownTopicPath.error(
            "The topic '\(topic.text.shortened)' is not known here.", description: why)
    }
}
