// Changing a text by splicing bytes: one allocation for the result, everything before and after is copied as it is.

extension JSONText {
    /// The text with `value` at `pointer`. An existing member keeps its place, a new one is appended. Missing parents
    /// are created as objects, and whatever else stands on the way is replaced by an object. The root is replaced.
    /// - Returns: the new text, and whether there was no value at `pointer` before.
    public func replacing(at pointer: JSONPointer, with value: JSONText) -> (text: JSONText, created: Bool) {
        let place = place(of: pointer)
        // Parents that are missing: the first is written as a member of the deepest existing object.
        let missing = pointer.segments[place.depth...]
        let added = Addition(keys: missing, isInObject: place.isInObject, needsComma: place.needsComma, value: value)
        return (splicing(place.range, added), !missing.isEmpty)
    }

    /// The text without the member at `pointer`; `nil` if there is none. The root cannot be removed.
    public func removing(at pointer: JSONPointer) -> JSONText? {
        guard let last = pointer.segments.last else { return nil }
        let range: Range<Int>? = withReader { reader in
            var start = 0
            for segment in pointer.segments.dropLast() {
                guard let found = segment.withBytes({ reader.member($0, from: start) }) else { return nil }
                start = found.value.lowerBound
            }
            guard let found = last.withBytes({ reader.member($0, from: start) }) else { return nil }
            // The member with the comma before it; the first one with the comma behind it.
            let opening = found.key.lowerBound - 1
            if reader.bytes[opening - 1] == UInt8(ascii: ",") { return opening - 1..<found.value.upperBound }
            let hasNext = reader.bytes[found.value.upperBound] == UInt8(ascii: ",")
            return opening..<found.value.upperBound + (hasNext ? 1 : 0)
        }
        return range.map { splicing($0, nil) }
    }

    /// Where a value is to be put: the bytes to replace, and how many segments of the pointer lead there.
    private struct Place {
        var range: Range<Int>
        var depth: Int
        /// Whether `range` is the empty one before the closing brace of an object.
        var isInObject = false
        /// Whether that object has members.
        var needsComma = false
    }

    private func place(of pointer: JSONPointer) -> Place {
        withReader { reader in
            var range = 0..<reader.end
            for (depth, segment) in pointer.segments.enumerated() {
                guard range.lowerBound < reader.end, reader.bytes[range.lowerBound] == UInt8(ascii: "{") else {
                    return Place(range: range, depth: depth)
                }
                guard let found = segment.withBytes({ reader.member($0, from: range.lowerBound) }) else {
                    let brace = range.upperBound - 1
                    return Place(
                        range: brace..<brace, depth: depth, isInObject: true, needsComma: range.count > 2)
                }
                range = found.value
            }
            return Place(range: range, depth: pointer.segments.count)
        }
    }

    /// What takes the place of the bytes cut out: `,"a":{"b":value}`, `{"a":{"b":value}}` or the value itself.
    private struct Addition {
        let keys: ArraySlice<String>
        let isInObject: Bool
        let needsComma: Bool
        let value: JSONText

        /// The braces to open: one for each key, but not for a member of an existing object.
        var braceCount: Int { keys.count - (isInObject ? 1 : 0) }

        var count: Int {
            let keyBytes = keys.reduce(0) { $0 + $1.withBytes { JSONText.contentLength($0) } + 3 }
            return value.bytes.count + keyBytes + 2 * braceCount + (needsComma ? 1 : 0)
        }

        func write(into output: inout [UInt8]) {
            if needsComma { output.append(UInt8(ascii: ",")) }
            var opensBrace = !isInObject
            for key in keys {
                if opensBrace { output.append(UInt8(ascii: "{")) }
                opensBrace = true
                JSONText.writeString(key, into: &output)
                output.append(UInt8(ascii: ":"))
            }
            output.append(contentsOf: value.bytes)
            for _ in 0..<braceCount { output.append(UInt8(ascii: "}")) }
        }
    }

    private func splicing(_ range: Range<Int>, _ addition: Addition?) -> JSONText {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count - range.count + (addition?.count ?? 0))
        output.append(contentsOf: bytes[..<range.lowerBound])
        addition?.write(into: &output)
        output.append(contentsOf: bytes[range.upperBound...])
        return JSONText(uncheckedBytes: output)
    }
}
