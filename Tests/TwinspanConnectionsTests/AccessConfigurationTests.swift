import Testing
import TwinspanProtocol

@testable import TwinspanConnections

/// `access` of `twinspan.yaml` (spec/policies-search.md A.4, A.7–A.10).
@Suite("access in twinspan.yaml")
struct AccessConfigurationTests {
    private func load(_ text: String, overrides: [String] = []) -> LoadedConfiguration {
        Configuration.load(
            file: "twinspan.yaml", overrides: overrides, environment: .memory(["twinspan.yaml": text], variables: [:]))
    }

    @Test("everything has the default of Ditto")
    func defaults() {
        for text in ["", "access: {}", "access: {entityCreation: {}, announcements: {}}"] {
            let loaded = load(text)
            #expect(loaded.diagnostics == [])
            let access = loaded.configuration.access
            #expect(access == AccessConfiguration())
            #expect(access.namespacePolicies == [] && access.lockoutPrevention && access.partialAccessEvents)
            #expect(access.creation.grant == [AccessConfiguration.CreationRule()] && access.creation.revoke == [])
            #expect(access.subjectExpiryGranularity == .seconds(3600))
            #expect(access.tokenIntegrationSubject == "integration:{{policy-entry:label}}:{{jwt:aud}}")
            #expect(access.announcements.granularity == .seconds(60) && access.announcements.whenDeleted)
            #expect(access.announcements.randomizationInterval == .seconds(300))
            #expect(access.announcements.gracePeriod == .seconds(14_400))
            #expect(access.announcements.timeoutMax == .seconds(60))
        }
    }

