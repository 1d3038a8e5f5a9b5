// The fields of a test case, and of what it may expect.

enum CaseFields {
    static let name = Field<Located<String>?>.text("name", "What the case shows, in a few words.").required
    static let connection = Field<Located<String>?>.text(
        "connection", "The id of the connection; needed when the file beside it holds several.")
    static let time = Field<Located<String>?>.text(
        "time", default: "2026-01-01T00:00:00Z", limit: "ISO 8601", "What the clock says.")

    static let source = Field<Int?>.integer("source", in: 1...Int.max, "Which source gets the message; counted from 1.")
    static let address = Field<Located<String>?>.text(
        "address", "Where the message was published; the address of the source unless that has wildcards.")
    static let qos = Field<Int?>.integer("qos", in: 0...2, "The quality of service the message arrives with.")
    static let headers = Field<Located<YAMLNode>?>.part(
        "headers", .textMap, default: "{}", "Headers of the message's transport.")
    static let payload = Field<Located<YAMLNode>?>.part(
        "payload", .any, "The payload: text as it is, or anything else as its JSON text.")
    static let payloadBase64 = Field<Located<String>?>.text("payloadBase64", "The payload's bytes in base64.")

    static let target = Field<Int?>.integer("target", in: 1...Int.max, "Which target gets the event; counted from 1.")
    static let event = Field<Located<YAMLNode>?>.part(
        "event", .anyMap, "A Ditto Protocol message as targets are given it; 'extra' holds what is known of the thing.")

    static let expect = Field<Located<YAMLNode>?>.part(
        "expect", .objects("expected message"), "What has to come of it: one entry per message, in order.")
    static let isDropped = Field<Bool>.flag("dropped", default: false, "Whether nothing is to come of it.")
    static let error = Field<Located<String>?>.text("error", "The code of the error that has to occur.")

    /// What only cases of a source have.
    static let inward = [
        source.declaration, address.declaration, qos.declaration, headers.declaration, payload.declaration,
        payloadBase64.declaration,
    ]
    /// What only cases of a target have.
    static let outward = [target.declaration, event.declaration]

    static let group = FieldGroup(
        "test case",
        [name.declaration, connection.declaration, time.declaration] + inward + outward + [
            expect.declaration, isDropped.declaration, error.declaration,
        ])

    static let equals = Field<Located<YAMLNode>?>.part("equals", .anyMap, "The message, as a whole.")
    static let contains = Field<Located<YAMLNode>?>.part("contains", .anyMap, "Parts that the message has to have.")
    static let expectedGroup = FieldGroup("expected message", [equals.declaration, contains.declaration])

    /// Members of a signal that a source makes.
    static let envelopeGroup = FieldGroup(
        "expected signal",
        ["topic", "headers", "path", "value", "extra", "status", "revision", "timestamp", "metadata", "fields"]
            .map { FieldDeclaration(name: $0, kind: .any, documentation: "Of the Ditto Protocol message.") })

    /// Members of a message that a target sends.
    static let publicationGroup = FieldGroup(
        "expected publication",
        ["address", "headers", "payload", "payloadBase64", "qos", "retain"]
            .map { FieldDeclaration(name: $0, kind: .any, documentation: "Of the message to the broker.") })
}
