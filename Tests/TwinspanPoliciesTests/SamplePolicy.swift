// Short forms for the tables of this target's tests.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// Policies and things written as JSON text, with the noise left out.
enum Sample {
    static let policyID = "acme:p"

    /// The thing of spec/policies-search.md A.13.
    static let thing = """
        {"thingId":"acme:pump-7","policyId":"acme:p","definition":"acme:pump:1.0",\
        "attributes":{"site":{"name":"North","geo":{"lat":1.5,"lon":9.2}},"serial":"X1",\
        "tags":["a",{"k":1,"secret":2}]},\
        "features":{"motor":{"properties":{"rpm":900,"temp":61,"cfg":{"max":1200,"pin":"77"}}},\
        "valve":{"definition":["acme:valve:1.0"],"properties":{"open":true}}}}
        """

    /// A policy of entries, each `{"s"?: [subject…], "n"?: [namespace…], "g"|"r": {"thing:/…": "RW"}}` where the
    /// letters R, W and E stand for permissions.
    static func policy(_ entries: String) throws -> Policy {
        let short = try #require(try JSONValue.parse(entries).array)
        let members = try short.enumerated().map { number, entry in
            ("E\(number)", try entryJSON(try #require(entry.object)))
        }
        let document = JSONValue.object(JSONObject([("entries", .object(JSONObject(members)))]))
        return try Policy.parse(document, id: try PolicyID(policyID))
    }

    /// The JSON of one entry in the short form.
    static func entryJSON(_ short: JSONObject, subjectType: JSONValue = "test") throws -> JSONValue {
        var resources = JSONObject()
        for (letter, member) in [("g", "grant"), ("r", "revoke")] {
            for (key, letters) in short[letter]?.object?.members ?? [] {
                var resource = resources[key]?.object ?? JSONObject()
                let names = try #require(letters.string).map { permissionNames[$0, default: "?"] }
                resource[member] = .array(names.map { .string($0) })
                resources[key] = .object(resource)
            }
        }
        let subjects = (short["s"]?.array ?? []).compactMap(\.string)
        var entry = JSONObject([
            ("subjects", .object(JSONObject(subjects.map { ($0, ["type": subjectType]) }))),
            ("resources", .object(resources)),
        ])
        entry["namespaces"] = short["n"]
        return .object(entry)
    }

    private static let permissionNames: [Character: String] = ["R": "READ", "W": "WRITE", "E": "EXECUTE"]
}
