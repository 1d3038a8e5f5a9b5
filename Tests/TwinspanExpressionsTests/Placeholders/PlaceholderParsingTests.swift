import Testing
import TwinspanJSON

@testable import TwinspanExpressions

@Suite("Placeholder parsing")
struct PlaceholderParsingTests {
    private static let everything = PlaceholderScope(
        position: "a test", prefixes: PlaceholderPrefix.allCases)

    @Test(
        "a known placeholder is compiled",
        arguments: [
            ("header:Device_ID", .header("device_id")),
            ("header:a:b", .header("a:b")),
            ("header:mqtt.topic", .header("mqtt.topic")),
            ("entity:id", .entityID), ("entity:namespace", .entityNamespace), ("entity:name", .entityName),
            ("thing:id", .thingID), ("thing:namespace", .thingNamespace), ("thing:name", .thingName),
            ("policy:id", .policyID), ("policy:namespace", .policyNamespace), ("policy:name", .policyName),
            ("thing-json:attributes/location", .thingJSON(JSONPointer(segments: ["attributes", "location"]))),
            ("thing-json:/a/b:c", .thingJSON(JSONPointer(segments: ["a", "b:c"]))),
            ("feature:id", .featureID),
            ("topic:full", .topic(.full)), ("topic:action-subject", .topic(.actionSubject)),
            ("topic:entityName", .topic(.entityName)), ("topic:entityId", .topic(.entityId)),
            ("resource:type", .resourceType), ("resource:path", .resourcePath),
            ("request:subjectId", .requestSubjectIDs), ("connection:id", .connectionID),
            ("source:address", .sourceAddress), ("jwt:sub", .jwt(JSONPointer(segments: ["sub"]))),
            ("jwt:/realm/roles", .jwt(JSONPointer(segments: ["realm", "roles"]))),
            ("policy-entry:label", .policyEntryLabel),
        ] as [(String, Placeholder)])
    func compiles(text: String, expected: Placeholder) throws {
        #expect(try Placeholder(parsing: text, scope: Self.everything) == expected)
    }

    @Test(
        "anything else is unresolved",
        arguments: [
            "", ":", "id", "thing", "thing:", "thing:nam", "thing:ID", "Thing:id", "things:id", "entity:path",
            "policy:label", "feature:name", "feature:", "topic:", "topic:foo", "topic:actionSubject", "resource:id",
            "request:subjectid", "request:subjectIds", "request.subjectId", "connection:name", "source:topic",
            "misc:id", "header:", "thing-json:", "thing-json:id", "thing-json:name", "thing-json:namespace",
            "thing-json://a", "thing-json:/a//b", "jwt:", "policy-entry:id", "time:", "time:then", "time:now-1x",
            "fn:default('x')", "thing :id", "{{ thing:id }}",
        ])
    func refuses(text: String) {
        let error = #expect(throws: PlaceholderError.self) {
            try Placeholder(parsing: text, scope: Self.everything)
        }
        #expect(error?.code == "placeholder:unresolved")
    }

    @Test(
        "the canonical text reads back as the same placeholder",
        arguments: [
            "header:a", "thing-json:/a/b", "topic:action-subject", "time:now-1d[d]", "jwt:/sub", "policy-entry:label",
        ])
    func roundTrip(text: String) throws {
        let placeholder = try Placeholder(parsing: text, scope: Self.everything)
        #expect(placeholder.text == text)
    }
}
