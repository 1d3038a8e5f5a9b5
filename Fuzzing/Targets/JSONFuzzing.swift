// JSON: the reader against a plain one, the writer against the reader, and splicing text against changing a tree.
import TwinspanJSON

/// The input is one document.
func fuzzJSON(_ input: [UInt8]) {
    guard let document = checkReading(input) else { return }
    let tree = document.value
    var pointers: [JSONPointer] = []
    collect(tree, at: .root, into: &pointers)
    for pointer in pointers + [JSONPointer(segments: ["new", "\"~/\u{1}", ""])] {
        checkReading(document, tree, at: pointer)
        for value in [JSONText.null, .emptyObject, document] { checkReplacing(document, tree, at: pointer, by: value) }
        checkRemoving(document, tree, at: pointer)
    }
}

/// Both readers must say the same. Returns the document if it is one.
@discardableResult
func checkReading(_ input: [UInt8]) -> JSONText? {
    let plain = PlainJSON.canonical(input)
    do throws(JSONSyntaxError) {
        let text = try JSONText(validating: input)
        let tree = try JSONValue.parse(input)
        require(plain != nil, "accepted, though it is no JSON: \(text)")
        require(text.bytes == plain, "compact text \(text) instead of \(String(decoding: plain ?? [], as: UTF8.self))")
        require(tree.bytes == text.bytes, "the tree is written as \(tree.text), the text is \(text)")
        require(tree == text.value, "the tree of the text \(text) differs")
        checkCanonical(text)
        return text
    } catch {
        require(plain == nil, "refused with \(error)")
        require((0...input.count).contains(error.offset), "offset \(error.offset) is outside of the text")
        // The tree's reader refuses with the same words.
        do throws(JSONSyntaxError) {
            _ = try JSONValue.parse(input)
            require(false, "the tree's reader accepts what the text's refuses with \(error)")
        } catch let other {
            require(other == error, "\(other) and \(error)")
        }
        return nil
    }
}

/// What is made by splicing must be what reading it again gives.
private func checkCanonical(_ text: JSONText) {
    do throws(JSONSyntaxError) {
        let again = try JSONText(validating: text.bytes, limits: JSONLimits(depth: JSONLimits.depthMaximum))
        require(again == text, "\(text) is not canonical: \(again)")
    } catch {
        // Only splicing a document into itself can nest deeper than any reader allows.
        require(error.reason == .depthExceeded, "\(text) is no document: \(error)")
    }
}

/// The addresses of the first members at each depth, a dozen at most.
private func collect(_ tree: JSONValue, at pointer: JSONPointer, into pointers: inout [JSONPointer]) {
    guard pointers.count < 12 else { return }
    pointers.append(pointer)
    for member in (tree.object?.members ?? []).prefix(4) {
        collect(member.value, at: pointer.appending(member.key), into: &pointers)
    }
}

private func checkReading(_ document: JSONText, _ tree: JSONValue, at pointer: JSONPointer) {
    let part = tree.value(at: pointer)
    require(document.value(at: pointer) == part, "value at \(pointer) of \(document)")
    require(document.text(at: pointer)?.bytes == part?.bytes, "text at \(pointer) of \(document)")
    guard let part, let range = document.range(at: pointer) else { return }
    var keys: [String] = []
    document.forEachMember(in: range) { key, value in
        keys.append(document.unescapedString(in: key))
        require(document.value(in: value) == part.object?[keys[keys.count - 1]], "member of \(document)")
        return true
    }
    require(keys == part.object?.keys ?? [], "the keys at \(pointer) of \(document): \(keys)")
    var elements: [JSONValue] = []
    document.forEachElement(in: range) { element in
        elements.append(document.value(in: element))
        return true
    }
    require(elements == part.array ?? [], "the elements at \(pointer) of \(document)")
}

private func checkReplacing(_ document: JSONText, _ tree: JSONValue, at pointer: JSONPointer, by value: JSONText) {
    let (text, created) = document.replacing(at: pointer, with: value)
    var changed = tree
    changed.set(value.value, at: pointer)
    require(text.bytes == changed.bytes, "replacing \(pointer) of \(document) by \(value) gives \(text)")
    require(created == (tree.value(at: pointer) == nil), "replacing \(pointer) of \(document): created is \(created)")
    checkCanonical(text)
}

private func checkRemoving(_ document: JSONText, _ tree: JSONValue, at pointer: JSONPointer) {
    var changed = tree
    let wasThere = changed.remove(at: pointer)
    let text = document.removing(at: pointer)
    require((text != nil) == wasThere, "removing \(pointer) of \(document)")
    guard let text else { return }
    require(text.bytes == changed.bytes, "removing \(pointer) of \(document) gives \(text)")
    checkCanonical(text)
}
