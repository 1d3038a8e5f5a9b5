import Testing
import TwinspanJSON

@testable import TwinspanConnections

@Suite("Seed files")
struct SeedFilesTests {
    private func load(_ text: String) -> LoadedSeeds {
        SeedFiles.load(paths: ["s"], environment: .memory(["s/a.yaml": text], variables: ["USER": "nginx:ditto"]))
    }

    @Test("every document becomes JSON, without what is ours")
    func documents() {
        let loaded = load(
            "policyId: a:b\nentries: {x: {subjects: {\"k\": {type: \"${USER}\"}}}}\n"
                + "twinspan: {apply: always}\n---\npolicyId: c:d\n")
        #expect(loaded.diagnostics == [])
        #expect(
            loaded.documents.map(\.json) == [
                ["policyId": "a:b", "entries": ["x": ["subjects": ["k": ["type": "nginx:ditto"]]]]],
                ["policyId": "c:d"],
            ])
        #expect(loaded.documents.map(\.application) == [.always, .missing])
        #expect(loaded.documents.map(\.line) == [1, 5])
    }

    @Test("whoever understands the JSON can report its problems at their lines")
    func problems() throws {
        let seed = try #require(load("policyId: a:b\nentries:\n  x:\n    resources: {}\n").documents.first)
        let diagnostic = seed.diagnostic(at: "/entries/x/subjects", "there are no subjects", hint: "add one")
        #expect(diagnostic?.description == "s/a.yaml:4:5: error: there are no subjects. add one")
        #expect(diagnostic?.excerpt.last?.text == "    resources: {}")
        #expect(seed.diagnostic(.warning, at: "/policyId", "hm")?.at == "1:11")
    }

    @Test("a path marks a value or its key, whatever characters the key has")
    func keys() throws {
        let seed = try #require(
            load("entries:\n  x:\n    resources:\n      thing:/: {grant: [READ, W]}\n").documents.first)
        let path: ConfigurationPath = ["entries", "x", "resources", "thing:/"]
        #expect(seed.diagnostic(at: path, isAboutKey: true, "m")?.at == "4:7")
        #expect(seed.diagnostic(at: path, "m")?.at == "4:16")
        #expect(seed.diagnostic(at: ConfigurationPath(path.steps + ["grant", 1]), "m")?.at == "4:31")
        #expect(seed.diagnostic(at: ["entries", "y"], isAboutKey: true, "m")?.at == "2:3")
        #expect(seed.diagnostic(at: [], isAboutKey: true, "m")?.at == "1:1")
    }

    @Test("a file with nothing in it is told", arguments: ["", "# only words", "---\n---\n"])
    func empty(text: String) {
        let loaded = load(text)
        #expect(loaded.diagnostics.map(\.severity) == [.warning] && loaded.documents.isEmpty)
    }

    @Test(
        "what is wrong is said where it is",
        arguments: [
            ("[a]", "1:1", "expected an object, found a list"), ("a: [", "1:5", "expected a value"),
            ("a: 1\ntwinspan: {apply: never}", "2:19", "unknown word 'never' for 'apply'"),
            ("a: 1\ntwinspan: {aply: always}", "2:12", "unknown key 'aply' in 'twinspan'"),
            ("a: 1\ntwinspan: 5", "2:11", "expected an object for 'twinspan'"),
            ("a: ${NONE}", "1:4", "the environment variable 'NONE' is not set"),
        ])
    func wrong(_ text: String, _ at: String, _ says: String) throws {
        let loaded = load(text)
        let diagnostic = try #require(loaded.diagnostics.first)
        #expect(diagnostic.at == at)
        #expect(diagnostic.message.contains(says))
        #expect(loaded.documents.isEmpty)
    }
}
