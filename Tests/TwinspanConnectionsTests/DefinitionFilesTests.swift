import Testing

@testable import TwinspanConnections

@Suite("Definition files")
struct DefinitionFilesTests {
    /// A file, its text, and whether it holds a connection, a policy or a thing.
    static let rows: [(file: String, text: String, kind: String)] = [
        // The directory decides, whatever is in the file.
        ("policies/a.yaml", "", "policy"), ("x/policies/a.json", "id: c", "policy"), ("things/a.yml", "[", "thing"),
        ("connections/a.yaml", "policyId: a:b", "connection"),
        // Elsewhere the keys of the first document do.
        ("d/a.yaml", "policyId: a:b\nentries: {}", "policy"), ("d/a.yaml", "entries: {}", "policy"),
        ("d/a.yaml", "---\n---\nimports: {}", "policy"), ("d/a.yaml", "thingId: a:b\npolicyId: a:b", "thing"),
        ("d/a.yaml", "policyId: a:b\nattributes: {}", "thing"), ("d/a.yaml", "features: {}", "thing"),
        ("d/a.yaml", "id: c\nconnectionType: mqtt", "connection"), ("d/a.yaml", "sources: []", "connection"),
        ("d/a.yaml", "key: 1", "connection"), ("d/a.yaml", "", "connection"), ("d/a.yaml", "a: [", "connection"),
        ("d/a.yaml", "- policyId: a:b", "connection"),
    ]

    @Test("directory and keys tell what a file holds", arguments: rows)
    func kinds(file: String, text: String, kind: String) {
        let files = DefinitionFiles(paths: [file], environment: .memory([file: text]))
        #expect(files.connections == (kind == "connection" ? [file] : []))
        #expect(files.policies == (kind == "policy" ? [file] : []))
        #expect(files.things == (kind == "thing" ? [file] : []))
    }

    @Test("directories are taken apart, and what leads nowhere is left to the reader of connections")
    func directories() {
        let texts = ["d/c.yaml": "uri: x", "d/p.yaml": "entries: {}", "d/t.yaml": "thingId: a:b"]
        let files = DefinitionFiles(paths: ["d", "nowhere"], environment: .memory(texts))
        #expect(files.connections == ["d/c.yaml", "nowhere"])
        #expect(files.policies == ["d/p.yaml"] && files.things == ["d/t.yaml"])
    }
}
