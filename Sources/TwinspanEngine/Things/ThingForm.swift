// What a thing and its parts must look like (spec/protocol.md §1.2, §2.1–2.3), checked before anything is stored.
import TwinspanJSON
import TwinspanProtocol

enum ThingForm {
    static let policyIDPath = JSONPointer(segments: ["policyId"])

    /// Checks a value against the resource it is written to. Nulls are legal where §2.1 says so.
    static func check(_ value: JSONText, for resource: ThingResource) throws(TwinspanError) {
        switch resource.kind {
        case .attribute, .property, .desiredProperty:
            // Scalars and arrays have no keys to check; that is nearly every message.
            if value.isObject { try checkKeys(value.value) }
        case .thing: break
        case .policyID:
            guard let text = value.value.string else { throw .jsonInvalid("The policyId is not a string.") }
            _ = try PolicyID(text)
        case .definition: try checkDefinition(value.value)
        case .attributes: try checkKeyedObject(value.value, "attributes")
        case .features: try checkFeatures(value.value)
        case .feature: try checkFeature(value.value)
        case .featureDefinition: try checkFeatureDefinition(value.value)
        case .properties: try checkKeyedObject(value.value, "properties")
        case .desiredProperties: try checkKeyedObject(value.value, "desiredProperties")
        }
    }

    /// Checks the members of a whole thing.
    static func check(members object: JSONObject) throws(TwinspanError) {
        if let definition = object["definition"] { try checkDefinition(definition) }
        if let attributes = object["attributes"] { try checkKeyedObject(attributes, "attributes") }
        if let features = object["features"] { try checkFeatures(features) }
        if let metadata = object["_metadata"], metadata.object == nil {
            throw .jsonInvalid("The metadata is not a JSON object.")
        }
    }

    /// A whole thing from a client's object that has been checked: known members in canonical order, everything else
    /// and all underscore members left out (§2.1).
    static func thing(_ object: JSONObject, id: ThingID, policyID: PolicyID) -> JSONText {
        var members = JSONObject()
        members["thingId"] = .string(id.text)
        members["policyId"] = .string(policyID.text)
        for name in ["definition", "attributes", "features"] {
            if let value = object[name] { members[name] = value }
        }
        return exact(JSONText(.object(members)))
    }

    /// A patch of a whole thing without the members that a client may not write, which are ignored (§2.1).
    static func writablePatch(_ object: JSONObject) -> JSONObject {
        let members = object.members.filter { member in
            // A key in double braces removes members by a pattern (§3.2).
            writableMembers.contains(member.key) || member.key.hasPrefix("{{")
        }
        return members.count < object.count ? JSONObject(members.map { ($0.key, $0.value) }) : object
    }

    private static let writableMembers: Set<String> = ["thingId", "policyId", "definition", "attributes", "features"]

    /// The text in memory of just its size: it may stay in the cache for ever, and writing leaves room to grow.
    static func exact(_ text: JSONText) -> JSONText {
        text.bytes.capacity - text.bytes.count < 32
            ? text
            : JSONText(
                uncheckedBytes: [UInt8](unsafeUninitializedCapacity: text.bytes.count) { buffer, count in
                    count = buffer.initialize(fromContentsOf: text.bytes)
                })
    }

    private static func checkDefinition(_ value: JSONValue) throws(TwinspanError) {
        if value.isNull { return }
        guard let text = value.string else { throw .jsonInvalid("The definition is not a string.") }
        try checkIdentifier(text)
    }

    private static func checkFeatures(_ value: JSONValue) throws(TwinspanError) {
        if value.isNull { return }
        guard let features = value.object else { throw .jsonInvalid("The features are not a JSON object.") }
        for (id, feature) in features {
            guard ThingResource.isLegalKey(id) else { throw .keyInvalid(id) }
            try checkFeature(feature)
        }
    }

    private static func checkFeature(_ value: JSONValue) throws(TwinspanError) {
        if value.isNull { return }
        guard let feature = value.object else { throw .jsonInvalid("The feature is not a JSON object.") }
        if let definition = feature["definition"] { try checkFeatureDefinition(definition) }
        if let properties = feature["properties"] { try checkKeyedObject(properties, "properties") }
        if let desired = feature["desiredProperties"] { try checkKeyedObject(desired, "desiredProperties") }
    }

    private static func checkFeatureDefinition(_ value: JSONValue) throws(TwinspanError) {
        if value.isNull { return }
        guard let identifiers = value.array else { throw .jsonInvalid("The feature definition is not an array.") }
        guard !identifiers.isEmpty else { throw ThingErrorTable.featureDefinitionEmpty.error() }
        for identifier in identifiers {
            guard let text = identifier.string else {
                throw ThingErrorTable.definitionIdentifierInvalid.error()
            }
            try checkIdentifier(text)
        }
    }

    /// `namespace:name:version`, or an http or https URL (§2.3).
    private static func checkIdentifier(_ text: String) throws(TwinspanError) {
        if text.hasPrefix("http://") || text.hasPrefix("https://") {
            let rest = text.drop { $0 != "/" }.dropFirst(2)
            if !rest.isEmpty, rest.first != "/" { return }
        } else {
            let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            let isLegal =
                parts.count == 3
                && parts.allSatisfy { part in
                    !part.isEmpty && part.allSatisfy(isIdentifierByte)
                }
            if isLegal { return }
        }
        throw ThingErrorTable.definitionIdentifierInvalid.error(
            "The definition identifier '\(text.prefix(80))' is not valid.")
    }

    private static func isIdentifierByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func checkKeyedObject(_ value: JSONValue, _ name: String) throws(TwinspanError) {
        if value.isNull { return }
        guard value.object != nil else { throw .jsonInvalid("The \(name) are not a JSON object.") }
        try checkKeys(value)
    }

    /// Every key of an object and of the objects in it, not through arrays (§1.2). The depth is bounded by the parser.
    private static func checkKeys(_ value: JSONValue) throws(TwinspanError) {
        guard let object = value.object else { return }
        for (key, member) in object {
            guard ThingResource.isLegalKey(key) else { throw .keyInvalid(key) }
            try checkKeys(member)
        }
    }
}
