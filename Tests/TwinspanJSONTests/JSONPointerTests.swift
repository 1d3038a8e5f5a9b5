import Testing
import TwinspanJSON

@Suite struct JSONPointerTests {
    @Test(
        "texts are split into keys",
        arguments: [
            ("", []), ("/", []), ("a", ["a"]), ("/a", ["a"]), ("/a/", ["a"]), ("a/", ["a"]),
            ("a/b/c", ["a", "b", "c"]),
            ("/a/b/", ["a", "b"]), ("/~0", ["~"]), ("/a~0b", ["a~b"]), ("/~1", ["~1"]), ("/~", ["~"]), ("/~~0", ["~~"]),
            ("/~00", ["~0"]), ("/~01", ["~1"]), ("/é", ["é"]), ("/a b", ["a b"]), ("/0", ["0"]), ("/*", ["*"]),
        ] as [(String, [String])])
    func parsing(_ text: String, _ segments: [String]) throws {
        #expect(try JSONPointer(parsing: text).segments == segments)
    }

    @Test(
        "consecutive slashes are refused", arguments: ["//", "///", "//a", "a//b", "/a//b", "a//", "/a/b//", "/a///b"])
    func consecutiveSlashes(_ text: String) {
        #expect(throws: JSONPointerError.consecutiveSlashes) { try JSONPointer(parsing: text) }
    }

    @Test("the number of keys is bounded")
    func segmentCount() throws {
        let deepest = String(repeating: "/a", count: 200)
        #expect(try JSONPointer(parsing: deepest).segments.count == 200)
        #expect(throws: JSONPointerError.tooManySegments) { try JSONPointer(parsing: deepest + "/a") }
    }

    @Test(
        "pointers are printed with a leading slash and escaped tildes",
        arguments: [
            ([], "/"), (["a"], "/a"), (["a", "b"], "/a/b"), (["~"], "/~0"), (["~1"], "/~01"), (["a~b"], "/a~0b"),
        ]
            as [([String], String)])
    func printing(_ segments: [String], _ text: String) throws {
        let pointer = JSONPointer(segments: segments)
        #expect(pointer.description == text)
        #expect(try JSONPointer(parsing: text) == pointer)
    }

    @Test("random keys survive printing and parsing")
    func roundTrip() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RandomDocument(seed: seed)
        for _ in 0..<2000 {
            let pointer = random.pointer()
            #expect(try JSONPointer(parsing: pointer.description) == pointer, "seed \(seed)")
        }
    }

    @Test("pointers are taken apart and put together")
    func composition() throws {
        let pointer = try JSONPointer(parsing: "/features/lamp/properties")
        #expect(pointer.first == "features")
        #expect(pointer.last == "properties")
        #expect(pointer.dropFirst().description == "/lamp/properties")
        #expect(pointer.parent?.description == "/features/lamp")
        #expect(pointer.appending("a/b").segments.last == "a/b")
        #expect(JSONPointer.root.appending(pointer) == pointer)
        #expect(pointer.appending(JSONPointer.root) == pointer)
        #expect(JSONPointer.root.isRoot)
        #expect(JSONPointer.root.parent == nil)
        #expect(JSONPointer.root.first == nil)
        #expect(JSONPointer.root.dropFirst().isRoot)
    }

    @Test(
        "a prefix ends between keys",
        arguments: [
            ("/a/b", "/", true), ("/a/b", "/a", true), ("/a/b", "/a/b", true), ("/a/b", "/a/b/c", false),
            ("/ab", "/a", false), ("/a/b", "/b", false), ("/", "/a", false), ("/é", "/e\u{301}", false),
        ])
    func prefix(_ text: String, _ prefix: String, _ expected: Bool) throws {
        #expect(try JSONPointer(parsing: text).hasPrefix(JSONPointer(parsing: prefix)) == expected)
    }

    @Test("keys are compared by their bytes, also in sets")
    func bytes() {
        let composed = JSONPointer(segments: ["é"])
        let decomposed = JSONPointer(segments: ["e\u{301}"])
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed, composed]).count == 2)
        #expect(JSONPointer(segments: ["ab", "c"]) != JSONPointer(segments: ["a", "bc"]))
    }

    @Test("the text clients compare is in the description")
    func description() {
        #expect("\(JSONPointerError.consecutiveSlashes)" == "Consecutive slashes in JSON pointers are not supported.")
    }
}
