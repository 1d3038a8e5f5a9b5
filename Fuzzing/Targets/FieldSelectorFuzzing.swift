// Field selectors: reading, and what they select of a document.
import TwinspanJSON

/// The input is a selector, and on a second line a document it is applied to.
func fuzzFieldSelector(_ input: [UInt8]) {
    let parts = split(input)
    guard let written = text(parts.first) else { return }
    do throws(JSONFieldSelectorError) {
        let selector = try JSONFieldSelector(parsing: written)
        checkForm(selector, written)
        check(selector, on: sample)
        // Reading documents is the business of another target.
        if let second = parts.second, let document = try? JSONValue.parse(second) { check(selector, on: document) }
    } catch {
        checkOffset(error, in: written)
    }
}

private let sample: JSONValue = [
    "thingId": "a:b", "attributes": ["a": ["b": 1, "c": [["b": 1], 2, ["d": nil]]], "*": ["b": 2]],
    "features": ["lamp": ["properties": ["on": true]], "*": ["definition": ["a:b:1"]]],
    "_metadata": ["features": ["lamp": ["properties": ["on": ["unit": "x"]]]]],
]

private func checkForm(_ selector: JSONFieldSelector, _ written: String) {
    require(selector.text == written, "the text of \(written) is \(selector.text)")
    require(!selector.pointers.isEmpty, "\(written) selects nothing")
    require(selector.pointers.allSatisfy { !$0.isRoot }, "\(written) selects the root")
    for pointer in selector.pointers {
        require(pointer.segments.count <= JSONPointer.segmentCountMaximum, "\(written) has a pointer too long")
        require(selector.selects(pointer.segments[0]), "\(written) does not select its \(pointer.segments[0])")
    }
    // A brace of one field can pair with that of another once parentheses are expanded; there is no escape for it.
    guard !written.utf8.contains(UInt8(ascii: "{")) else { return }
    let expanded = JSONFieldSelector(selector.pointers)
    // The next line reports nil as a finding.
    let again = try? JSONFieldSelector(parsing: expanded.text)
    require(again == selector, "\(written) is expanded to \(expanded.text), which is read differently")
}

private func check(_ selector: JSONFieldSelector, on document: JSONValue) {
    let selected = selector.select(from: document)
    require(isPart(selected, of: document), "\(selector) selects \(selected) of \(document)")
    require(selector.select(from: selected) == selected, "\(selector) selects less of \(selected)")
    guard document.object != nil else { return }
    for pointer in selector.pointers where !pointer.segments.contains("*") {
        require(
            selected.value(at: pointer) == document.value(at: pointer),
            "\(selector) changes \(pointer) of \(document): \(selected)")
    }
}

private func isPart(_ part: JSONValue, of whole: JSONValue) -> Bool {
    switch (part, whole) {
    case (.object(let part), .object(let whole)):
        part.members.allSatisfy { member in whole[member.key].map { isPart(member.value, of: $0) } ?? false }
    case (.array(let part), .array(let whole)): part.count <= whole.count
    default: part == whole
    }
}

private func checkOffset(_ error: JSONFieldSelectorError, in written: String) {
    switch error {
    case .empty: require(written.isEmpty, "\(written) is not empty")
    case .unbalancedParentheses:
        require(written.utf8.contains { "()".utf8.contains($0) }, "\(written) has no parentheses")
    case .emptyItem(let offset), .consecutiveSlashes(let offset), .unexpectedText(let offset), .tooDeep(let offset):
        require((0...written.utf8.count).contains(offset), "offset \(offset) is outside of \(written)")
    }
}
