// The grammar of field selectors, read left to right with a stack of the paths whose parentheses are open.

/// Expands one selector into pointers.
struct JSONFieldSelectorParser {
    private let text: [UInt8]
    private var position = 0

    private var pointers: [JSONPointer] = []
    /// The paths before the open parentheses.
    private var prefixes: [[String]] = []
    /// The finished keys of the path being read, with its prefix.
    private var path: [String] = []
    /// The key being read.
    private var key: [UInt8] = []
    /// Where the path being read starts.
    private var itemStart = 0
    /// Whether a parenthesis has just been closed.
    private var isAfterGroup = false

    init(_ text: String) {
        self.text = Array(text.utf8)
    }

    mutating func parse() throws(JSONFieldSelectorError) -> [JSONPointer] {
        guard !text.isEmpty else { throw .empty }
        while position < text.count {
            let byte = text[position]
            if isAfterGroup, byte != UInt8(ascii: ","), byte != UInt8(ascii: ")") {
                throw .unexpectedText(offset: position)
            }
            switch byte {
            case UInt8(ascii: "("): try openGroup()
            case UInt8(ascii: ")"): try closeGroup()
            case UInt8(ascii: ","): try finishItem()
            case UInt8(ascii: "/"): try finishKey()
            default: readKey()
            }
        }
        guard prefixes.isEmpty else { throw .unbalancedParentheses }
        if !isAfterGroup { try addPointer() }
        return pointers
    }

    private var prefixCount: Int { prefixes.last?.count ?? 0 }

    /// One byte of a key, or a whole `{{ … }}`.
    private mutating func readKey() {
        var stop = position + 1
        if let end = endOfPlaceholder() { stop = end }
        key.append(contentsOf: text[position..<stop])
        position = stop
    }

    /// The position behind the placeholder that starts at `position`, if one does and it is closed.
    private func endOfPlaceholder() -> Int? {
        let brace = (open: UInt8(ascii: "{"), close: UInt8(ascii: "}"))
        guard position + 1 < text.count, text[position] == brace.open, text[position + 1] == brace.open else {
            return nil
        }
        var index = position + 2
        while index + 1 < text.count {
            if text[index] == brace.close, text[index + 1] == brace.close { return index + 2 }
            index += 1
        }
        return nil
    }

    private mutating func finishKey() throws(JSONFieldSelectorError) {
        // Only the slash that leads the path has no key before it.
        if key.isEmpty, position != itemStart { throw .consecutiveSlashes(offset: position) }
        try takeKey()
        position += 1
    }

    private mutating func takeKey() throws(JSONFieldSelectorError) {
        guard !key.isEmpty else { return }
        guard path.count < JSONPointer.segmentCountMaximum else { throw .tooDeep(offset: position) }
        path.append(JSONPointer.decode(Substring(String(decoding: key, as: UTF8.self))))
        key.removeAll(keepingCapacity: true)
    }

    /// Ends the path being read. Its last slash may have no key behind it.
    private mutating func finishPath() throws(JSONFieldSelectorError) {
        try takeKey()
        guard path.count > prefixCount else { throw .emptyItem(offset: position) }
    }

    private mutating func addPointer() throws(JSONFieldSelectorError) {
        try finishPath()
        pointers.append(JSONPointer(segments: path))
    }

    private mutating func finishItem() throws(JSONFieldSelectorError) {
        if !isAfterGroup { try addPointer() }
        startItem()
    }

    private mutating func openGroup() throws(JSONFieldSelectorError) {
        try finishPath()
        guard prefixes.count < JSONFieldSelector.nestingMaximum else { throw .tooDeep(offset: position) }
        prefixes.append(path)
        startItem()
    }

    private mutating func closeGroup() throws(JSONFieldSelectorError) {
        guard !prefixes.isEmpty else { throw .unbalancedParentheses }
        if !isAfterGroup { try addPointer() }
        prefixes.removeLast()
        startItem()
        isAfterGroup = true
    }

    private mutating func startItem() {
        position += 1
        itemStart = position
        isAfterGroup = false
        path = prefixes.last ?? []
    }
}
