import Testing
import TwinspanProtocol

@Suite("Ids")
struct NamespacedIDTests {
    static let legal: [(String, String, String)] = [
        ("a:b", "a", "b"), (":foo", "", "foo"), ("a.b-c:d", "a.b-c", "d"), ("A1_x:y", "A1_x", "y"),
        ("n:x:y", "n", "x:y"), ("n:a b+c%d", "n", "a b+c%d"), ("n:Ā", "n", "Ā"), ("n:日本", "n", "日本"),
        ("n:" + String(repeating: "x", count: 254), "n", String(repeating: "x", count: 254)),
        ("n:" + String(repeating: "日", count: 254), "n", String(repeating: "日", count: 254)),
    ]

    @Test("legal ids have a namespace and a name", arguments: legal)
    func legalIDs(text: String, namespace: String, name: String) throws {
        let thing = try ThingID(text)
        #expect((thing.text, thing.namespace, thing.name) == (text, namespace, name))
        let policy = try PolicyID(text)
        #expect((policy.text, policy.namespace, policy.name) == (text, namespace, name))
        #expect(thing.policyID == policy)
    }

    static let illegal = [
        "", ":", "foo", "a:", "1a:x", "a..b:x", "a.:x", ".a:x", "a-:x", "-a:x", "a b:x", "a/b:x", "_a:x", "ä:x",
        "n:a/b", "n:/", "n:\u{0}", "n:\u{1F}", "n:a\nb", "n:\u{7F}", "n:\u{80}", "n:ü", "n:\u{FF}",
        "n:" + String(repeating: "x", count: 255), "n:" + String(repeating: "日", count: 255),
        "n:" + String(repeating: "😀", count: 128),
    ]

    @Test("illegal ids are refused with the code of their kind", arguments: illegal)
    func illegalIDs(text: String) {
        #expect(throws: TwinspanError.thingIDInvalid(text)) { try ThingID(text) }
        #expect(throws: TwinspanError.policyIDInvalid(text)) { try PolicyID(text) }
        #expect(TwinspanError.thingIDInvalid(text).code == "things:id.invalid")
        #expect(TwinspanError.policyIDInvalid(text).code == "policies:id.invalid")
    }

    @Test("ids are the same only when their bytes are")
    func bytes() throws {
        let composed = try ThingID("n:\u{1E9B}\u{323}")
        let other = try ThingID("n:\u{1E9B}\u{307}")
        #expect(composed != other)
        #expect("\u{212B}" == "\u{C5}", "Swift itself would call these two the same")
        #expect(try ThingID("n:\u{1112}\u{1161}\u{11AB}") != ThingID("n:\u{D55C}"))
    }

    @Test(
        "connection ids",
        arguments: [
            ("a", true), ("a-b_c:D9", true), (String(repeating: "x", count: 100), true), ("", false), ("a b", false),
            ("ä", false), ("a/b", false), (String(repeating: "x", count: 101), false),
        ])
    func connections(text: String, isLegal: Bool) {
        if isLegal {
            #expect(throws: Never.self) { try ConnectionID(text) }
        } else {
            #expect(throws: TwinspanError.self) { try ConnectionID(text) }
        }
    }
}
