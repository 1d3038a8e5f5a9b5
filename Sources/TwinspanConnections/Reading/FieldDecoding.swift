// From a node to a value of a field's kind, with the messages when it does not fit.

enum FieldDecoding {
    static func text(_ node: YAMLNode, _ place: FieldPlace) -> Located<String>? {
        guard let scalar = node.scalar else { return mismatch("text", node, place) }
        if scalar.isBroken { return nil }
        // What comes from a variable is meant as it is: `${PIN}` may well be all digits.
        guard scalar.value == .string || !scalar.substitutions.isEmpty else {
            return mismatch("text", node, place, hint: "put it in quotes: \"\(scalar.text)\"")
        }
        return Located(value: scalar.text, node: node, path: place.path)
    }

    static func flag(_ node: YAMLNode, _ place: FieldPlace) -> Bool? {
        guard let scalar = node.scalar else { return mismatch("true or false", node, place) }
        if scalar.isBroken { return nil }
        if case .bool(let flag) = scalar.value { return flag }
        let meaning = ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false]
        let hint = meaning[scalar.text.lowercased()].map { "write \($0), without quotes" }
        return mismatch("true or false", node, place, hint: hint)
    }

    static func integer(_ node: YAMLNode, in range: ClosedRange<Int>, _ place: FieldPlace) -> Int? {
        guard let scalar = node.scalar else { return mismatch("a whole number", node, place) }
        if scalar.isBroken { return nil }
        guard case .integer(let number) = scalar.value else {
            let hint = Int(scalar.text).map { "write \($0), without quotes" }
            return mismatch("a whole number", node, place, hint: hint)
        }
        guard range.contains(Int(number)) else {
            place.sink.error(
                at: Spot(of: node), path: place.path, "'\(place.name)' must be \(words(for: range)), not \(number)")
            return nil
        }
        return Int(number)
    }

    static func size(_ node: YAMLNode, _ place: FieldPlace) -> Int? {
        guard let scalar = node.scalar else { return mismatch("a size", node, place, hint: "e.g. 64MB") }
        if scalar.isBroken { return nil }
        guard let bytes = ByteSize.parse(scalar.text) else {
            place.sink.error(
                at: Spot(of: node), path: place.path, "'\(scalar.text)' is not a size",
                hint: "write a number of bytes or one with kB, MB, GB, KiB, MiB or GiB, e.g. 64MB")
            return nil
        }
        return bytes
    }

    static func duration(_ node: YAMLNode, _ place: FieldPlace) -> Duration? {
        guard let scalar = node.scalar else { return mismatch("a duration", node, place, hint: "e.g. 7d") }
        if scalar.isBroken { return nil }
        guard let duration = TimeSpan.parse(scalar.text) else {
            place.sink.error(
                at: Spot(of: node), path: place.path, "'\(scalar.text)' is not a duration",
                hint: "write a whole number with ms, s, m, h, d, w, mo or y, e.g. 7d")
            return nil
        }
        return duration
    }

    /// A duration above zero.
    static func span(_ node: YAMLNode, _ place: FieldPlace) -> Duration? {
        guard let duration = duration(node, place) else { return nil }
        guard duration > .zero else {
            place.sink.error(
                at: Spot(of: node), path: place.path, "'\(place.name)' must be longer than nothing",
                hint: "write a duration above zero, e.g. 1s")
            return nil
        }
        return duration
    }

    static func word<Word>(_ node: YAMLNode, _ place: FieldPlace) -> Word?
    where Word: RawRepresentable & CaseIterable, Word.RawValue == String {
        guard let text = text(node, place)?.value else { return nil }
        if let word = Word(rawValue: text) { return word }
        let words = Word.allCases.map(\.rawValue)
        place.sink.error(
            at: Spot(of: node), path: place.path, "unknown word '\(text)' for '\(place.name)'",
            hint: "allowed: \(words.joined(separator: ", "))", suggestion: NearestName.find(text, among: words),
            as: place.name == "connectionType"
                ? .formatInvalid.saying("Connection type <\(text)> is invalid!") : .formatInvalid)
        return nil
    }

    static func texts(_ node: YAMLNode, _ place: FieldPlace) -> [Located<String>]? {
        guard let elements = node.sequence else {
            let hint = node.scalar.map { "write [\($0.text)]" }
            return mismatch("a list", node, place, hint: hint)
        }
        var texts: [Located<String>] = []
        for (index, element) in elements.enumerated() {
            let elementPlace = FieldPlace(sink: place.sink, path: place.path.index(index), name: place.name)
            if let text = text(element, elementPlace) { texts.append(text) }
        }
        return texts
    }

    /// Whether a part is a list or an object where its declaration says so.
    static func hasShape(_ node: YAMLNode, of kind: FieldDeclaration.Kind, _ place: FieldPlace) -> Bool {
        switch kind {
        case .objects, .texts, .textsOrNull:
            if node.sequence != nil { return true }
            let nothing: Bool? = mismatch("a list", node, place, hint: "each entry begins with '- '")
            return nothing ?? false
        case .object, .objectMap, .textMap, .textsMap, .anyMap:
            if node.mapping != nil { return true }
            let nothing: Bool? = mismatch("an object", node, place)
            return nothing ?? false
        case .text, .flag, .integer, .size, .duration, .word, .any:
            return true
        }
    }

    static func words(for range: ClosedRange<Int>) -> String {
        if range.upperBound == Int.max { return "\(range.lowerBound) or more" }
        if range.count <= 4 {
            let numbers = range.map { "\($0)" }
            return numbers.dropLast().joined(separator: ", ") + " or " + (numbers.last ?? "")
        }
        return "from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func mismatch<Value>(
        _ expected: String, _ node: YAMLNode, _ place: FieldPlace, hint: String? = nil
    ) -> Value? {
        place.sink.error(
            at: Spot(of: node), path: place.path,
            "expected \(expected) for '\(place.name)', found \(node.kindDescription)", hint: hint,
            as: .formatInvalid)
        return nil
    }
}
