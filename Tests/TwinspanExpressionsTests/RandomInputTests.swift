import Testing
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol

/// Throws random text at both parsers. A trap would end the test run; whatever compiles is also evaluated.
@Suite("Random input")
struct RandomInputTests {
    private static let seed: UInt64 = 0x5EED_2024
    private static let count = 20_000

    private static let pieces = [
        "{{", "}}", "${", "}", "{", " ", "|", "fn:", "fn:default(", "fn:filter(", "fn:split('", "fn:format('",
        "fn:replace(",
        "fn:substring-before(", "fn:join(", "fn:lower()", "fn:base64-decode()", "fn:url-decode()", "fn:delete()",
        "')", "'", "\"",
        ",", "(", ")", "\\", "thing:id", "header:a", "thing-json:/a/b", "time:now", "-1h", "[d]",
        "time:now_epoch_millis", "topic:",
        "eq(", "ne(", "in(", "and(", "or(", "not(", "exists(", "empty(", "like(", "ilike(", "gt(", "attributes/a",
        "attributes/",
        "features/x", "/properties/y", "/", "~1", "~0", "1", "-0", "1.5", "99999999999999999999", "null", "true",
        "\\u0041",
        "\\uD83D", "ä", "😀", "\u{0}", "\n", "#a}", "/a}", ".}", "[^a-z]", "a*", "(?:b|c){2,3}", "x", ":", "e\u{301}",
        "'like','*?|b'", "'exists'", "\u{2028}",
    ]

    private static func text(_ generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...14, using: &generator) {
            text += pieces[Int.random(in: 0..<pieces.count, using: &generator)]
        }
        return text
    }

    /// A text that is likely to compile, with one random change.
    private static func mutated(_ sample: String, _ generator: inout SeededGenerator) -> String {
        var scalars = Array(sample.unicodeScalars)
        let position = Int.random(in: 0..<scalars.count, using: &generator)
        switch Int.random(in: 0...2, using: &generator) {
        case 0: scalars.remove(at: position)
        case 1: scalars.insert(contentsOf: text(&generator).unicodeScalars, at: position)
        default: scalars[position] = Unicode.Scalar(UInt8.random(in: 0...127, using: &generator))
        }
        return String(String.UnicodeScalarView(scalars))
    }

    private static func check(_ offset: Int, in text: String) {
        if offset < 0 || offset > text.utf8.count {
            Issue.record("offset \(offset) is outside of the text; seed \(seed): \(text)")
        }
    }

    @Test("no text traps the placeholder parser")
    func placeholders() {
        var generator = SeededGenerator(seed: Self.seed)
        let resolver = TableResolver([
            "thing:id": .one("acme:d1"), "header:a": .many(["{\"a\":[1,{\"b\":2}]}", "x,y", ""]),
            "thing-json:/a/b": .one("YWJj"),
        ])
        let sample =
            "a{{ header:a | fn:split('[,;]+') | fn:filter('like','x*|y') | fn:default(thing:id) }}${time:now-1d[d]}"
        var compiled = 0
        for index in 0..<Self.count {
            let text = index % 2 == 0 ? Self.text(&generator) : Self.mutated(sample, &generator)
            for candidate in [text, "{{ \(text) }}"] {
                do {
                    _ = try PlaceholderTemplate.parse(candidate, scope: .address).resolve(resolver)
                    compiled += 1
                } catch {
                    Self.check(error.offset, in: candidate)
                }
            }
            if let expression = try? PipelineExpression.parse(text, scope: .mapperCondition) {
                _ = expression.resolve(resolver, input: .many(["a", "{\"a\":1}"]))
            }
        }
        #expect(compiled > 1_000)
    }

    @Test("no text traps the filter parser")
    func filters() {
        var generator = SeededGenerator(seed: Self.seed)
        let thing: JSONValue = ["thingId": "a:b", "attributes": ["a": [1, ["x", nil], ["b": 2]], "b": "y"]]
        let sample =
            "and(eq(attributes/a,1.5),or("
            + "like(attributes/b,\"x*\\u0041\"),in(topic:action,'a',2,null)),not(exists(features/x)))"
        var compiled = 0
        for index in 0..<Self.count {
            let text = index % 2 == 0 ? Self.text(&generator) : Self.mutated(sample, &generator)
            do {
                let filter = try RQLFilter.parse(text, placeholders: .connection)
                _ = filter.matches(thing)
                _ = filter.evaluate(thing) { $0.segments.count == 2 }
                compiled += 1
            } catch {
                Self.check(error.offset, in: text)
            }
            do {
                let filter = try RQLSearchFilter.parse(text)
                // Nothing but the id may be read: then no predicate on another field holds.
                _ = filter.matches(thing) { $0.segments == ["thingId"] }
                _ = filter.matches(thing)
            } catch {
                Self.check(error.offset, in: text)
            }
        }
        #expect(compiled > 500)
    }

    @Test("no text traps the parser of search options")
    func options() {
        var generator = SeededGenerator(seed: Self.seed)
        let sample = "sort(+attributes/a,-thingId),size(25)"
        let thing: JSONValue = ["thingId": "a:b", "attributes": ["a": [1, ["x", nil], ["b": 2]]]]
        var compiled = 0
        for index in 0..<Self.count {
            let text = index % 4 == 0 ? Self.text(&generator) : Self.mutated(sample, &generator)
            do {
                let options = try RQLOptions.parse([text])
                #expect(options.sortValues(of: thing).count == options.sort.count)
                compiled += 1
            } catch {
                #expect(error.code == "thing-search:search.option.invalid")
            }
        }
        #expect(compiled > 1_000)
    }
}
