// Filters: reading in every place they may stand, and the laws of their logic on documents. The same text is also read
// as a search filter and as the options of a search.
import TwinspanExpressions
import TwinspanJSON

/// The input is a filter, and on a second line a document.
func fuzzRQL(_ input: [UInt8]) {
    let parts = split(input)
    guard let written = text(parts.first) else { return }
    // Reading documents is the business of another target.
    let document = parts.second.flatMap { try? JSONValue.parse($0) }
    let contexts = [RQLPlaceholders.condition, .serverSentEvents, .webSocket, .connection]
    let filters = contexts.map { compile(written, $0) }
    if let condition = filters[0] {
        // What reads fields only means the same everywhere.
        for filter in filters {
            require(filter?.fields == condition.fields, "\(written) reads \(filter?.fields ?? [])")
            require(filter?.placeholders.isEmpty == true, "a condition with placeholders: \(written)")
        }
    }
    for (context, filter) in zip(contexts, filters) {
        guard let filter else { continue }
        require(filter.text == written, "the text of \(written) is \(filter.text)")
        for thing in [sample, document] { if let thing { check(filter, context, on: thing) } }
    }
    for thing in [sample, document] { if let thing { checkSearch(written, on: thing) } }
}

/// Permissions only ever take results away from a filter without negations, and options have a sort value per key.
private func checkSearch(_ written: String, on thing: JSONValue) {
    // What is refused has nothing to check: that no text traps is all there is to say of it.
    if let filter = try? RQLSearchFilter.parse(written) {
        let matches = filter.matches(thing, placeholders: FixedPlaceholders())
        let readable = filter.matches(thing, placeholders: FixedPlaceholders()) { _ in true }
        require(readable == matches, "\(written) on \(thing): \(matches), readable \(readable)")
        let limited = filter.matches(thing, placeholders: FixedPlaceholders()) { $0.first == "features" }
        require(!limited || matches || written.contains("not("), "\(written) on \(thing) with less to read")
        // Refused when it is nested one level too deep.
        if let negation = try? RQLSearchFilter.parse("not(\(written))") {
            let negated = negation.matches(thing, placeholders: FixedPlaceholders())
            require(negated != matches, "not(\(written)) on \(thing)")
        }
    }
    // Refused like the filter: most texts are one or the other.
    if let options = try? RQLOptions.parse([written]) {
        let values = options.sortValues(of: thing)
        require(values.count == options.sort.count, "\(written): \(values.count) sort values")
        require(!options.precedes(values, values), "\(written) sorts \(thing) before itself")
    }
}

private let sample: JSONValue = [
    "thingId": "a:b", "policyId": "a:p", "_revision": 12, "definition": nil,
    "attributes": ["a": [1, ["x", nil], ["b": 2], -0.5], "b": "y", "c": "", "d": ["e": true]],
    "features": ["x": ["properties": ["y": 1e3]], "z": JSONValue.object([:])],
]

private func compile(_ written: String, _ context: RQLPlaceholders) -> RQLFilter? {
    do throws(RQLError) {
        return try RQLFilter.parse(written, placeholders: context)
    } catch {
        require((0...written.utf8.count).contains(error.offset), "offset \(error.offset) is outside of \(written)")
        require(!error.message.isEmpty, "no message for \(written)")
        return nil
    }
}

private func check(_ filter: RQLFilter, _ context: RQLPlaceholders, on thing: JSONValue) {
    let matches = filter.matches(thing, placeholders: FixedPlaceholders())
    let known = filter.evaluate(thing, placeholders: FixedPlaceholders()) { _ in false }
    require(known == (matches ? .matches : .differs), "\(filter.text) on \(thing): \(matches), evaluated \(known)")
    // What is decided although fields are missing must stay decided when they come.
    for unknown in [Set(filter.fields), Set(filter.fields.prefix(1)), Set(filter.fields.suffix(1))] {
        let outcome = filter.evaluate(thing, placeholders: FixedPlaceholders()) { unknown.contains($0) }
        require(outcome == .unknown || outcome == known, "\(filter.text) on \(thing): \(outcome), then \(known)")
    }
    let laws = [
        ("not(\(filter.text))", !matches), ("and(\(filter.text),\(filter.text))", matches),
        ("or(\(filter.text),\(filter.text))", matches), ("not(not(\(filter.text)))", matches),
    ]
    for (text, expected) in laws {
        guard let law = compile(text, context) else {
            // Only the bound on nesting can refuse it.
            require(filter.text.utf8.count { $0 == UInt8(ascii: "(") } >= 60, "\(text) is refused")
            continue
        }
        let result = law.matches(thing, placeholders: FixedPlaceholders())
        require(result == expected, "\(text) on \(thing) is \(result)")
        require(law.fields == filter.fields, "\(text) reads \(law.fields)")
    }
}