    @Test("every key is read")
    func all() throws {
        let loaded = load(
            """
            access:
              namespacePolicies: {"acme.*": ["acme:root", "acme:audit"], "*": ["ops:all"], org.x: ["x:r"]}
              entityCreation:
                grant:
                  - {resourceTypes: [thing], namespaces: ["acme.*"], authSubjects: ["nginx:*"]}
                  - {resourceTypes: [policy]}
                revoke:
                  - {thingDefinitions: [null, "acme:old:*"]}
              lockoutPrevention: false
              partialAccessEvents: false
              subjectExpiryGranularity: 12h
              tokenIntegrationSubject: "t:{{ jwt:sub }}-{{ header:x }}"
              announcements:
                {granularity: 2m, randomizationInterval: 1s, gracePeriod: 1d, timeoutMax: 30s, whenDeleted: false}
            """)
        #expect(loaded.diagnostics == [])
        let access = loaded.configuration.access
        #expect(
            access.namespacePolicies == [
                .init(pattern: "acme.*", policies: [try PolicyID("acme:root"), try PolicyID("acme:audit")]),
                .init(pattern: "*", policies: [try PolicyID("ops:all")]),
                .init(pattern: "org.x", policies: [try PolicyID("x:r")]),
            ])
        var things = AccessConfiguration.CreationRule()
        things.resourceTypes = [.thing]
        things.namespaces = ["acme.*"]
        things.authSubjects = ["nginx:*"]
        var policies = AccessConfiguration.CreationRule()
        policies.resourceTypes = [.policy]
        #expect(access.creation.grant == [things, policies])
        var old = AccessConfiguration.CreationRule()
        old.thingDefinitions = [nil, "acme:old:*"]
        #expect(access.creation.revoke == [old])
        #expect(!access.lockoutPrevention && !access.partialAccessEvents)
        #expect(access.subjectExpiryGranularity == .seconds(12 * 3600))
        #expect(access.tokenIntegrationSubject == "t:{{ jwt:sub }}-{{ header:x }}")
        #expect(access.announcements.granularity == .seconds(120))
        #expect(access.announcements.randomizationInterval == .seconds(1))
        #expect(access.announcements.gracePeriod == .seconds(86_400))
        #expect(access.announcements.timeoutMax == .seconds(30) && !access.announcements.whenDeleted)
    }

    @Test("options set single keys")
    func overrides() throws {
        let loaded = load(
            "access: {lockoutPrevention: true}",
            overrides: [
                "access.lockoutPrevention=false", "access.announcements.gracePeriod=5m",
                #"access.namespacePolicies={"acme.*": [acme:root]}"#,
            ])
        #expect(loaded.diagnostics == [])
        #expect(!loaded.configuration.access.lockoutPrevention)
        #expect(loaded.configuration.access.announcements.gracePeriod == .seconds(300))
        #expect(loaded.configuration.access.namespacePolicies.map(\.pattern) == ["acme.*"])
    }

    struct Row: CustomTestStringConvertible {
        let yaml: String
        let at: String
        let says: String
        /// A part of the hint or of the suggestion.
        let hint: String?
        var severity = Diagnostic.Severity.error
        init(
            _ yaml: String, _ at: String, _ says: String, _ hint: String? = nil,
            _ severity: Diagnostic.Severity = .error
        ) {
            (self.yaml, self.at, self.says, self.hint, self.severity) = (yaml, at, says, hint, severity)
        }
        var testDescription: String { yaml }
    }

    @Test(
        "what is wrong is said where it is, with what to do",
        arguments: [
            Row("acces: {}", "1:1", "unknown key 'acces'", "access"),
            Row("access: []", "1:9", "expected an object for 'access', found a list"),
            Row("access: {lockoutPrevntion: true}", "1:10", "unknown key 'lockoutPrevntion'", "lockoutPrevention"),
            Row("access: {lockoutPrevention: 'no'}", "1:29", "expected true or false", "write false, without quotes"),
            // A.7
            Row("access: {namespacePolicies: [a]}", "1:29", "expected an object for 'namespacePolicies'"),
            Row(
                "access: {namespacePolicies: {'acme*': [a:b]}}", "1:30", "'acme*' is not a namespace",
                "acme.*"),
            Row("access: {namespacePolicies: {'*.acme': [a:b]}}", "1:30", "is not a namespace pattern", "or '*'"),
            Row("access: {namespacePolicies: {'1a': [a:b]}}", "1:30", "is not a namespace pattern"),
            Row("access: {namespacePolicies: {'a:b': [a:b]}}", "1:30", "is not a namespace pattern"),
            Row("access: {namespacePolicies: {'': [a:b]}}", "1:30", "is not a namespace pattern"),
            Row("access: {namespacePolicies: {a: a:b}}", "1:33", "expected a list for 'a'", "write [a:b]"),
            Row(
                "access: {namespacePolicies: {a: [root]}}", "1:34", "'root' is not the id of a policy", "namespace:name"
            ),
            Row("access: {namespacePolicies: {a: [5]}}", "1:34", "expected text for 'a'"),
            Row("access: {namespacePolicies: {a: []}}", "1:33", "'a' has no policies", nil, .warning),
            Row("access: {namespacePolicies: {a: [a:b, a:b]}}", "1:39", "'a:b' is there twice", nil, .warning),
            // A.10
            Row("access: {entityCreation: {grants: []}}", "1:27", "unknown key 'grants'", "grant"),
            Row("access: {entityCreation: {grant: {}}}", "1:34", "expected a list for 'grant'"),
            Row("access: {entityCreation: {grant: [5]}}", "1:35", "expected an object for rule 1"),
            Row("access: {entityCreation: {grant: []}}", "1:34", "nobody may create anything", nil, .warning),
            Row("access: {entityCreation: {revoke: [{}]}}", "1:36", "matches everything", nil, .warning),
            Row(
                "access: {entityCreation: {grant: [{resourceTypes: [things]}]}}", "1:52",
                "unknown resource type 'things'", "thing"),
            Row(
                "access: {entityCreation: {grant: [{namespaces: ['a:b']}]}}", "1:49", "'a:b' matches no namespace",
                "'*'"),
            Row("access: {entityCreation: {grant: [{authSubjects: ['']}]}}", "1:51", "matches no subject", "'*'"),
            Row(
                "access: {entityCreation: {grant: [{thingDefinitions: ['']}]}}", "1:55", "matches no definition", "null"
            ),
            Row("access: {entityCreation: {grant: [{thingDefinitions: 'a'}]}}", "1:54", "expected a list"),
            Row(
                "access: {entityCreation: {grant: [{resourceTypes: [policy], thingDefinitions: ['a']}]}}", "1:61",
                "policies have no definition", nil, .warning),
            Row(
                "access: {entityCreation: {grant: [{thingDefinition: []}]}}", "1:36", "unknown key 'thingDefinition'",
                "thingDefinitions"),
            // A.8
            Row(
                #"access: {tokenIntegrationSubject: "i:{{jwt:aud}"}"#, "1:38", "not closed"),
            Row(
                #"access: {tokenIntegrationSubject: "i:{{thing:id}}"}"#, "1:40", "cannot be used",
                "policy-entry:label"),
            Row(#"access: {tokenIntegrationSubject: "i:{{jwt:a|fn:uper()}}"}"#, "1:46", "fn:uper", "fn:upper"),
            Row("access: {tokenIntegrationSubject: abc}", "1:35", "'abc' is not a subject id", "issuer:subject"),
            Row("access: {tokenIntegrationSubject: 'i:'}", "1:35", "is not a subject id"),
            Row("access: {tokenIntegrationSubject: ''}", "1:35", "is not a subject id"),
            Row("access: {tokenIntegrationSubject: 'a:b'}", "1:35", "the same subject", "jwt:aud", .warning),
            // A.9
            Row("access: {subjectExpiryGranularity: 0}", "1:36", "must be longer than nothing", "above zero"),
            Row("access: {subjectExpiryGranularity: -1h}", "1:36", "'-1h' is not a duration", "7d"),
            Row("access: {subjectExpiryGranularity: soon}", "1:36", "'soon' is not a duration"),
            Row("access: {announcements: {granularity: 0s}}", "1:39", "'granularity' must be longer"),
            Row("access: {announcements: {randomizationInterval: 0}}", "1:49", "must be longer"),
            Row("access: {announcements: {gracePeriod: 0h}}", "1:39", "must be longer"),
            Row("access: {announcements: {timeoutMax: 0}}", "1:38", "must be longer"),
            Row("access: {announcements: {timeout: 1s}}", "1:26", "unknown key 'timeout'"),
            Row("access: {announcements: {whenDeleted: 1}}", "1:39", "expected true or false"),
        ])
    func wrong(_ row: Row) throws {
        let loaded = load(row.yaml)
        let found = try #require(
            loaded.diagnostics.first { $0.message.contains(row.says) }, "\(loaded.diagnostics.map(\.message))")
        #expect("\(found.line):\(found.column)" == row.at)
        #expect(found.severity == row.severity)
        if let hint = row.hint {
            #expect((found.hint ?? "").contains(hint) || found.suggestion == hint, "\(found)")
        }
        #expect(loaded.isValid == (row.severity == .warning))
    }
}
