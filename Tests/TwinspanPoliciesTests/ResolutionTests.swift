// Imports, references and namespace roots: spec/policies-search.md A.5, A.6, A.7 and A.13.18–22.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct ResolutionRow: Sendable, CustomTestStringConvertible {
    let what: String
    let world: String
    let roots: [String]
    /// The entries of the policy `a:p`, in order.
    let expected: [String]

    init(_ what: String, _ world: String, roots: [String] = [], _ expected: [String]) {
        self.what = what
        self.world = world
        self.roots = roots
        self.expected = expected
    }

    var testDescription: String { what }
}

@Suite("Policy resolution")
struct ResolutionTests {
    static let base = #""a:b":{"i":{"s":["u:i"]},"e":{"s":["u:e"],"i":"explicit"},"n":{"s":["u:n"],"i":"never"}}"#

    static let imports: [ResolutionRow] = [
        ResolutionRow(
            "A.5.6: a policy without imports is its entries", #"{"a:p":{"x":{"s":["u:x"]},"y":{"i":"never"}}}"#,
            ["x: u:x; ", "y: ;  never"]),
        ResolutionRow(
            "A.5.4: implicit entries are imported", "{\(base)," + #""a:p":{"imports":{"a:b":{}},"x":{}}}"#,
            ["x: ; ", "imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.4: explicit entries are imported when listed",
            "{\(base)," + #""a:p":{"imports":{"a:b":{"entries":["e"]}}}}"#,
            ["imported-a:b-i: u:i; ", "imported-a:b-e: u:e;  explicit"]),
        ResolutionRow(
            "A.5.4: to list an implicit entry, one that may never be imported or one that is not there is harmless",
            "{\(base)," + #""a:p":{"imports":{"a:b":{"entries":["i","n","zz"]}}}}"#, ["imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.1: a missing policy contributes nothing", #"{"a:p":{"imports":{"a:b":{}},"x":{}}}"#, ["x: ; "]),
        ResolutionRow(
            "A.5.5: everything but references is kept",
            #"{"a:b":{"t":{"i":"never"},"#
                + #""l":{"s":["u:l"],"g":{"thing:/":"R"},"r":{"thing:/a":"W"},"#
                + #""n":["x"],"a":["subjects"],"ref":["l2"]},"#
                + #""l2":{"s":["u:l2"],"i":"explicit"}},"a:p":{"imports":{"a:b":{}}}}"#,
            ["imported-a:b-l: u:l2 u:l; thing:/+R thing:/a-W n=x a=subjects"]),
        ResolutionRow(
            "A.5: imports of an imported policy are not followed",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}},"y":{}},"a:p":{"imports":{"a:c":{}}}}"#,
            ["imported-a:c-y: ; "]),
        ResolutionRow(
            "A.5.2: listed ones are, under nested labels",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}},"y":{}},"#
                + #""a:p":{"imports":{"a:c":{"transitiveImports":["a:b","a:z"]}}}}"#,
            ["imported-a:c-y: ; ", "imported-a:c-imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.2: only those the imported policy itself imports",
            "{\(base),"
                + #""a:c":{"y":{}},"a:p":{"imports":{"a:c":{"transitiveImports":["a:b"]}}}}"#,
            ["imported-a:c-y: ; "]),
        ResolutionRow(
            "A.5.4: an explicit transitive entry needs both lists",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{"entries":["e"]}}},"#
                + #""a:p":{"imports":{"a:c":{"entries":["imported-a:b-e"],"transitiveImports":["a:b"]}}}}"#,
            ["imported-a:c-imported-a:b-i: u:i; ", "imported-a:c-imported-a:b-e: u:e;  explicit"]),
        ResolutionRow(
            "A.5.4: its own label does not do",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{"entries":["e"]}}},"#
                + #""a:p":{"imports":{"a:c":{"entries":["e"],"transitiveImports":["a:b"]}}}}"#,
            ["imported-a:c-imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.4: the list of the outer import alone does not do",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}}},"#
                + #""a:p":{"imports":{"a:c":{"entries":["imported-a:b-e"],"transitiveImports":["a:b"]}}}}"#,
            ["imported-a:c-imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.2: each import says for itself what is followed",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}}},"a:d":{"imports":{"a:c":{"transitiveImports":["a:b"]}}},"#
                + #""a:p":{"imports":{"a:d":{"transitiveImports":["a:c"]}}}}"#,
            ["imported-a:d-imported-a:c-imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.2: an inner import without the list ends the way",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}}},"a:d":{"imports":{"a:c":{}}},"#
                + #""a:p":{"imports":{"a:d":{"transitiveImports":["a:c","a:b"]}}}}"#,
            []),
        ResolutionRow(
            "A.5.2: two ways to the same policy both count",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}}},"a:d":{"imports":{"a:b":{}}},"a:p":{"imports":{"#
                + #""a:c":{"transitiveImports":["a:b"]},"a:d":{"transitiveImports":["a:b"]},"a:b":{}}}}"#,
            [
                "imported-a:c-imported-a:b-i: u:i; ", "imported-a:d-imported-a:b-i: u:i; ", "imported-a:b-i: u:i; ",
            ]),
        ResolutionRow(
            "A.5.2: circles end where they close",
            #"{"a:b":{"imports":{"a:c":{"transitiveImports":["a:p","a:d"]}},"x":{}},"#
                + #""a:c":{"imports":{"a:b":{},"a:p":{}},"y":{}},"#
                + #""a:p":{"imports":{"a:b":{"transitiveImports":["a:c"]},"#
                + #""a:c":{"transitiveImports":["a:b"]}},"z":{}}}"#,
            [
                "z: ; ", "imported-a:b-x: ; ", "imported-a:b-imported-a:c-y: ; ", "imported-a:c-y: ; ",
                "imported-a:c-imported-a:b-x: ; ",
            ]),
    ]

    static let references: [ResolutionRow] = [
        ResolutionRow(
            "A.6: a local reference adds in front",
            #"{"a:p":{"t":{"s":["u:t"],"g":{"thing:/":"R"}},"x":{"s":["u:x"],"g":{"thing:/a":"W"},"ref":["t"]}}}"#,
            ["t: u:t; thing:/+R", "x: u:t u:x; thing:/+R thing:/a+W"]),
        ResolutionRow(
            "A.6: references of a local target are not followed",
            #"{"a:p":{"t":{"s":["u:t"]},"m":{"s":["u:m"],"ref":["t"]},"x":{"ref":["m"]}}}"#,
            ["t: u:t; ", "m: u:t u:m; ", "x: u:m; "]),
        ResolutionRow(
            "A.6: equal keys are united, revokes survive",
            #"{"a:p":{"t":{"g":{"thing:/":"R"},"r":{"thing:/":"W"}},"#
                + #""x":{"g":{"thing:/":"WE"},"r":{"thing:/":"E"},"ref":["t"]}}}"#,
            ["t: ; thing:/+R-W", "x: ; thing:/+RWE-WE"]),
        ResolutionRow(
            "A.6: several targets add in order",
            #"{"a:p":{"t":{"s":["u:1"],"g":{"thing:/":"R"}},"v":{"s":["u:2","u:1"],"r":{"thing:/":"R"}},"#
                + #""x":{"ref":["v","t"]}}}"#,
            ["t: u:1; thing:/+R", "v: u:2 u:1; thing:/-R", "x: u:2 u:1; thing:/+R-R"]),
        ResolutionRow(
            "A.6: only what all targets allow is added",
            #"{"a:p":{"t":{"a":["subjects","resources"]},"v":{"a":["resources","namespaces"]},"w":{},"#
                + #""x":{"s":["u:x"],"g":{"thing:/":"R"},"n":["b"],"ref":["t","v","w"]}}}"#,
            ["t: ;  a=subjects,resources", "v: ;  a=resources,namespaces", "w: ; ", "x: ; thing:/+R"]),
        ResolutionRow(
            "A.6: an empty list allows nothing",
            #"{"a:p":{"t":{"s":["u:t"],"a":[]},"x":{"s":["u:x"],"g":{"thing:/":"R"},"n":["b"],"ref":["t"]}}}"#,
            ["t: u:t;  a=", "x: u:t; "]),
        ResolutionRow(
            "A.6: the template's own content is not subject to its list",
            #"{"a:p":{"t":{"s":["u:t"],"g":{"thing:/":"R"},"n":["b"],"a":[]},"x":{"ref":["t"]}}}"#,
            ["t: u:t; thing:/+R n=b a=", "x: u:t; thing:/+R n=b"]),
        ResolutionRow(
            "A.6: the entry's own list does not concern it",
            #"{"a:p":{"t":{},"x":{"s":["u:x"],"a":[],"ref":["t"]}}}"#, ["t: ; ", "x: u:x;  a="]),
        ResolutionRow(
            "A.6: namespaces of the target restrict an entry without any",
            #"{"a:p":{"t":{"n":["b","c"]},"x":{"ref":["t"]}}}"#, ["t: ;  n=b,c", "x: ;  n=b,c"]),
        ResolutionRow(
            "A.6: the entry's namespaces restrict a target without any",
            #"{"a:p":{"t":{},"x":{"n":["b"],"ref":["t"]}}}"#, ["t: ; ", "x: ;  n=b"]),
        ResolutionRow(
            "A.6: both lists are united", #"{"a:p":{"t":{"n":["b"]},"x":{"n":["c","b"],"ref":["t"]}}}"#,
            ["t: ;  n=b", "x: ;  n=b,c"]),
        ResolutionRow(
            "A.6: without lists there is no restriction", #"{"a:p":{"t":{},"v":{"n":[]},"x":{"ref":["t"]}}}"#,
            ["t: ; ", "v: ;  n=", "x: ; "]),
        ResolutionRow(
            "A.6: an imported target",
            "{\(base),"
                + #""a:p":{"imports":{"a:b":{}},"x":{"s":["u:x"],"ref":["a:b i"]}}}"#,
            ["x: u:i u:x; ", "imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.6: an explicit target must be listed by the import",
            "{\(base),"
                + #""a:p":{"imports":{"a:b":{}},"x":{"s":["u:x"],"ref":["a:b e"]}}}"#,
            ["x: u:x; ", "imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.6: a listed explicit target",
            "{\(base),"
                + #""a:p":{"imports":{"a:b":{"entries":["e"]}},"x":{"s":["u:x"],"ref":["a:b e"]}}}"#,
            ["x: u:e u:x; ", "imported-a:b-i: u:i; ", "imported-a:b-e: u:e;  explicit"]),
        ResolutionRow(
            "A.6: a target that may never be imported or is not there is passed over, with its list",
            "{\(base),"
                + #""a:p":{"imports":{"a:b":{},"a:z":{}},"x":{"s":["u:x"],"ref":["a:b n","a:b zz","a:z i"]}}}"#,
            ["x: u:x; ", "imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.6: a transitive target by its nested label",
            "{\(base),"
                + #""a:c":{"imports":{"a:b":{}}},"a:p":{"imports":{"a:c":{"transitiveImports":["a:b"]}},"#
                + #""x":{"ref":["a:c imported-a:b-i"]}}}"#,
            ["x: u:i; ", "imported-a:c-imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.5.3: references of the imported policy are resolved there",
            #"{"a:b":{"t":{"s":["u:t"],"i":"explicit"},"x":{"s":["u:x"],"ref":["t"]}},"a:p":{"imports":{"a:b":{}},"#
                + #""t":{"s":["u:other"]},"y":{"ref":["a:b x"]}}}"#,
            ["t: u:other; ", "y: u:t u:x; ", "imported-a:b-x: u:t u:x; "]),
        ResolutionRow(
            "A.6: a label that looks like that of another policy is not mistaken for it",
            #"{"a:b":{"c-d":{"s":["u:right"]}},"a:b-c":{"d":{"s":["u:wrong"]}},"#
                + #""a:p":{"imports":{"a:b-c":{},"a:b":{}},"x":{"ref":["a:b c-d"]}}}"#,
            ["x: u:right; ", "imported-a:b-c-d: u:wrong; ", "imported-a:b-c-d: u:right; "]),
    ]

    static let roots: [ResolutionRow] = [
        ResolutionRow(
            "A.7: implicit entries of a root", "{\(base)," + #""a:p":{"x":{}}}"#, roots: ["a:b"],
            ["x: ; ", "nsimported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.7: what a root imports counts as well",
            "{\(base),"
                + #""a:r":{"imports":{"a:b":{"entries":["e"]}},"y":{"ref":["a:b e"]}},"a:p":{}}"#, roots: ["a:r"],
            ["nsimported-a:r-y: u:e; ", "nsimported-a:r-imported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.7: roots behind imports, in their order; missing ones and the policy itself are passed over",
            "{\(base)," + #""a:r":{"y":{"s":["u:r"]}},"a:p":{"imports":{"a:b":{}},"x":{}}}"#,
            roots: ["a:r", "a:z", "a:p", "a:b"],
            ["x: ; ", "imported-a:b-i: u:i; ", "nsimported-a:r-y: u:r; ", "nsimported-a:b-i: u:i; "]),
        ResolutionRow(
            "A.7: a root is no target of references",
            "{\(base),"
                + #""a:p":{"imports":{"a:b":{}},"x":{"ref":["a:b e"]}}}"#, roots: ["a:b"],
            ["x: ; ", "imported-a:b-i: u:i; ", "nsimported-a:b-i: u:i; "]),
    ]

    @Test("a policy is resolved to one list of entries", arguments: imports + references + roots)
    func entries(_ row: ResolutionRow) throws {
        let resolved = try PolicyWorld(row.world).resolved("a:p", roots: row.roots)
        #expect(resolved.short == row.expected)
        #expect(resolved.passedOver.isEmpty)
        // Own entries show their references, as stored; imported ones have none left.
        #expect(resolved.entries.allSatisfy { $0.origin == .own || $0.entry.references.isEmpty })
    }

    @Test("A.6: the first reference decides how a subject is written, and any reference before the entry itself")
    func subjectInstances() throws {
        let world = try PolicyWorld(
            #"{"a:p":{"t":{"s":["u:1"],"type":"first"},"v":{"s":["u:1","u:2"],"type":"second"},"#
                + #""x":{"s":["u:1","u:2","u:3"],"type":"own","ref":["t","v"]}}}"#)
        let entry = try #require(try world.resolved("a:p").entries.last?.entry)
        #expect(entry.subjects.map(\.id) == ["u:1", "u:2", "u:3"])
        #expect(entry.subjects.map(\.type) == ["first", "second", "own"])
    }

    @Test("A.1.3: every entry knows where it comes from, and the policy on which others it depends")
    func origins() throws {
        let world = try PolicyWorld(
            #"{"a:t":{"x":{}},"a:b":{"imports":{"a:t":{},"a:gone":{}},"y":{}},"#
                + #""a:r":{"imports":{"a:b":{"transitiveImports":["a:t"]}},"z":{}},"#
                + #""a:p":{"imports":{"a:b":{"transitiveImports":["a:t","a:gone"]},"a:lost":{}},"own":{}}}"#)
        let resolved = try world.resolved("a:p", roots: ["a:r", "a:nowhere"])
        let ids = { (texts: [String]) in try texts.map { try PolicyID($0) } }
        #expect(
            try resolved.entries.map(\.origin) == [
                .own, .imported(ids(["a:b"])), .imported(ids(["a:b", "a:t"])), .namespaceRoot(ids(["a:r"])),
                .namespaceRoot(ids(["a:r", "a:b"])), .namespaceRoot(ids(["a:r", "a:b", "a:t"])),
            ])
        #expect(resolved.entries.map(\.sourceLabel) == ["own", "y", "x", "z", "y", "x"])
        #expect(try resolved.dependencies == ids(["a:b", "a:t", "a:gone", "a:lost", "a:r", "a:nowhere"]))
    }

    @Test("everything that can be known to be needed is asked for at once, and each policy once")
    func needs() throws {
        let world = try PolicyWorld(
            #"{"a:b":{"imports":{"a:t":{},"a:u":{}}},"a:r":{"imports":{"a:v":{}}},"#
                + #""a:p":{"imports":{"a:b":{"transitiveImports":["a:t","a:u"]},"a:c":{},"a:t":{}},"own":{}}}"#)
        let asked = try world.resolution(
            of: "a:p", roots: ["a:r", "a:c", "a:w"], notLoaded: ["a:t", "a:c", "a:v", "a:w"])
        guard case .needs(let policies) = asked else {
            Issue.record("resolved without what it needs")
            return
        }
        #expect(policies.map(\.text) == ["a:t", "a:c", "a:v", "a:w"])
    }

    @Test("another policy is looked up once, the policy itself never")
    func lookups() throws {
        let world = try PolicyWorld(
            #"{"a:r":{"imports":{"a:p":{}}},"a:b":{"imports":{"a:c":{}}},"a:c":{},"#
                + #""a:p":{"imports":{"a:b":{"transitiveImports":["a:c"]},"a:c":{}},"x":{"s":["u:x"]}}}"#)
        let policy = try #require(world.policies[try PolicyID("a:p")])
        var asked: [String] = []
        let roots = try ["a:r", "a:c", "a:p"].map { try PolicyID($0) }
        let resolution = policy.resolved(roots: roots) { id in
            asked.append(id.text)
            return world.policies[id].map(PolicyLookup.found) ?? .absent
        }
        #expect(asked == ["a:b", "a:c", "a:r"])
        guard case .resolved(let resolved) = resolution else {
            Issue.record("not resolved")
            return
        }
        #expect(resolved.short == ["x: u:x; ", "nsimported-a:r-imported-a:p-x: u:x; "])
    }

    @Test("A.5.2: a way of more than ten imports ends there, with what was resolved")
    func depth() throws {
        var policies: [String] = [#""a:12":{"x":{}}"#]
        for number in 0..<12 {
            let rest = #"{"transitiveImports":["a:\#(number + 2)"]}"#
            policies.append(#""a:\#(number)":{"imports":{"a:\#(number + 1)":\#(rest)},"x":{}}"#)
        }
        let resolved = try PolicyWorld("{\(policies.joined(separator: ","))}").resolved("a:0")
        #expect(resolved.entries.count == 1 + ResolutionLimits.depth)
        #expect(resolved.passedOver.map { $0.map(\.text) } == [(1...11).map { "a:\($0)" }])
        #expect(resolved.dependencies.count == ResolutionLimits.depth)
    }

    @Test("A.5.2: policies that import each other crosswise come to an end")
    func crosswise() throws {
        let ids = (0..<11).map { "a:\($0)" }
        let policies = ids.map { id in
            let others = ids.filter { $0 != id }
            let imports = others.map { other in
                let listed = others.filter { $0 != other }.map { "\"\($0)\"" }.joined(separator: ",")
                return #""\#(other)":{"transitiveImports":[\#(listed)]}"#
            }
            return #""\#(id)":{"imports":{\#(imports.joined(separator: ","))},"x":{}}"#
        }
        let resolved = try PolicyWorld("{\(policies.joined(separator: ","))}").resolved("a:0")
        #expect(resolved.entries.count <= 11 + ResolutionLimits.transitiveImports)
        #expect(!resolved.passedOver.isEmpty)
        #expect(ids.dropFirst().allSatisfy { id in resolved.entries.contains { $0.entry.label == "imported-\(id)-x" } })
    }
}
