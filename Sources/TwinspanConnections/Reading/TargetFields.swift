// The fields of a target (spec/connectivity.md §1.5) and of a mapping definition (§1.7).

enum TargetFields {
    static let address = Field<Located<String>?>.text("address", "Where to send, by a template.").required
    static let topics = Field<[Located<String>]>.texts(
        "topics", "What to send: topics with `?namespaces=…&filter=…&extraFields=…`, values URL-encoded.")
    static let qos = Field<Int?>.integer("qos", in: 0...2, "Quality of service; mqtt and mqtt-5 need it.")
    static let authorizationContext = Field<[Located<String>]>.texts(
        "authorizationContext", limit: "at least one; no placeholders",
        "The subjects with whose READ permission the target sees.")
    static let headerMapping = Field<Located<YAMLNode>?>.part(
        "headerMapping", .textMap, default: "{}", "Headers of what is sent, by templates.")
    static let payloadMapping = Field<[Located<String>]>.texts(
        "payloadMapping", limit: "10", "Names of mappers, each of which gets the signal; empty means Ditto.")
    static let issuedAcknowledgementLabel = Field<Located<String>?>.text(
        "issuedAcknowledgementLabel", limit: "{{ connection:id }}:name, or live-response",
        "The acknowledgement that the broker's confirmation issues.")
    static let twinspan = Field<Located<YAMLNode>?>.part(
        "twinspan", .object("target extension"), "What Twinspan adds to a target.")

    static let group = FieldGroup(
        "target",
        [
            address.declaration, topics.declaration, qos.declaration, authorizationContext.declaration,
            headerMapping.declaration, issuedAcknowledgementLabel.declaration, payloadMapping.declaration,
            twinspan.declaration,
        ])

    static let name = Field<Located<String>?>.text(
        "name", limit: "unique in the connection", "Names the target; a durable one keeps its place under it.")
    static let delivery = Field<Target.Delivery>.word(
        "delivery", default: .ordinary,
        "`ordinary` drops the newest when its queue is full; `durable` reads on from the journal.")
    static let queue = Field<Int?>.integer(
        "queue", in: 1...1_000_000, "How many messages may wait for the broker.")
    static let rate = Field<Int?>.integer(
        "rate", in: 1...1_000_000,
        "Messages a second a durable target sends at most; as fast as it goes if absent.")
    static let extensionGroup = FieldGroup(
        "target extension", [name.declaration, delivery.declaration, queue.declaration, rate.declaration])
}

enum MappingFields {
    static let mappingEngine = Field<Located<String>?>.text("mappingEngine", "The mapper, e.g. Ditto.").required
    static let options = Field<Located<YAMLNode>?>.part(
        "options", .anyMap, default: "{}",
        "Options of the mapper; `script` names a file with both functions of JavaScript.")
    static let incomingConditions = Field<Located<YAMLNode>?>.part(
        "incomingConditions", .textMap, default: "{}",
        "Named expressions; all must hold for a message from the broker to be mapped.")
    static let outgoingConditions = Field<Located<YAMLNode>?>.part(
        "outgoingConditions", .textMap, default: "{}",
        "Named expressions; all must hold for a signal to be mapped.")
    static let group = FieldGroup(
        "mappingDefinition",
        [
            mappingEngine.declaration, options.declaration, incomingConditions.declaration,
            outgoingConditions.declaration,
        ])
}
