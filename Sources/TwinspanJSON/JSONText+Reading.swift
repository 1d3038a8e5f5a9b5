// Looking into a text without building a tree. Nothing here allocates unless it returns an array or a string.

extension JSONText {
    /// Where the value at `pointer` lies in `bytes`; `nil` if a member on the way is missing or no object.
    public func range(at pointer: JSONPointer) -> Range<Int>? {
        withReader { reader in
            var range = 0..<reader.end
            for segment in pointer.segments {
                guard let found = segment.withBytes({ reader.member($0, from: range.lowerBound) }) else { return nil }
                range = found.value
            }
            return range
        }
    }

    /// Where the value of the member `key` of the object in `range` (the whole text if `nil`) lies.
    public func range(of key: String, in range: Range<Int>? = nil) -> Range<Int>? {
        withReader { reader in
            key.withBytes { reader.member($0, from: range?.lowerBound ?? 0)?.value }
        }
    }

    /// The value at `pointer` as a text of its own; `nil` if there is none.
    public func text(at pointer: JSONPointer) -> JSONText? {
        if pointer.isRoot { return self }
        return range(at: pointer).map { text(in: $0) }
    }

    /// The value that lies in `range`, one of the ranges given by this type.
    public func text(in range: Range<Int>) -> JSONText {
        JSONText(uncheckedBytes: Array(bytes[range]))
    }

    /// The tree of the value at `pointer`; `nil` if there is none.
    public func value(at pointer: JSONPointer) -> JSONValue? {
        range(at: pointer).map { value(in: $0) }
    }

    /// The tree of the value that lies in `range`, one of the ranges given by this type.
    public func value(in range: Range<Int>) -> JSONValue {
        withReader { JSONTreeBuilder.build($0.slice(range)) }
    }

    /// Calls `body` for each member of the object in `range` (the whole text if `nil`) with the ranges of its key
    /// (without quotes, still escaped) and its value, until `body` returns `false`. Does nothing if it is no object.
    public func forEachMember(in range: Range<Int>? = nil, _ body: (_ key: Range<Int>, _ value: Range<Int>) -> Bool) {
        withReader { $0.forEachMember(from: range?.lowerBound ?? 0, body) }
    }

    /// Calls `body` with the range of each element of the array in `range` (the whole text if `nil`), until it returns
    /// `false`. Does nothing if it is no array.
    public func forEachElement(in range: Range<Int>? = nil, _ body: (Range<Int>) -> Bool) {
        withReader { reader in
            var position = range?.lowerBound ?? 0
            guard position < reader.end, reader.bytes[position] == UInt8(ascii: "[") else { return }
            position += 1
            while position < reader.end, reader.bytes[position] != UInt8(ascii: "]") {
                let stop = reader.endOfValue(from: position)
                guard stop < reader.end, body(position..<stop), reader.bytes[stop] == UInt8(ascii: ",") else { return }
                position = stop + 1
            }
        }
    }

    /// The string that the escaped content in `range`, such as a key given by `forEachMember`, stands for.
    public func unescapedString(in range: Range<Int>) -> String {
        withReader { Self.unescape($0.slice(range)) }
    }
}
