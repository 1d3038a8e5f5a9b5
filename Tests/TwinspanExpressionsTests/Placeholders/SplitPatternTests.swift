import Testing

@testable import TwinspanExpressions

@Suite("SplitPattern")
struct SplitPatternTests {
    @Test(
        "texts are split as java.lang.String.split does",
        arguments: [
            (",", "a,b", ["a", "b"]), (",", "a,,b", ["a", "", "b"]), (",", ",a", ["", "a"]), (",", "a,,", ["a"]),
            (",", ",", []), (",", "", [""]), ("", "abc", ["a", "b", "c"]), ("", "", [""]),
            ("[,;]", "a,b;c", ["a", "b", "c"]), (#"\s+"#, "a  b\tc", ["a", "b", "c"]),
            (#"\s*,\s*"#, "a , b,c", ["a", "b", "c"]),
            (#"\."#, "a.b", ["a", "b"]), (".", "abc", []), (#"\\"#, #"a\b"#, ["a", "b"]),
            ("ab|cd", "1ab2cd3", ["1", "2", "3"]),
            ("(a|b)c", "1ac2bc3", ["1", "2", "3"]), ("(?:x){2}", "axxb", ["a", "b"]),
            ("x{2,}", "axbxxxc", ["axb", "c"]),
            ("x{1,2}", "axxxb", ["a", "", "b"]), ("x+?", "axxb", ["a", "", "b"]), ("[^a-z]", "a1b", ["a", "b"]),
            ("[a-]", "1a2-3", ["1", "2", "3"]), ("[]x]", "1]2", ["1", "2"]), (#"[\d\-]"#, "a1b-c", ["a", "b", "c"]),
            ("^a", "aab", ["", "ab"]), ("b$", "abb", ["ab"]), (#"\D"#, "1a2", ["1", "2"]),
            (#"\W"#, "a-b", ["a", "b"]),
            ("ü", "aübü", ["a", "b"]), ("(a*)*b", "xaab", ["x"]), ("a?", "bab", ["b", "", "b"]),
            ("😀", "1😀2", ["1", "2"]),
            (#"\t"#, "a\tb", ["a", "b"]), ("(|a)x", "1ax2x3", ["1", "2", "3"]),
        ] as [(String, String, [String])])
    func splits(pattern: String, text: String, expected: [String]) throws {
        #expect(try SplitPattern(pattern).split(text) == expected)
    }

    @Test(
        "an unsupported separator is refused",
        arguments: [
            "[", "[]", "[^]", "[a", "(", ")", "a)", "(a", "*", "+", "?", "{2}", "a|*", "a{", "a{x}", "a{2", "a{3,2}",
            "a++", "(?=a)",
            "(?<n>a)", #"\"#, #"\1"#, #"\b"#, #"\Q"#, "[b-a]", "[[a]]", "[a&&b]", #"[\"#, #"[\D]"#,
            "((((a{99}){99}){99}){99})",
            String(repeating: "(", count: 100), "(a{2000}){2000}", "(?", "[a-\\",
        ])
    func refuses(pattern: String) {
        #expect(throws: RegularExpression.Failure.self) { try SplitPattern(pattern) }
    }

    @Test("a pattern that makes backtracking engines explode stays linear")
    func linear() throws {
        let text = String(repeating: "a", count: 5_000)
        #expect(try SplitPattern("(a+)+b").split(text) == [text])
    }
}
