import Testing

@testable import TwinspanExpressions

@Suite("WildcardPattern")
struct WildcardPatternTests {
    @Test(
        "the whole text has to match",
        arguments: [
            ("", "", true), ("*", "", true), ("*", "abc", true), ("**", "abc", true), ("?", "a", true),
            ("?", "ä", true),
            ("?", "😀", true), ("a?c", "abc", true), ("a*c", "ac", true), ("a*c", "abcc", true), ("*b*", "abc", true),
            ("*a*b*c*", "xaybzc", true), ("ab*ab", "abab", true), ("*ab", "aab", true), ("*aab", "aaab", true),
            (".^$[]\\", ".^$[]\\", true), ("a\n*", "a\nb", true), ("*\nb", "a\nb", true),
            ("", "a", false), ("?", "", false), ("?", "ab", false), ("??", "ä", false), ("a", "A", false),
            ("a*c", "ab", false),
            ("a.c", "abc", false), ("*b", "abc", false), ("b*", "abc", false), ("ab*ab", "aba", false),
            ("a*", "a\nb", false),
            ("*", "a\nb", false), ("a?b", "a\nb", false), ("*", "\u{2028}", false), ("?", "\u{85}", false),
            ("*b", "a\r\nb", false),
            ("*a?b", "xa\nb", false), ("[ab]", "a", false), ("a|b", "a", false),
        ])
    func matches(pattern: String, text: String, expected: Bool) {
        let compiled = WildcardPattern(pattern, splitsAlternatives: false, isCaseSensitive: true)
        #expect(compiled.matches(text) == expected)
    }

    @Test("alternatives and letter case are options")
    func options() {
        #expect(WildcardPattern("a*|b", splitsAlternatives: true, isCaseSensitive: true).matches("b"))
        #expect(WildcardPattern("K?T*", splitsAlternatives: false, isCaseSensitive: false).matches("kitchen"))
        #expect(WildcardPattern("kit*", splitsAlternatives: false, isCaseSensitive: false).matches("KITCHEN"))
        #expect(!WildcardPattern("@", splitsAlternatives: false, isCaseSensitive: false).matches("`"))
    }

    @Test("many runs on a long text stay quick")
    func quick() {
        let pattern = WildcardPattern(
            String(repeating: "*a", count: 50) + "b", splitsAlternatives: false, isCaseSensitive: true)
        #expect(!pattern.matches(String(repeating: "a", count: 20_000)))
    }
}
