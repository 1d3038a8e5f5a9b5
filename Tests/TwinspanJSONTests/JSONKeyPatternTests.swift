import Testing

@testable import TwinspanJSON

@Suite struct JSONKeyPatternTests {
    @Test(
        "expressions match whole keys as in Java",
        arguments: [
            ("a", ["a"], ["", "b", "aa", "ba"]), ("", [""], ["a"]), ("a*", ["", "a", "aaaa"], ["b", "aab"]),
            ("a+", ["a", "aa"], [""]), ("ab?c", ["ac", "abc"], ["abbc"]), ("a{2}", ["aa"], ["a", "aaa"]),
            ("a{2,}", ["aa", "aaaaa"], ["a"]), ("a{0,2}b", ["b", "ab", "aab"], ["aaab"]), ("a{0}", [""], ["a"]),
            (".", ["a", "é", "😀"], ["", "ab", "\n", "e\u{301}"]), (".*", ["", "anything"], ["a\nb"]),
            ("a|bc|", ["a", "bc", ""], ["b", "abc"]), ("(a|b)*c", ["c", "abbac"], ["ab"]),
            ("(?:ab)+", ["abab"], ["aba"]),
            ("(?<year>\\d{4})-\\d\\d", ["2023-01"], ["2023-1", "x2023-01"]), ("[abc]", ["a", "c"], ["d", ""]),
            ("[a-c_-]+", ["a-b_c"], ["d"]), ("[^a-c]", ["d", "é"], ["a", ""]), ("[]a]", ["]", "a"], ["b"]),
            ("[\\d.]+", ["1.5"], ["1,5"]), ("[^\\w]", ["-", "é"], ["a", "_"]), ("[\\]\\-]+", ["]-"], ["\\"]),
            ("[\\W]", ["-"], ["a"]), ("\\w+\\s\\S\\D", ["a1_ xy"], ["a1_ x1"]), ("\\.\\*\\\\", [".*\\"], ["..\\"]),
            ("\\x41\\u00e9", ["Aé"], ["Ae\u{301}"]), ("^a$", ["a"], ["", "ba"]), ("a^b", [], ["ab", "a"]),
            ("a$b", [], ["ab"]),
            ("a*?b", ["b", "aab"], ["a"]), ("(a*)*", ["", "aaa"], ["b"]), ("(|a)+", ["", "aa"], ["b"]),
            ("}]", ["}]"], ["}"]),
            ("sensor-[0-9]{1,3}(_old)?", ["sensor-1", "sensor-123_old"], ["sensor-1234", "sensor-"]),
        ] as [(String, [String], [String])])
    func matching(_ expression: String, _ matching: [String], _ other: [String]) throws {
        let pattern = try JSONKeyPattern(expression)
        for key in matching { #expect(pattern.matches(key), "\(key)") }
        for key in other { #expect(!pattern.matches(key), "\(key)") }
    }

    @Test(
        "what is malformed or not offered is refused",
        arguments: [
            "(", ")", "a)", "(a", "(?", "(?<", "(?<>a)", "(?<1", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?i)a", "(?>a)",
            "[",
            "[]", "[a", "[^]", "[a-", "[b-a]", "[a-\\d]", "[[a]]", "[a&&b]", "*", "+a", "?", "a**", "a{", "a{}",
            "a{,2}", "a{2",
            "a{2,1}", "a{1001}", "{2}", "a|*", "\\", "\\b", "\\1", "\\p{L}", "\\Qa\\E", "\\x4", "\\u12g4", "a++", "a*+",
            "a{2}{3}",
            "(a{1000}){1000}", "((((a{9}){9}){9}){9}){9}", "(((((){999}){999}){999}){999}){999}",
            String(repeating: "(", count: 20) + String(repeating: ")", count: 20), String(repeating: "a", count: 257),
        ])
    func refused(_ expression: String) {
        #expect(throws: JSONKeyPatternError.self) { try JSONKeyPattern(expression) }
    }

    @Test(
        "expressions that make backtracking matchers explode take no time",
        arguments: ["(a+)+b", "(a|a)*b", "(a*)*b", "(.*.*)*b"])
    func linear(_ expression: String) throws {
        #expect(try !JSONKeyPattern(expression).matches(String(repeating: "a", count: 5000)))
    }

    @Test("random expressions never trap")
    func random() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "a", "b", "(", ")", "[", "]", "*", "+", "?", "|", "{2}", "{1,3}", "\\", "d", "^", "$", "-", ".", "(?:", "é",
        ]
        for _ in 0..<20_000 {
            let expression = (0..<Int.random(in: 0...8, using: &generator))
                .map { _ in pieces[Int.random(in: 0..<pieces.count, using: &generator)] }.joined()
            // Most are malformed; that is an answer too.
            _ = (try? JSONKeyPattern(expression))?.matches("abba")
        }
    }

    @Test(
        "the expression stands between the delimiters",
        arguments: [
            ("{{~a~}}", "a"), ("{{/a/}}", "a"), ("{{ ~a~ }}", "a"), ("{{~~}}", ""), ("{{~a/b~}}", "a/b"),
            ("{{~}}", nil),
            ("{{~a/}}", nil), ("{{a}}", nil), ("{~a~}", nil), ("{{~a~}", nil), ("~a~", nil), ("", nil), ("{{}}", nil),
        ] as [(String, String?)])
    func delimiters(_ key: String, _ expression: String?) {
        #expect(JSONKeyPattern.expression(in: key) == expression)
    }

    @Test("the expressions of one patch share a budget")
    func budget() {
        let target = JSONObject((0..<2000).map { ("\($0)-" + String(repeating: "x", count: 250), 1) })
        let expression = "(x{1,100}){1,4}"
        let patch = JSONObject((0..<300).map { ("{{~\(expression)\($0)~}}", .null) })
        #expect(throws: JSONMergePatchError.self) { try JSONMergePatch.apply(.object(patch), to: .object(target)) }
    }
}
