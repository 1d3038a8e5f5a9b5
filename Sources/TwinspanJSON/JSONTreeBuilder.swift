// From compact canonical text to a tree. The text has been validated, so nothing here fails; but it may also come from
// a store, so a damaged text gives a wrong tree and never a read outside the buffer.

/// Builds the tree of one text.
struct JSONTreeBuilder: ~Copyable {
    private let reader: JSONReader
    private var position = 0
    /// Elements and members of the open containers: pushed while a container is read, then moved into its array, which
    /// so gets its exact size.
    private var elements = PendingStack<JSONValue>()
    private var members = PendingStack<JSONObject.Element>()

    private init(_ text: UnsafeRawBufferPointer) {
        reader = JSONReader(text)
    }

    static func build(_ text: UnsafeRawBufferPointer) -> JSONValue {
        var builder = JSONTreeBuilder(text)
        return builder.value(depth: 0)
    }

    /// Deeper than any validated text, and than one text put into another.
    private static let depthMaximum = JSONLimits.depthMaximum * 2

    private mutating func value(depth: Int) -> JSONValue {
        guard position < reader.end, depth < Self.depthMaximum else { return .null }
        switch reader.bytes[position] {
        case UInt8(ascii: "\""): return .string(string())
        case UInt8(ascii: "{"): return .object(object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(array(depth: depth + 1))
        case UInt8(ascii: "t"):
            position &+= 4
            return .bool(true)
        case UInt8(ascii: "f"):
            position &+= 5
            return .bool(false)
        case UInt8(ascii: "n"):
            position &+= 4
            return .null
        default:
            let start = position
            position = reader.endOfScalar(from: start)
            return .number(JSONNumber(validated: reader.slice(start..<position)))
        }
    }

    private mutating func object(depth: Int) -> JSONObject {
        let start = members.count
        position &+= 1
        if position < reader.end, reader.bytes[position] == UInt8(ascii: "}") {
            position &+= 1
            return JSONObject()
        }
        while position < reader.end {
            let key = string()
            position &+= 1
            members.push((key, value(depth: depth)))
            position &+= 1
            if position > reader.end || reader.bytes[position &- 1] != UInt8(ascii: ",") { break }
        }
        return JSONObject(distinct: members.take(from: start))
    }

    private mutating func array(depth: Int) -> [JSONValue] {
        let start = elements.count
        position &+= 1
        if position < reader.end, reader.bytes[position] == UInt8(ascii: "]") {
            position &+= 1
            return []
        }
        while position < reader.end {
            elements.push(value(depth: depth))
            position &+= 1
            if position > reader.end || reader.bytes[position &- 1] != UInt8(ascii: ",") { break }
        }
        return elements.take(from: start)
    }

    private mutating func string() -> String {
        let start = position &+ 1
        let (stop, hasEscapes) = reader.endOfString(from: position)
        position = stop
        guard start < stop else { return "" }
        let content = reader.slice(start..<stop &- 1)
        return hasEscapes ? JSONText.unescape(content) : String(decoding: content, as: UTF8.self)
    }
}

/// Elements of arrays that are not complete yet. Taking them moves them: nothing is retained or copied one by one.
private struct PendingStack<Element>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>?
    private var capacity = 0
    private(set) var count = 0

    deinit {
        base?.deinitialize(count: count)
        base?.deallocate()
    }

    @inline(__always)
    mutating func push(_ element: consuming Element) {
        if count == capacity { grow() }
        // `grow` has made room, so there is an address.
        (base! + count).initialize(to: element)
        count &+= 1
    }

    /// Removes the elements from `start` on and returns them.
    @inline(__always)
    mutating func take(from start: Int) -> [Element] {
        guard let base, start < count else { return [] }
        let taken = count - start
        count = start
        return Array(unsafeUninitializedCapacity: taken) { buffer, initialized in
            // A capacity above zero was asked for, so there is an address.
            buffer.baseAddress!.moveInitialize(from: base + start, count: taken)
            initialized = taken
        }
    }

    private mutating func grow() {
        let grown = Swift.max(capacity * 2, 16)
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: grown)
        if let base {
            moved.moveInitialize(from: base, count: count)
            base.deallocate()
        }
        base = moved
        capacity = grown
    }
}
