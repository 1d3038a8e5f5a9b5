// The fields of a source (spec/connectivity.md §1.4).

enum SourceFields {
    static let addresses = Field<[Located<String>]>.texts(
        "addresses", limit: "at least one", "What to read, in the broker's own syntax; topic filters for MQTT."
    ).required
    static let consumerCount = Field<Int>.integer(
        "consumerCount", default: 1, in: 1...Int.max, "Consumers per address.")
    static let qos = Field<Int?>.integer("qos", in: 0...2, "Quality of service; mqtt and mqtt-5 need it.")
    static let authorizationContext = Field<[Located<String>]>.texts(
        "authorizationContext", limit: "at least one; may hold {{ header:… }}",
        "The subjects under which messages of this source act.")
    static let enforcement = Field<Located<YAMLNode>?>.part(
        "enforcement", .object("enforcement"), "Binds the id of a thing to the address or a header.")
    static let headerMapping = Field<Located<YAMLNode>?>.part(
        "headerMapping", .textMap, default: "{}", "Headers for the mapped messages, by templates.")
    static let payloadMapping = Field<[Located<String>]>.texts(
        "payloadMapping", limit: "10", "Names of mappers, each of which gets the message; empty means Ditto.")
    static let replyTarget = Field<Located<YAMLNode>?>.part(
        "replyTarget", .object("replyTarget"), "Where answers go.")
    static let declaredAcks = Field<[Located<String>]>.texts(
        "declaredAcks", limit: "{{ connection:id }}:name",
        "Acknowledgement labels that this source may answer with.")
    static let acknowledgementRequests = Field<Located<YAMLNode>?>.part(
        "acknowledgementRequests", .object("acknowledgementRequests"), "Acknowledgements that each message asks for.")
    static let twinspan = Field<Located<YAMLNode>?>.part(
        "twinspan", .object("source extension"), "What Twinspan adds to a source; nothing yet.")

    static let group = FieldGroup(
        "source",
        [
            addresses.declaration, consumerCount.declaration, qos.declaration, authorizationContext.declaration,
            enforcement.declaration, acknowledgementRequests.declaration, declaredAcks.declaration,
            headerMapping.declaration, payloadMapping.declaration, replyTarget.declaration, twinspan.declaration,
        ])
    static let extensionGroup = FieldGroup("source extension", [])

    static let input = Field<Located<String>?>.text(
        "input", "What is compared: {{ source:address }} for MQTT, {{ header:… }} elsewhere."
    ).required
    static let filters = Field<[Located<String>]>.texts(
        "filters", "Templates of the entity id; one of them must equal the input.")
    static let enforcementGroup = FieldGroup("enforcement", [input.declaration, filters.declaration])

    static let includes = Field<[Located<String>]>.texts("includes", "Labels that are asked for.").required
    static let filter = Field<Located<String>?>.text(
        "filter", "Expression without braces; when it resolves to nothing, no acknowledgement is asked for.")
    static let requestsGroup = FieldGroup(
        "acknowledgementRequests", [includes.declaration, filter.declaration])

    static let isEnabled = Field<Bool>.flag("enabled", default: true, "Whether answers are sent.")
    static let address = Field<Located<String>?>.text("address", "Where answers are sent, by a template.")
    static let expectedResponseTypes = Field<[Located<String>]>.texts(
        "expectedResponseTypes", default: "[response, error]", "Which answers are sent: response, error, nack.")
    static let replyTargetGroup = FieldGroup(
        "replyTarget",
        [isEnabled.declaration, address.declaration, headerMapping.declaration, expectedResponseTypes.declaration])
}
