import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Random commands over a few things and policies. Most are accepted; those that are not are as good a test.
struct RandomCommands {
    static let thingIDs = (0..<8).map { "r:t\($0)" } + ["r:日本 #1", ":empty"]
    static let policyIDs = thingIDs + ["r:p0", "r:p1", "r:last", "r:other", "r:further"]

    private var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed) }

    /// Sends one command and does not wait for it.
    mutating func send(to rig: EngineRig) {
        // The commands are legal in form; `try?` only spares the rig's own promise.
        if Int.random(in: 0..<8, using: &random) == 0 {
            _ = try? rig.engine.execute(policyCommand(), as: EngineRig.owner)
        } else if Int.random(in: 0..<12, using: &random) == 0 {
            _ = try? rig.engine.execute(policyPartCommand(), as: EngineRig.owner)
        } else {
            _ = try? thingOutcome(rig)
        }
        if Bool.random(using: &random) { rig.engine.commitSoon() }
    }

    private mutating func policyCommand() throws -> PolicyCommand {
        let id = try PolicyID(pick(Self.policyIDs))
        if Int.random(in: 0..<6, using: &random) == 0 { return PolicyCommand(policyID: id, action: .delete) }
        let rules = [(subject: "test:\(Int.random(in: 0..<3, using: &random))", resources: ["thing:/": "R"])]
        return PolicyCommand(policyID: id, action: .modify, value: JSONText(try JSONValue.parse(Sample.policy(rules))))
    }

    /// A change of a part, refused when the policy or the part is absent. None takes the owner away: an import
    /// would allow it, and everything under the policy would then stand still.
    private mutating func policyPartCommand() throws -> PolicyCommand {
        let id = try PolicyID(pick(Self.policyIDs))
        let rules: [(path: String, value: String?)] = [
            ("/entries/E1", nil), ("/entries/x", #"{"subjects":{"u:a":{"type":"t"}}}"#), ("/entries/x", nil),
            ("/entries/E0/subjects/https://issuer:s/1", #"{"type":"t","expiry":"2040-01-01T10:30:00Z"}"#),
            ("/entries/E0/subjects/https://issuer:s/1", nil),
            ("/entries/E0/resources/thing:/features/f", #"{"grant":["READ"],"revoke":[]}"#),
            ("/entries/E0/resources/thing:/features/f", nil), ("/entries/E0/namespaces", #"["r","r.*"]"#),
            ("/entries/x/references", #"[{"entry":"E0"}]"#), ("/entries/x/references", nil),
            ("/entries/E0/allowedAdditions", "[]"), ("/entries/E0/allowedAdditions", nil),
            ("/imports/r:other", #"{"entries":["l"]}"#), ("/imports/r:other", nil), ("/imports", "{}"),
            ("/imports", nil), ("/imports/r:other/transitiveImports", #"["r:further"]"#),
        ]
        let rule = rules[Int.random(in: 0..<rules.count, using: &random)]
        return PolicyCommand(
            policyID: id, action: rule.value == nil ? .delete : .modify,
            resource: try PolicyPath(try JSONPointer(policyPath: rule.path)),
            value: try rule.value.map { JSONText(try JSONValue.parse($0)) })
    }

    private mutating func thingOutcome(_ rig: EngineRig) throws -> Outcome<ThingResponse> {
        let id = pick(Self.thingIDs)
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: return try rig.send(.modify, id, "/", whole(id))
        case 2: return try rig.send(.delete, id, pick(["/", "/", "/attributes", "/features/f", path()]))
        case 3:
            return try rig.send(
                .merge, id, "/",
                pick([
                    #"{"attributes":\#(object(2))}"#,
                    #"{"definition":null,"features":{"f":{"properties":\#(object(2))}}}"#,
                    #"{"attributes":{"{{~[ab]~}}":null}}"#,
                ]))
        case 4, 5: return try rig.send(.merge, id, path(), value(2))
        case 6: return try rig.send(.modify, id, "/policyId", "\"\(pick(Self.policyIDs))\"")
        case 7: return try rig.send(.modify, id, path(), value(2), headers: ["put-metadata": metadata()])
        case 8:
            return try rig.send(
                .merge, id, "/attributes", object(2), headers: ["delete-metadata": pick(["*", "a", "*/k", "b/k"])])
        default: return try rig.send(.modify, id, path(), value(2))
        }
    }

    private mutating func whole(_ id: String) -> String {
        let policy = pick([#""policyId":"\#(id)","#, #""policyId":"r:p0","#, ""])
        return #"{\#(policy)"attributes":\#(object(2)),"features":{"f":{"properties":\#(object(1))},"g":null}}"#
    }

    private mutating func metadata() -> String {
        #"[{"key":"*/k","value":\#(value(1))},{"key":"own","value":\#(value(1))}]"#
    }

    private mutating func path() -> String {
        let base = pick(["/attributes", "/features/f/properties", "/features/g/desiredProperties"])
        return (0..<Int.random(in: 1...3, using: &random)).reduce(base) { path, _ in path + "/" + key() }
    }

    private mutating func key() -> String {
        pick(["a", "b", "c", "d e", "é~".replacing("é", with: "日"), "\\u0041".replacing("\\", with: "-")])
    }

    private mutating func object(_ depth: Int) -> String {
        var members: [String: String] = [:]
        for _ in 0..<Int.random(in: 0...3, using: &random) { members[key()] = value(depth - 1) }
        return "{" + members.sorted { $0.key < $1.key }.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",")
            + "}"
    }

    private mutating func value(_ depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &random) {
        case 0: "null"
        case 1: String(Int.random(in: -1_000_000...1_000_000, using: &random))
        case 2: pick(["1.50", "1e400", "-0", "18446744073709551615", "true"])
        case 3: pick([#""""#, #""x \" \\ \n ü 😀 \u0001""#, #""\/""#])
        case 4: #"[1,{"a/b":[]},null]"#
        case 5: "false"
        default: object(depth)
        }
    }

    private mutating func pick(_ choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }
}
