// The worked examples of spec/policies-search.md A.13, as far as they concern decisions and views.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// What an enforcer is asked. Paths are those of the thing unless they carry a type.
enum Question: Sendable {
    case allowed(Permission, String)
    case unrestricted(Permission, String)
    case partial(Permission, String)
    /// The view of the part of the sample thing at the path.
    case view(String)
    /// May this be merged at the path?
    case merge(String, at: String)
}

struct Example: Sendable, CustomTestStringConvertible {
    let section: String
    /// Entries in the short form of `Sample`.
    let entries: String
    var subjects = ["u:ann"]
    var namespace = "acme"
    let question: Question
    /// `true` or `false` for decisions; the JSON of a view, or `-` when nothing is readable.
    let answer: String

    var testDescription: String { "\(section) \(subjects) \(question)" }

    init(
        _ section: String, _ entries: String, subjects: [String] = ["u:ann"], namespace: String = "acme",
        _ question: Question, _ answer: String
    ) {
        self.section = section
        self.entries = entries
        self.subjects = subjects
        self.namespace = namespace
        self.question = question
        self.answer = answer
    }

    func ask() throws -> String {
        let enforcer = PolicyEnforcer(try Sample.policy(entries), revision: 1)
        let caller = AuthorizationContext(subjects)
        switch question {
        case .allowed(let permission, let key):
            let (type, path) = try Self.resource(key)
            return "\(enforcer.isAllowed(permission, type, path, subjects: caller, namespace: namespace))"
        case .unrestricted(let permission, let key):
            let (type, path) = try Self.resource(key)
            return "\(enforcer.isUnrestricted(permission, type, path, subjects: caller, namespace: namespace))"
        case .partial(let permission, let key):
            let (type, path) = try Self.resource(key)
            return "\(enforcer.isPartial(permission, type, path, subjects: caller, namespace: namespace))"
        case .view(let key):
            let (type, path) = try Self.resource(key)
            let value = try #require(try JSONValue.parse(Sample.thing).value(at: path))
            let view = enforcer.view(of: value, type: type, base: path, subjects: caller, namespace: namespace)
            return view?.text ?? "-"
        case .merge(let patch, let path):
            let patch = try JSONValue.parse(patch)
            let path = try JSONPointer(parsing: path)
            return "\(enforcer.isMergeAllowed(of: patch, at: path, subjects: caller, namespace: namespace))"
        }
    }

    private static func resource(_ key: String) throws -> (PolicyResourceType, JSONPointer) {
        for type in PolicyResourceType.allCases where key.hasPrefix("\(type.name):") {
            return (type, try JSONPointer(parsing: String(key.dropFirst(type.name.count + 1))))
        }
        return (.thing, try JSONPointer(parsing: key))
    }
}

@Suite("PolicyEnforcer, worked examples")
struct PolicyEnforcerTests {
    @Test("an example of the specification holds", arguments: plain + nested + pooled + others)
    func example(_ example: Example) throws {
        #expect(try example.ask() == example.answer)
    }

    static let readAll = #"[{"s":["u:ann"],"g":{"thing:/":"R"}}]"#
    static let writeAll = #"[{"s":["u:ann"],"g":{"thing:/":"W"}}]"#
    static let rpmOnly = #"[{"s":["u:ann"],"g":{"thing:/features/motor/properties/rpm":"R"}}]"#

