import Foundation
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@Suite("The error tables")
struct ErrorTableTests {
    static let rows = ErrorTables.all

    @Test("every code stands for one row")
    func unique() {
        let codes = Self.rows.map(\.code)
        let repeated = Dictionary(grouping: codes) { $0 }.filter { $0.value.count > 1 }.keys.sorted()
        #expect(repeated.isEmpty, "\(repeated)")
    }

    @Test("every status is one of HTTP's for errors, or 304")
    func statuses() {
        for row in Self.rows {
            #expect((400...599).contains(row.status) || row.status == 304, "\(row.code)")
        }
    }

    /// The codes of spec/protocol.md §12.2–§12.11 with the statuses they may have.
    static let specification: [String: [Int]] = {
        guard let folder = SpecVectors.folder,
            let text = FileManager.default.contents(atPath: folder + "/../protocol.md")
                .map({ String(decoding: $0, as: UTF8.self) })
        else { return [:] }
        var codes: [String: [Int]] = [:]
        var isWanted = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("### 12.") {
                isWanted = !["### 12.1 ", "### 12.12", "### 12.13"].contains { line.hasPrefix($0) }
            }
            if line.hasPrefix("## 13") { break }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard isWanted, cells.count >= 3, cells[0].hasPrefix("`") else { continue }
            codes[cells[0].trimmingCharacters(in: ["`"])] = cells[1].split(separator: "/").compactMap { Int($0) }
        }
        return codes
    }()

    @Test(
        "the codes are those of the specification, with its statuses",
        .enabled(if: SpecVectors.folder != nil, "the specification is absent"))
    func completeness() {
        #expect(Self.specification.count > 200)
        let own = Set(Self.rows.map(\.code))
        // The fallback of §12.13 is in no table.
        #expect(own.subtracting(Self.specification.keys) == ["json.format.invalid"])
        #expect(Set(Self.specification.keys).subtracting(own) == [])
        for row in Self.rows {
            guard let statuses = Self.specification[row.code] else { continue }
            #expect(statuses.contains(row.status), "\(row.code)")
        }
    }

    @Test("an undeclared label is said literally, because clients compare it")
    func undeclaredLabel() throws {
        let expected = """
            {"status":400,"error":"acknowledgement:label.not.declared",
            "message":"Cannot send acknowledgement with label <abc>, which is not declared.",
            "description":"Each connection may only send acknowledgements whose label matches one declared for the \
            connection."}
            """
        #expect(try TwinspanError.labelNotDeclared(AckLabel("abc")).json == JSONValue.parse(expected))
    }

    /// Codes whose last word says another status than the specification gives them.
    static let exceptions = [
        // Removing an id is not forbidden but impossible, and so are two sources of metadata.
        "things:id.notdeletable": 400, "things:policyId.notdeletable": 400, "things:metadata.notmodifiable": 400,
        "policies:imports.toolarge": 400, "connectivity:connectivity.config.unavailable": 404,
    ]

    @Test("the status of a code says the same as its last word")
    func statusFitsWord() {
        let byWord = [
            "notfound": 404, "notmodifiable": 403, "notdeletable": 403, "toolarge": 413, "conflict": 409,
            "notmodified": 304, "unavailable": 503,
        ]
        for row in Self.rows {
            let word = row.code.split { $0 == "." || $0 == ":" }.last.map(String.init) ?? ""
            guard let status = byWord[word] else { continue }
            if let exception = Self.exceptions[row.code] {
                #expect(row.status == exception, "\(row.code)")
            } else {
                #expect(row.status == status, "\(row.code)")
            }
        }
    }

    @Test("every row says what happened in a sentence, and what to do when there is something to do")
    func texts() {
        for row in Self.rows {
            #expect(row.message.hasSuffix("."), "\(row.code)")
            // There is nothing to do about what has not changed.
            #expect(row.description?.isEmpty == false || row.status == 304, "\(row.code)")
        }
    }

    @Test(
        "a resource has a 404 and a 403 of its own",
        arguments: [
            ("/", "thing"), ("/policyId", "policyId"), ("/definition", "definition"), ("/attributes", "attributes"),
            ("/attributes/a/b", "attribute"), ("/features", "features"), ("/features/f", "feature"),
            ("/features/f/definition", "feature.definition"), ("/features/f/properties", "feature.properties"),
            ("/features/f/properties/p", "feature.property"),
            ("/features/f/desiredProperties", "feature.desiredProperties"),
            ("/features/f/desiredProperties/p/q", "feature.desiredProperty"),
        ])
    func resources(path: String, word: String) throws {
        let resource = try ThingResource(try JSONPointer(parsing: path))
        let id = try ThingID("a:b")
        let missing = TwinspanError.notFound(resource, of: id)
        #expect((missing.code, missing.status) == ("things:\(word).notfound", 404))
        let forbidden = TwinspanError.notModifiable(resource, of: id)
        #expect((forbidden.code, forbidden.status) == ("things:\(word).notmodifiable", 403))
    }

    @Test("the JSON form has status, code and message, and the rest where there is one")
    func json() throws {
        let bare = TwinspanError(code: "a:b", status: 409, message: "No.")
        #expect(bare.json.text == #"{"status":409,"error":"a:b","message":"No."}"#)
        let full = TwinspanError(code: "a:b", status: 409, message: "No.", description: "Why.", href: "http://x/")
        #expect(
            full.json.text
                == #"{"status":409,"error":"a:b","message":"No.","description":"Why.","href":"http://x/"}"#)
    }

    @Test("an invalid id carries the page that explains ids")
    func href() {
        let page = "https://www.eclipse.dev/ditto/basic-namespaces-and-names.html#namespaced-id"
        #expect(TwinspanError.thingIDInvalid("x").href == page)
        #expect(TwinspanError.policyIDInvalid("x").href == page)
    }

    @Test("a hostile id is cut in messages")
    func cut() {
        let error = TwinspanError.thingIDInvalid(String(repeating: "x", count: 100_000))
        #expect(error.message.count < 200)
    }

    @Test("a hostile id of one endless character is cut too")
    func cutInsideCharacter() {
        let accents = "e" + String(repeating: "\u{301}", count: 4_000)
        #expect(accents.shortened.unicodeScalars.count == 78)
        #expect(accents.shortened.utf8.count < 200)
    }

    @Test("an error about a topic of connections is addressed to nobody: connections have no errors")
    func connections() throws {
        let topic = try TopicPath("_/c/connections/announcements/opened")
        let envelope = TwinspanError(code: "a:b", status: 400, message: "No.").envelope(
            topic: topic, headers: DittoHeaders())
        #expect(envelope.topic.text == "unknown/unknown/things/twin/errors")
        #expect(throws: Never.self) { try Signal(Envelope.parse(envelope.bytes)) }
    }

    @Test("the envelope of an error names the entity, or says that it is unknown")
    func envelope() throws {
        let error = TwinspanError(code: "a:b", status: 404, message: "No.")
        let nowhere = error.envelope(topic: nil, headers: DittoHeaders())
        #expect(nowhere.topic.text == "unknown/unknown/things/twin/errors")
        let thing = error.envelope(topic: try TopicPath("n/t/things/live/commands/modify"), headers: DittoHeaders())
        #expect(thing.topic.text == "n/t/things/live/errors")
        let policy = error.envelope(topic: try TopicPath("n/p/policies/commands/modify"), headers: DittoHeaders())
        #expect(policy.topic.text == "n/p/policies/errors")
        #expect(policy.status == 404)
        #expect(policy.path.isRoot)
        #expect(policy.headers[.responseRequired] == .bool(false))
        #expect(policy.value?.value == error.json)
    }
}
