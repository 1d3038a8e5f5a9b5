import Testing
import TwinspanJSON

@Suite struct JSONObjectTests {
    @Test("members keep their order; setting an existing one keeps its place")
    func order() {
        var object: JSONObject = ["z": 1, "a": 2, "m": 3]
        object["a"] = 9
        object["new"] = nil
        object["b"] = 4
        #expect(object.keys == ["z", "a", "m", "b"])
        #expect(object["a"] == 9)
        object["z"] = nil
        #expect(object.keys == ["a", "m", "b"])
        #expect(object.count == 3)
        #expect(object.map(\.key) == object.keys)
    }

    @Test("a member set to JSON null is there; one set to nil is gone")
    func null() {
        var object = JSONObject()
        object["a"] = .null
        #expect(object.count == 1)
        #expect(object["a"]?.isNull == true)
        object["a"] = nil
        #expect(object.isEmpty)
    }

    @Test("remove returns the value")
    func remove() {
        var object: JSONObject = ["a": 1]
        #expect(object.remove("b") == nil)
        #expect(object.remove("a") == 1)
        #expect(object.isEmpty)
    }

    @Test("of members with the same key, the first place and the last value stay")
    func duplicates() {
        let object = JSONObject([("a", 1), ("b", 2), ("a", 3), ("é", 4), ("e\u{301}", 5), ("a", 6)])
        #expect(object.keys == ["a", "b", "é", "e\u{301}"])
        #expect(object["a"] == 6)
        #expect(object["e\u{301}"] == 5)
    }
}