    static let plain: [Example] = [
        Example("A.13.1", readAll, .view("/"), Sample.thing),
        Example("A.13.1", readAll, .unrestricted(.read, "/"), "true"),
        Example("A.13.1", readAll, .unrestricted(.write, "/attributes/serial"), "false"),
        Example("A.13.1", readAll, .allowed(.execute, "/"), "false"),
        Example("A.13.1", readAll, subjects: ["u:an"], .partial(.read, "/"), "false"),
        Example("A.13.1", readAll, subjects: ["u:annn"], .partial(.read, "/"), "false"),
        Example("A.13.1", readAll, subjects: ["U:ann"], .partial(.read, "/"), "false"),
        Example("A.13.1", readAll, subjects: ["u:*"], .partial(.read, "/"), "false"),
        Example("A.13.1", readAll, subjects: [], .view("/"), "-"),
        Example("A.13.1", readAll, .partial(.read, "policy:/"), "false"),
        Example("A.13.1", readAll, .allowed(.read, "message:/inbox/messages/x"), "false"),
        Example("A.13.2", writeAll, .unrestricted(.write, "/attributes/serial"), "true"),
        Example("A.13.2", writeAll, .view("/"), "-"),
        Example(
            "A.13.3", rpmOnly, .view("/"),
            #"{"thingId":"acme:pump-7","features":{"motor":{"properties":{"rpm":900}}}}"#),
        Example("A.13.3", rpmOnly, .view("/attributes"), "-"),
        Example("A.13.3", rpmOnly, .view("/features/motor"), #"{"properties":{"rpm":900}}"#),
        Example("A.13.3", rpmOnly, .view("/features/motor/properties/rpm"), "900"),
        Example("A.13.3", rpmOnly, .view("/features/motor/properties/temp"), "-"),
        Example("A.13.3", rpmOnly, .allowed(.read, "/features/motor"), "false"),
        Example("A.13.3", rpmOnly, .unrestricted(.read, "/features/motor/properties/rpm/deeper"), "true"),
    ]

    static let cfgHidden =
        #"[{"s":["u:ann"],"g":{"thing:/":"RW"},"r":{"thing:/features/motor/properties/cfg":"R"}}]"#
    static let serialFixed = #"[{"s":["u:ann"],"g":{"thing:/":"RW"},"r":{"thing:/attributes/serial":"W"}}]"#
    static let onlyValve =
        #"[{"s":["u:ann"],"g":{"thing:/":"R","thing:/features/valve":"R"},"r":{"thing:/features":"R"}}]"#

    static let nested: [Example] = [
        Example(
            "A.13.4", cfgHidden, .view("/features"),
            #"{"motor":{"properties":{"rpm":900,"temp":61}},"#
                + #""valve":{"definition":["acme:valve:1.0"],"properties":{"open":true}}}"#),
        Example("A.13.4", cfgHidden, .view("/features/motor/properties/cfg"), "-"),
        Example("A.13.4", cfgHidden, .view("/features/motor/properties/cfg/max"), "-"),
        Example("A.13.4", cfgHidden, .unrestricted(.write, "/features/motor"), "true"),
        Example("A.13.4", cfgHidden, .unrestricted(.read, "/features/motor"), "false"),
        Example("A.13.4", cfgHidden, .allowed(.read, "/features/motor"), "true"),
        Example("A.13.4", cfgHidden, .unrestricted(.read, "/features/motor/properties/cfgx"), "true"),
        Example("A.13.5", serialFixed, .unrestricted(.write, "/attributes/site"), "true"),
        Example("A.13.5", serialFixed, .unrestricted(.write, "/attributes/serial"), "false"),
        Example("A.13.5", serialFixed, .unrestricted(.write, "/attributes"), "false"),
        Example("A.13.5", serialFixed, .unrestricted(.write, "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":{"site":{"name":"S"}}}"#, at: "/"), "true"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":{"serial":"Z"}}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":{"serial":null}}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":{"serial":{"deeper":1}}}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":null}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":[]}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":{}}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"attributes":{"site":1,"serial":1}}"#, at: "/"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"{{ ~s.*~ }}":null}"#, at: "/attributes"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"{{/s.*/}}":null}"#, at: "/attributes"), "false"),
        Example("A.13.5", serialFixed, .merge(#"{"{{ ~s.*~ }}":1}"#, at: "/attributes"), "true"),
        Example("A.13.5", serialFixed, .merge(#"{"{{ ~n.*~ }}":null}"#, at: "/attributes/site"), "true"),
        Example("A.13.5", serialFixed, .merge("5", at: "/attributes/serial"), "false"),
        Example(
            "A.13.6", onlyValve, .view("/"),
            #"{"thingId":"acme:pump-7","policyId":"acme:p","definition":"acme:pump:1.0","#
                + #""attributes":{"site":{"name":"North","geo":{"lat":1.5,"lon":9.2}},"serial":"X1","#
                + #""tags":["a",{"k":1,"secret":2}]},"#
                + #""features":{"valve":{"definition":["acme:valve:1.0"],"properties":{"open":true}}}}"#),
        Example(
            "A.13.6", onlyValve, .view("/features"),
            #"{"valve":{"definition":["acme:valve:1.0"],"properties":{"open":true}}}"#),
        Example("A.13.6", onlyValve, .unrestricted(.read, "/"), "false"),
        Example("A.13.6", onlyValve, .unrestricted(.read, "/features"), "false"),
        Example("A.13.6", onlyValve, .unrestricted(.read, "/features/valve"), "true"),
        Example("A.13.6", onlyValve, .view("/features/motor"), "-"),
    ]

    static let tie = #"[{"s":["u:ann"],"g":{"thing:/attributes":"R"}},{"s":["u:ann"],"r":{"thing:/attributes":"R"}}]"#
    static let tieReversed =
        #"[{"s":["u:ann"],"r":{"thing:/attributes":"R"}},{"s":["u:ann"],"g":{"thing:/attributes":"R"}}]"#
    static let staffAndAnn = #"{"s":["g:staff"],"g":{"thing:/":"R"}},{"s":["u:ann"],"r":{"thing:/attributes":"R"}}"#
    static let siteAgain = #"{"s":["g:staff"],"g":{"thing:/attributes/site":"R"}}"#
    static let serialTie =
        #"[{"s":["g:staff"],"g":{"thing:/attributes/serial":"W"}},"#
        + #"{"s":["u:ann"],"r":{"thing:/attributes/serial":"W"}}]"#
    static let both = ["u:ann", "g:staff"]

    static let pooled: [Example] = [
        Example("A.13.7", tie, .view("/attributes"), "-"),
        Example("A.13.7", tie, .partial(.read, "/"), "false"),
        Example("A.13.7", tieReversed, .view("/attributes"), "-"),
        Example("A.13.7", tieReversed, .partial(.read, "/"), "false"),
        Example("A.13.8", "[\(staffAndAnn)]", subjects: both, .view("/attributes"), "-"),
        Example("A.13.8", "[\(staffAndAnn)]", subjects: both, .partial(.read, "/features"), "true"),
        Example(
            "A.13.8", "[\(staffAndAnn),\(siteAgain)]", subjects: both, .view("/attributes"),
            #"{"site":{"name":"North","geo":{"lat":1.5,"lon":9.2}}}"#),
        Example("A.13.8", "[\(staffAndAnn),\(siteAgain)]", subjects: ["g:staff"], .view("/"), Sample.thing),
        Example("A.13.8", "[\(staffAndAnn),\(siteAgain)]", subjects: ["u:ann"], .view("/"), "-"),
        Example("A.13.9", serialTie, subjects: both, .unrestricted(.write, "/attributes/serial"), "false"),
        Example("A.13.9", serialTie, subjects: both.reversed(), .unrestricted(.write, "/attributes/serial"), "false"),
        Example("A.13.9", serialTie, subjects: ["g:staff"], .unrestricted(.write, "/attributes/serial"), "true"),
        Example("A.13.9", serialTie, subjects: ["u:ann"], .unrestricted(.write, "/attributes/serial"), "false"),
    ]

    static let tagKey = #"[{"s":["u:ann"],"g":{"thing:/attributes/tags/k":"R"}}]"#
    static func scoped(_ namespaces: String) -> String { #"[{"s":["u:bob"],"n":\#(namespaces),"g":{"thing:/":"R"}}]"# }
    static let scopedPolicy = #"[{"s":["u:bob"],"n":["acme.*"],"g":{"policy:/":"RW","message:/":"R"}}]"#
    static let messages = #"[{"s":["u:ann"],"g":{"message:/":"W"},"r":{"message:/inbox/messages/reset":"W"}}]"#
    static let motorOnly = #"[{"s":["u:ann"],"g":{"thing:/features/motor":"R"}}]"#

    static let others: [Example] = [
        Example("A.13.10", tagKey, .view("/"), #"{"thingId":"acme:pump-7","attributes":{"tags":[{"k":1}]}}"#),
        Example("A.13.10", tagKey, .view("/attributes/tags"), #"["a",{"k":1,"secret":2}]"#),
        Example("A.13.10", tagKey, .view("/attributes/serial"), "-"),
        Example("A.13.11", messages, .unrestricted(.write, "message:/inbox/messages/start"), "true"),
        Example("A.13.11", messages, .unrestricted(.write, "message:/inbox/messages/reset"), "false"),
        Example("A.13.11", messages, .unrestricted(.write, "message:/features/motor/inbox/messages/reset"), "true"),
        Example("A.13.13", scoped(#"["acme.*"]"#), subjects: ["u:bob"], namespace: "acme.eu", .view("/"), Sample.thing),
        Example("A.13.13", scoped(#"["acme.*"]"#), subjects: ["u:bob"], .view("/"), "-"),
        Example("A.13.13", scoped(#"["acme.*"]"#), subjects: ["u:bob"], namespace: "acmeeu", .view("/"), "-"),
        Example("A.13.13", scoped(#"["acme.*"]"#), subjects: ["u:bob"], namespace: "", .view("/"), "-"),
        Example("A.13.13", scoped(#"["acme","acme.*"]"#), subjects: ["u:bob"], .view("/"), Sample.thing),
        Example(
            "A.13.13", scoped(#"["acme","acme.*"]"#), subjects: ["u:bob"], namespace: "acme.eu", .view("/"),
            Sample.thing),
        Example("A.13.13", scoped("[]"), subjects: ["u:bob"], namespace: "other", .view("/"), Sample.thing),
        Example("A.3.1", scopedPolicy, subjects: ["u:bob"], .unrestricted(.write, "policy:/"), "true"),
        Example("A.3.1", scopedPolicy, subjects: ["u:bob"], .allowed(.read, "message:/inbox/messages/x"), "false"),
        Example("A.13.24", motorOnly, .view("/features/valve"), "-"),
        Example(
            "A.13.24", motorOnly, .view("/features"),
            #"{"motor":{"properties":{"rpm":900,"temp":61,"cfg":{"max":1200,"pin":"77"}}}}"#),
    ]

    @Test("A.13.23: a reader of one policy entry sees that entry and the policy id")
    func policyView() throws {
        let policy = try Sample.policy(
            #"[{"s":["u:owner"],"g":{"policy:/":"RW"}},{"s":["u:rd"],"g":{"policy:/entries/E1":"R"}}]"#)
        let enforcer = PolicyEnforcer(policy, revision: 3)
        let reader = AuthorizationContext(["u:rd"])
        let view = enforcer.view(of: policy.json, type: .policy, base: .root, subjects: reader, namespace: "acme")
        var expected = JSONObject([("policyId", "acme:p")])
        expected["entries"] = .object(JSONObject([("E1", try #require(policy["E1"]).json)]))
        #expect(view == .object(expected))
        let other = try JSONPointer(parsing: "/entries/E0")
        #expect(!enforcer.isPartial(.read, .policy, other, subjects: reader, namespace: "acme"))
        let own = try JSONPointer(parsing: "/entries/E1")
        #expect(!enforcer.isUnrestricted(.write, .policy, own, subjects: reader, namespace: "acme"))
        #expect(enforcer.revision == 3)
        #expect(enforcer.policyID.text == "acme:p")
    }

    @Test("a revoke on a resource of a policy hides that member, although its key holds a slash")
    func policyResourceKey() throws {
        let policy = try Sample.policy(
            #"[{"s":["u:rd"],"g":{"policy:/":"R"},"r":{"policy:/entries/E0/resources/policy:":"R"}}]"#)
        let view = PolicyEnforcer(policy, revision: 1).view(
            of: policy.json, type: .policy, base: .root, subjects: AuthorizationContext(["u:rd"]), namespace: "")
        let resources = try JSONPointer(parsing: "/entries/E0/resources")
        #expect(view?.value(at: resources) == [:])
    }

    @Test("special fields stay visible at the root of a thing, and only there")
    func alwaysVisibleFields() throws {
        let enforcer = PolicyEnforcer(try Sample.policy(Self.rpmOnly), revision: 1)
        let caller = AuthorizationContext(["u:ann"])
        let thing = try JSONValue.parse(
            #"{"_revision":4,"thingId":"a:b","_namespace":"a","_created":"c","_modified":"m","_metadata":{},"_p":1}"#
        )
        let atRoot = enforcer.view(of: thing, type: .thing, base: .root, subjects: caller, namespace: "a")
        #expect(
            atRoot?.text == #"{"_revision":4,"thingId":"a:b","_namespace":"a","_created":"c","_modified":"m"}"#)
        let below = try JSONPointer(parsing: "/features")
        let view = enforcer.view(of: thing, type: .thing, base: below, subjects: caller, namespace: "a")
        #expect(view == [:])
    }

    @Test("canonically equivalent subjects and levels are different ones")
    func bytewise() throws {
        // U+0112 has a decomposition and is a legal character of a subject id, which U+00E9 is not.
        let entries = "[{\"s\":[\"u:\u{112}\"],\"g\":{\"thing:/attributes/\u{1E9B}\u{323}\":\"R\"}}]"
        let enforcer = PolicyEnforcer(try Sample.policy(entries), revision: 1)
        let composed = try JSONPointer(parsing: "/attributes/\u{1E9B}\u{323}")
        let other = try JSONPointer(parsing: "/attributes/\u{17F}\u{323}\u{307}")
        let subject = AuthorizationContext(["u:\u{112}"])
        #expect(enforcer.isAllowed(.read, .thing, composed, subjects: subject, namespace: ""))
        #expect(!enforcer.isAllowed(.read, .thing, other, subjects: subject, namespace: ""))
        let decomposed = AuthorizationContext(["u:E\u{304}"])
        #expect(!enforcer.isAllowed(.read, .thing, composed, subjects: decomposed, namespace: ""))
    }
}
