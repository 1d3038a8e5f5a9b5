import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("ThingResource")
struct ThingResourceTests {
    static let illegal: [(String, String)] = [
        ("/thingId", "protocoladapter:unknown.path"), ("/nothing", "protocoladapter:unknown.path"),
        ("/_policy", "protocoladapter:unknown.path"), ("/policyId/x", "protocoladapter:unknown.path"),
        ("/definition/x", "protocoladapter:unknown.path"), ("/Attributes", "protocoladapter:unknown.path"),
        ("/features/f/nothing", "protocoladapter:unknown.path"),
        ("/features/f/definition/0", "protocoladapter:unknown.path"),
        ("/features/f/property/x", "protocoladapter:unknown.path"),
        ("/inbox/messages/x", "protocoladapter:unknown.path"),
        ("/attributes/\u{1}", "json.key.invalid"), ("/attributes/a/b\u{7F}", "json.key.invalid"),
        ("/attributes/ü", "json.key.invalid"), ("/features/\u{1F}", "json.key.invalid"),
        ("/features/\(String(repeating: "x", count: 257))", "json.key.invalid"),
        ("/features/f/properties/\u{9F}", "json.key.invalid"),
        ("/features/f/desiredProperties/a/\u{0}", "json.key.invalid"),
    ]

    @Test("paths that address nothing are refused", arguments: illegal)
    func refused(path: String, code: String) throws {
        let pointer = try JSONPointer(parsing: path)
        do throws(TwinspanError) {
            _ = try ThingResource(pointer)
            Issue.record("\(path) was taken")
        } catch {
            #expect((error.code, error.status) == (code, 400))
        }
    }

    @Test("the feature of a resource is known")
    func feature() throws {
        for (path, feature) in [
            ("/", nil), ("/attributes/features/x", nil), ("/features", nil), ("/features/f", "f"),
            ("/features/f/properties/a", "f"),
        ] as [(String, String?)] {
            #expect(try ThingResource(try JSONPointer(parsing: path)).featureID == feature)
        }
    }

    @Test(
        "keys are legal up to 256 UTF-16 units without slash and control characters",
        arguments: [
            ("a", true), (" ", true), ("日本", true), ("a~b", true), ("{{x}}", true), ("*", true),
            (String(repeating: "x", count: 256), true), (String(repeating: "😀", count: 128), true),
            ("", false), ("a/b", false), ("/", false), ("\n", false), ("\u{85}", false), ("ß", false),
            (String(repeating: "x", count: 257), false), (String(repeating: "😀", count: 129), false),
        ])
    func keys(key: String, isLegal: Bool) {
        #expect(ThingResource.isLegalKey(key) == isLegal)
    }

    @Test("an attribute without a key has a code of its own")
    func emptyAttribute() {
        let error = #expect(throws: TwinspanError.self) {
            try ThingResource(JSONPointer(segments: ["attributes", ""]))
        }
        #expect(error?.code == "things:attribute.pointerinvalid")
        #expect(error?.status == 400)
        let deeper = #expect(throws: TwinspanError.self) {
            try ThingResource(JSONPointer(segments: ["attributes", "a", ""]))
        }
        #expect(deeper?.code == "json.key.invalid")
    }
}
