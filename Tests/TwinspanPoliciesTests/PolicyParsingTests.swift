// What a policy must look like: spec/policies-search.md A.1.1, spec/protocol.md §1.3, §2.4.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct InvalidPolicy: Sendable, CustomTestStringConvertible {
    let code: String
    let document: String
    var status = 400

    init(_ code: String, _ document: String, status: Int = 400) {
        self.code = code
        self.document = document
        self.status = status
    }

    var testDescription: String { "\(code): \(document.prefix(200))" }

    /// An entry with one subject member.
    static func subject(_ code: String, _ id: String, _ value: String = #"{"type":"t"}"#) -> InvalidPolicy {
        InvalidPolicy(code, #"{"entries":{"L":{"subjects":{"\#(id)":\#(value)}}}}"#)
    }

    static func announcement(_ code: String, _ value: String) -> InvalidPolicy {
        subject(code, "a:b", #"{"type":"t","announcement":\#(value)}"#)
    }

    static func resource(_ code: String, _ key: String, _ value: String = "{}") -> InvalidPolicy {
        InvalidPolicy(code, #"{"entries":{"L":{"resources":{"\#(key)":\#(value)}}}}"#)
    }

    static func entry(_ code: String, _ members: String) -> InvalidPolicy {
        InvalidPolicy(code, #"{"imports":{"a:b":{}},"entries":{"L":{\#(members)},"M":{"importable":"never"}}}"#)
    }

    static func label(_ code: String, _ label: String) -> InvalidPolicy {
        InvalidPolicy(code, #"{"entries":{"\#(label)":{}}}"#)
    }

    static func imports(_ code: String, _ imports: String) -> InvalidPolicy {
        InvalidPolicy(code, #"{"imports":\#(imports),"entries":{}}"#)
    }
}

@Suite("Policy parsing")
struct PolicyParsingTests {
    static let wholePolicies: [InvalidPolicy] = [
        InvalidPolicy("json.invalid", "[]"),
        InvalidPolicy("json.invalid", "null"),
        InvalidPolicy("json.invalid", #""x""#),
        InvalidPolicy("json.field.missing", "{}"),
        InvalidPolicy("json.field.missing", #"{"policyId":"acme:p"}"#),
        InvalidPolicy("json.invalid", #"{"entries":[]}"#),
        InvalidPolicy("json.invalid", #"{"entries":null}"#),
        InvalidPolicy("json.invalid", #"{"entries":{"L":1}}"#),
        InvalidPolicy("json.invalid", #"{"entries":{"L":null}}"#),
        InvalidPolicy("json.invalid", #"{"policyId":1,"entries":{}}"#),
        InvalidPolicy("json.invalid", #"{"policyId":null,"entries":{}}"#),
        InvalidPolicy("policies:id.invalid", #"{"policyId":"p","entries":{}}"#),
        InvalidPolicy("policies:id.invalid", #"{"policyId":"","entries":{}}"#),
        InvalidPolicy("policies:id.notsettable", #"{"policyId":"acme:q","entries":{}}"#),
        InvalidPolicy(
            "policies:policy.toolarge",
            #"{"entries":{"L":{"subjects":{"a:b":{"type":"\#(String(repeating: "x", count: 102_400))"}}}}}"#,
            status: 413),
    ]

    static let labels: [InvalidPolicy] = [
        .label("policies:label.invalid", "imported"),
        .label("policies:label.invalid", "importedX"),
        .label("policies:label.invalid", "imported-a:b-L"),
        .label("policies:label.invalid", "nsimported"),
        .label("policies:label.invalid", "nsimported-a:b-L"),
        .label("policies:label.invalid", "imported/x"),
        .label("policies:entry.invalid", ""),
        .label("policies:entry.invalid", "a/b"),
        .label("policies:entry.invalid", "a\\u0000"),
        .label("policies:entry.invalid", "a\\n"),
        .label("policies:entry.invalid", "\\u007f"),
        .label("policies:entry.invalid", "\u{e4}"),
        .label("policies:entry.invalid", String(repeating: "l", count: 257)),
    ]

    static let subjects: [InvalidPolicy] = [
        .subject("policies:subjectid.invalid", ""),
        .subject("policies:subjectid.invalid", "nocolon"),
        .subject("policies:subjectid.invalid", "issuer:"),
        .subject("policies:subjectid.invalid", "https://issuer"),
        .subject("policies:subjectid.invalid", "https://issuer:"),
        .subject("policies:subjectid.invalid", "a:b\\u0001"),
        .subject("policies:subjectid.invalid", "a:\u{80}"),
        .subject("policies:subjectid.invalid", "a:" + String(repeating: "s", count: 255)),
        .subject("json.field.missing", "a:b", "{}"),
        .subject("json.invalid", "a:b", #"{"type":1}"#),
        .subject("json.invalid", "a:b", #"{"type":null}"#),
        .subject("json.invalid", "a:b", "[]"),
        .subject("json.invalid", "a:b", #""t""#),
        .subject("policies:subjectexpiry.invalid", "a:b", #"{"type":"t","expiry":"tomorrow"}"#),
        .subject("policies:subjectexpiry.invalid", "a:b", #"{"type":"t","expiry":1700000000}"#),
        .subject("policies:subjectexpiry.invalid", "a:b", #"{"type":"t","expiry":null}"#),
        .announcement("json.invalid", "[]"),
        .announcement("json.invalid", #"{"whenDeleted":"yes"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":"5ms"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":"1d"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":"-1s"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":"1.5h"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":""}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":"h"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"beforeExpiry":5}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"randomizationInterval":"5 m"}"#),
        .announcement("policies:subjectannouncement.invalid", #"{"requestedAcks":{"labels":[],"timeout":"soon"}}"#),
        .announcement("json.invalid", #"{"requestedAcks":[]}"#),
        .announcement("json.invalid", #"{"requestedAcks":{"labels":"a"}}"#),
    ]

    static let resources: [InvalidPolicy] = [
        .resource("json.invalid", ""),
        .resource("json.invalid", "thing"),
        .resource("json.invalid", "thing:"),
        .resource("json.invalid", "thing:attributes"),
        .resource("json.invalid", ":/"),
        .resource("json.invalid", "/thing"),
        .resource("json.invalid", "thing:/a\\u0000"),
        .resource("json.pointer.invalid", "thing://"),
        .resource("json.pointer.invalid", "thing:/a//b"),
        .resource("json.pointer.invalid", "policy://entries"),
        .resource("json.pointer.invalid", "thing:/" + String(repeating: "a/", count: 300)),
        .resource("json.invalid", "thing:/", "[]"),
        .resource("json.invalid", "thing:/", #""READ""#),
        .resource("json.invalid", "thing:/", #"{"grant":"READ"}"#),
        .resource("json.invalid", "thing:/", #"{"grant":[1]}"#),
        .resource("json.invalid", "thing:/", #"{"grant":null}"#),
        .resource("json.invalid", "thing:/", #"{"revoke":{}}"#),
        .resource("policies:entry.invalid", "thing:/", #"{"grant":["read"]}"#),
        .resource("policies:entry.invalid", "thing:/", #"{"grant":["READ",""]}"#),
        .resource("policies:entry.invalid", "thing:/", #"{"revoke":["ADMINISTRATE"]}"#),
    ]

    static let entryFields: [InvalidPolicy] = [
        .entry("json.invalid", #""subjects":[]"#),
        .entry("json.invalid", #""subjects":null"#),
        .entry("json.invalid", #""resources":[]"#),
        .entry("json.invalid", #""resources":1"#),
        .entry("policies:entry.invalid", #""namespaces":"acme""#),
        .entry("policies:entry.invalid", #""namespaces":[1]"#),
        .entry("policies:entry.invalid", #""namespaces":[""]"#),
        .entry("policies:entry.invalid", #""namespaces":["*"]"#),
        .entry("policies:entry.invalid", #""namespaces":[".*"]"#),
        .entry("policies:entry.invalid", #""namespaces":["a*"]"#),
        .entry("policies:entry.invalid", #""namespaces":["a.*.b"]"#),
        .entry("policies:entry.invalid", #""namespaces":["1a"]"#),
        .entry("policies:entry.invalid", #""namespaces":["a..b"]"#),
        .entry("policies:entry.invalid", #""namespaces":["a:b"]"#),
        .entry("policies:entry.invalid", #""namespaces":["a.*.*"]"#),
        .entry("policies:entry.invalid", #""namespaces":["a."]"#),
        .entry("policies:entry.invalid", #""importable":"always""#),
        .entry("policies:entry.invalid", #""importable":true"#),
        .entry("policies:entry.invalid", #""importable":null"#),
        .entry("policies:entry.invalid", #""allowedAdditions":"subjects""#),
        .entry("policies:entry.invalid", #""allowedAdditions":["entries"]"#),
        .entry("policies:entry.invalid", #""allowedAdditions":[null]"#),
        .entry("json.invalid", #""references":{}"#),
        .entry("json.invalid", #""references":["M"]"#),
        .entry("json.field.missing", #""references":[{}]"#),
        .entry("json.field.missing", #""references":[{"import":"a:b"}]"#),
        .entry("json.invalid", #""references":[{"entry":1}]"#),
        .entry("json.invalid", #""references":[{"entry":"X","import":null}]"#),
        .entry("json.invalid", #""references":[{"entry":"X","import":1}]"#),
        .entry("json.invalid", #""references":[{"entry":"X","import":""}]"#),
        .entry("policies:id.invalid", #""references":[{"entry":"X","import":"nocolon"}]"#),
        .entry("policies:import.invalid", #""references":[{"entry":"X","import":"a:other"}]"#),
        .entry("policies:entry.invalid", #""references":[{"entry":"L"}]"#),
        .entry("policies:entry.invalid", #""references":[{"entry":"missing"}]"#),
        .entry("policies:entry.invalid", #""references":[{"entry":"M"}]"#),
        .entry(
            "policies:entry.invalid", #""references":[{"entry":"X","import":"a:b"},{"import":"a:b","entry":"X"}]"#),
    ]

    static let importRows: [InvalidPolicy] = [
        .imports("json.invalid", "[]"),
        .imports("json.invalid", "null"),
        .imports("json.invalid", #"{"a:b":[]}"#),
        .imports("json.invalid", #"{"a:b":null}"#),
        .imports("policies:id.invalid", #"{"ab":{}}"#),
        .imports("policies:import.invalid", #"{"acme:p":{}}"#),
        .imports("json.invalid", #"{"a:b":{"entries":"L"}}"#),
        .imports("json.invalid", #"{"a:b":{"transitiveImports":"c:d"}}"#),
        .imports("policies:import.invalid", #"{"a:b":{"transitiveImports":[1]}}"#),
        .imports("policies:import.invalid", #"{"a:b":{"transitiveImports":["cd"]}}"#),
        .imports("policies:import.invalid", #"{"a:b":{"transitiveImports":["acme:p"]}}"#),
        .imports(
            "policies:imports.toolarge", "{" + (0...10).map { #""a:b\#($0)":{}"# }.joined(separator: ",") + "}"),
    ]

    @Test(
        "an invalid policy is refused with its code",
        arguments: wholePolicies + labels + subjects + resources + entryFields + importRows)
    func invalid(_ row: InvalidPolicy) throws {
        let document = try JSONValue.parse(row.document)
        let error = #expect(throws: TwinspanError.self) {
            try Policy.parse(document, id: try PolicyID(Sample.policyID))
        }
        #expect(error?.code == row.code)
        #expect(error?.status == row.status)
        #expect(error?.message.isEmpty == false)
    }

    @Test("a double slash is reported with the text clients compare")
    func doubleSlash() throws {
        let document = try JSONValue.parse(#"{"entries":{"L":{"resources":{"thing:/a//b":{}}}}}"#)
        let error = #expect(throws: TwinspanError.self) {
            try Policy.parse(document, id: try PolicyID(Sample.policyID))
        }
        #expect(error?.description == "Consecutive slashes in JSON pointers are not supported.")
    }

    @Test("without an id in the value or the address there is no policy")
    func missingID() throws {
        let document = try JSONValue.parse(#"{"entries":{}}"#)
        let error = #expect(throws: TwinspanError.self) { try Policy.parse(document, id: nil) }
        #expect(error?.code == "json.field.missing")
    }

    static let valid: [String] = [
        #"{"policyId":"acme:p","entries":{}}"#,
        #"{"policyId":"acme:p","entries":{},"_revision":3,"_namespace":"acme","__lifecycle":"ACTIVE"}"#,
        #"{"policyId":"acme:p","imports":{}}"#,
        #"{"policyId":"acme:p","imports":{"a:b":{"entries":["L",1],"transitiveImports":["c:d"]}}}"#,
        #"{"policyId":"acme:p","entries":{"L l+\#u{100}":{"subjects":{"https://idp/x:sub":{"type":""}}}}}"#,
        #"{"policyId":"acme:p","entries":{"L":{"subjects":{"{{ request:subjectId }}":{"type":"t"}}}}}"#,
        #"{"policyId":"acme:p","entries":{"L":{"subjects":{"${request.subjectId}":{"type":"t"}}}}}"#,
        #"{"policyId":"acme:p","entries":{"L":{"resources":{"custom:/x":{"grant":["READ"]},"thing:/a/":{}}}}}"#,
    ]

    @Test("a valid policy is accepted, with the id in the value, the address or both", arguments: valid)
    func accepted(_ text: String) throws {
        var document = try JSONValue.parse(text)
        let id = try PolicyID(Sample.policyID)
        let policy = try Policy.parse(document, id: nil)
        #expect(policy.id == id)
        #expect(try Policy.parse(document, id: id) == policy)
        document.remove(at: JSONPointer(segments: ["policyId"]))
        #expect(try Policy.parse(document, id: id) == policy)
    }

    @Test("limits of zero are not checked")
    func unlimited() throws {
        let imports = (0..<50).map { #""a:b\#($0)":{}"# }.joined(separator: ",")
        let document = try JSONValue.parse(#"{"policyId":"acme:p","imports":{\#(imports)}}"#)
        let policy = try Policy.parse(document, id: nil, limits: PolicyLimits(sizeBytes: 0, imports: 0))
        #expect(policy.imports?.count == 50)
    }
}
