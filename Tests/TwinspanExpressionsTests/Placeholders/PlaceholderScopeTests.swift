import Testing

@testable import TwinspanExpressions

@Suite("PlaceholderScope")
struct PlaceholderScopeTests {
    private static let samples = [
        "header:a", "entity:id", "thing:id", "thing-json:/a", "feature:id", "topic:full", "resource:path", "time:now",
        "request:subjectId", "connection:id", "policy:id", "source:address", "jwt:sub", "policy-entry:label",
    ]

    private static let full: Set = [
        "header:a", "entity:id", "thing:id", "thing-json:/a", "feature:id", "topic:full", "resource:path", "time:now",
        "request:subjectId", "connection:id",
    ]

    @Test(
        "a position allows exactly the prefixes of the specification",
        arguments: [
            (.sourceAuthorization, ["header:a"]),
            (.targetAuthorization, []),
            (.headerMapping, full),
            (.mqttSourceHeaderMapping, []),
            (.address, full),
            (.sourceAddress, []),
            (.enforcementInput, ["header:a"]),
            (.mqttEnforcementInput, ["source:address"]),
            (.mqtt5EnforcementInput, ["header:a", "source:address"]),
            (.enforcementFilter, ["entity:id", "thing:id", "policy:id", "feature:id"]),
            (
                .topicFilter,
                ["topic:full", "resource:path", "time:now", "entity:id", "thing:id", "feature:id", "header:a"]
            ),
            (.extraFields, full.union(["policy:id"])),
            (.acknowledgementLabel, ["connection:id"]),
            (.acknowledgementFilter, full),
            (.kafkaGroupID, ["connection:id"]),
            (.mapperCondition, full),
            (.implicitThing, ["header:a", "request:subjectId", "time:now"]),
            (.liveResponseHeaders, ["header:a", "request:subjectId", "time:now"]),
            (.connectionStatus, ["header:a"]),
            (.rawMessageHeaders, ["header:a"]),
            (.policySubject, ["request:subjectId"]),
            (.tokenSubject, ["jwt:sub"]),
            (.tokenIntegrationSubject, ["jwt:sub", "policy-entry:label", "header:a"]),
            (.tokenCondition, ["jwt:sub", "header:a"]),
            (.migrationPayload, ["thing-json:/a"]),
        ] as [(PlaceholderScope, Set<String>)])
    func allows(scope: PlaceholderScope, expected: Set<String>) {
        let allowed = Self.samples.filter { (try? Placeholder(parsing: $0, scope: scope)) != nil }
        #expect(Set(allowed) == expected)
    }

    @Test("MQTT 3.1.1 sources have three headers", arguments: ["mqtt.topic", "mqtt.qos", "mqtt.retain"])
    func mqttHeaders(name: String) throws {
        let template = try PlaceholderTemplate.parse("{{ header:\(name) }}", scope: .mqttSourceHeaderMapping)
        #expect(template.placeholders == [.header(name)])
    }

    @Test(
        "an error names the nearest allowed placeholder",
        arguments: [
            ("thing:nam", "thing:name"), ("thing:ID", "thing:id"), ("headr:device", "header:device"),
            ("topic:actoin", "topic:action"), ("resource:pth", "resource:path"), ("tiem:now", "time:now"),
            ("conection:id", "connection:id"), ("thingjson:/a", "thing-json:/a"),
        ])
    func suggests(text: String, expected: String) {
        let error = #expect(throws: PlaceholderError.self) {
            try PlaceholderTemplate.parse("x/{{ \(text) }}", scope: .address)
        }
        #expect(error?.description.hasSuffix(" Did you mean '\(expected)'?") == true, "\(error?.description ?? "")")
        #expect(error?.offset == 5)
    }

    @Test("an error lists what is allowed")
    func lists() {
        let error = #expect(throws: PlaceholderError.self) {
            try PlaceholderTemplate.parse("{{ time:now }}", scope: .acknowledgementLabel)
        }
        #expect(error?.message == "The placeholder 'time:now' cannot be used in an acknowledgement label.")
        #expect(error?.description == "Allowed in an acknowledgement label: connection:id.")
        #expect(
            PlaceholderScope.address.allowedDescription
                == "Allowed in a target address: thing:id, thing:namespace, thing:name, entity:id, entity:namespace, "
                + "entity:name, feature:id, topic:*, header:*, resource:type, resource:path, thing-json:*, "
                + "request:subjectId, time:now, time:now_epoch_millis, connection:id.")
    }
}
