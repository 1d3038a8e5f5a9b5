import Testing
import TwinspanProtocol

@Suite("NamespacePattern")
struct NamespacePatternTests {
    static let rows: [(String, String, Bool)] = [
        ("a.b", "a.b", true), ("a.b", "a.b.c", false), ("a.b", "a", false), ("a.b", "A.b", false), ("a.b", "", false),
        ("a.b.*", "a.b.c", true), ("a.b.*", "a.b.c.d", true), ("a.b.*", "a.b", false), ("a.b.*", "a.b.", false),
        ("a.b.*", "a.bc", false), ("a.b.*", "x.a.b.c", false), ("a.*", "a-b", false), ("a.*", "", false),
    ]

    @Test("a namespace matches by whole segments", arguments: rows)
    func matching(_ pattern: String, _ namespace: String, _ isMatch: Bool) throws {
        let pattern = try #require(NamespacePattern(pattern))
        #expect(pattern.matches(namespace) == isMatch)
    }

    @Test(
        "other wildcards and illegal namespaces are refused",
        arguments: [
            "", "*", ".*", "a*", "a.b*", "*.a", "a.*.b", "a..b", "a.b.", "1a", "a b", "a/b", "a:b", "a:b.*", "a.*.*",
        ])
    func invalid(_ text: String) {
        #expect(NamespacePattern(text) == nil)
    }
}
