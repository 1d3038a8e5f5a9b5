// The validator: reads source bytes once, left to right, and writes the compact canonical form as it goes. Everything
// that takes JSON from a peer passes through here, so this file decides what is a document. One call works on one
// thread; nothing is shared.
//
// Safe because: every read of the source is guarded by `position < end` (or `position + 8 <= end`), and the output has
// room for as many bytes as the source plus `slack`. Canonical text is never longer than what it is made from, so
// `written <= position` always holds; a store of eight bytes at `written` stays inside the slack.

/// One pass over one document.
struct JSONCompactor: ~Copyable {
    let source: UnsafePointer<UInt8>
    let end: Int
    var position = 0

    let output: UnsafeMutablePointer<UInt8>
    var written = 0

    private var keys: JSONKeyStack
    private let keySeed: UInt64
    private let depthLimit: Int

    /// Bytes the output needs beyond the size of the source.
    static let slack = 16

    init(
        source: UnsafeRawBufferPointer, output: UnsafeMutablePointer<UInt8>,
        scratch: UnsafeMutableBufferPointer<JSONKeyEntry>, depthLimit: Int
    ) {
        let bytes = source.bindMemory(to: UInt8.self)
        // An empty buffer may have no address; with `end` 0 the pointer is never read, so any address will do.
        self.source = bytes.baseAddress ?? UnsafePointer(output)
        end = bytes.count
        self.output = output
        keys = JSONKeyStack(scratch: scratch)
        keySeed = JSONKeyHash.seed
        self.depthLimit = depthLimit
    }

    /// Reads the whole source. `member` is called for each member of a top-level object with ranges in the output,
    /// the key without its quotes.
    mutating func run(member: (Range<Int>, Range<Int>) -> Void) throws(JSONSyntaxError) {
        skipWhitespace()
        guard position < end else { throw failure(.empty) }
        try value(depth: 0, member: member)
        skipWhitespace()
        guard position == end else { throw failure(.trailingBytes) }
    }

    // MARK: Values

    /// Reads the value that starts at `position`. `depth` is the number of containers open around it.
    private mutating func value(
        depth: Int, member: (Range<Int>, Range<Int>) -> Void
    ) throws(JSONSyntaxError) {
        guard position < end else { throw failure(.unexpectedEnd) }
        switch source[position] {
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "{"): try object(depth: depth &+ 1, member: member)
        case UInt8(ascii: "["): try array(depth: depth &+ 1)
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        default: throw failure(.unexpectedByte)
        }
    }

    private mutating func object(
        depth: Int, member: (Range<Int>, Range<Int>) -> Void
    ) throws(JSONSyntaxError) {
        guard depth <= depthLimit else { throw failure(.depthExceeded) }
        let firstKey = keys.count
        var hashes: UInt64 = 0
        var table: JSONKeyTable?
        copyByte()
        skipWhitespace()
        if position < end, source[position] == UInt8(ascii: "}") {
            copyByte()
            return
        }
        while true {
            guard position < end else { throw failure(.unexpectedEnd) }
            guard source[position] == UInt8(ascii: "\"") else { throw failure(.unexpectedByte) }
            let keyPosition = position
            let keyStart = written &+ 1
            try string()
            let keyEnd = written &- 1
            try checkKey(keyStart..<keyEnd, at: keyPosition, firstKey: firstKey, hashes: &hashes, table: &table)
            skipWhitespace()
            guard position < end else { throw failure(.unexpectedEnd) }
            guard source[position] == UInt8(ascii: ":") else { throw failure(.unexpectedByte) }
            copyByte()
            skipWhitespace()
            let valueStart = written
            try value(depth: depth) { _, _ in }
            if depth == 1 { member(keyStart..<keyEnd, valueStart..<written) }
            skipWhitespace()
            guard position < end else { throw failure(.unexpectedEnd) }
            let separator = source[position]
            guard separator == UInt8(ascii: ",") || separator == UInt8(ascii: "}") else {
                throw failure(.unexpectedByte)
            }
            copyByte()
            if separator == UInt8(ascii: "}") { break }
            skipWhitespace()
        }
        keys.truncate(to: firstKey)
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) {
        guard depth <= depthLimit else { throw failure(.depthExceeded) }
        copyByte()
        skipWhitespace()
        if position < end, source[position] == UInt8(ascii: "]") {
            copyByte()
            return
        }
        while true {
            try value(depth: depth) { _, _ in }
            skipWhitespace()
            guard position < end else { throw failure(.unexpectedEnd) }
            let separator = source[position]
            guard separator == UInt8(ascii: ",") || separator == UInt8(ascii: "]") else {
                throw failure(.unexpectedByte)
            }
            copyByte()
            if separator == UInt8(ascii: "]") { return }
            skipWhitespace()
        }
    }

    private mutating func number() throws(JSONSyntaxError) {
        let start = position
        let (stop, isValid) = JSONNumberScanner.scan(source, from: start, to: end)
        guard isValid else { throw JSONSyntaxError(offset: stop, reason: .invalidNumber) }
        copyBytes(stop &- start)
    }

    private mutating func literal(_ text: StaticString) throws(JSONSyntaxError) {
        let length = text.utf8CodeUnitCount
        for index in 0..<length {
            guard position &+ index < end else { throw JSONSyntaxError(offset: end, reason: .unexpectedEnd) }
            guard source[position &+ index] == text.utf8Start[index] else {
                throw JSONSyntaxError(offset: position &+ index, reason: .unexpectedByte)
            }
        }
        copyBytes(length)
    }

    /// Refuses a key the object has already; `key` is its range in the output, `keyPosition` its place in the source.
    @inline(__always)
    private mutating func checkKey(
        _ key: Range<Int>, at keyPosition: Int, firstKey: Int, hashes: inout UInt64, table: inout JSONKeyTable?
    ) throws(JSONSyntaxError) {
        let hash = JSONKeyHash.hash(UnsafePointer(output) + key.lowerBound, length: key.count, seed: keySeed)
        let entry = JSONKeyEntry(
            offset: UInt32(truncatingIfNeeded: key.lowerBound), length: UInt32(truncatingIfNeeded: key.count),
            hash: hash)
        let bit: UInt64 = 1 &<< (hash & 63)
        let isDuplicate: Bool
        if keys.count &- firstKey >= JSONKeyTable.threshold {
            keys.push(entry)
            isDuplicate = insertIntoTable(&table, firstKey: firstKey)
        } else {
            isDuplicate = hashes & bit != 0 && keys.firstIndex(of: entry, from: firstKey, in: output) != nil
            hashes |= bit
            keys.push(entry)
        }
        if isDuplicate {
            let bytes = UnsafeRawBufferPointer(start: output + key.lowerBound, count: key.count)
            throw JSONSyntaxError(offset: keyPosition, reason: .duplicateKey(JSONText.unescape(bytes)))
        }
    }

    @inline(never)
    private mutating func insertIntoTable(_ table: inout JSONKeyTable?, firstKey: Int) -> Bool {
        var current = table ?? JSONKeyTable()
        table = nil
        defer { table = current }
        return current.insertTop(of: keys, from: firstKey, in: output)
    }

    // MARK: Bytes

    @inline(__always)
    mutating func skipWhitespace() {
        while position < end, source[position].isJSONWhitespace { position &+= 1 }
    }

    @inline(__always)
    private mutating func copyByte() {
        output[written] = source[position]
        written &+= 1
        position &+= 1
    }

    @inline(__always)
    private mutating func copyBytes(_ count: Int) {
        (output + written).update(from: source + position, count: count)
        written &+= count
        position &+= count
    }

    func failure(_ reason: JSONSyntaxError.Reason) -> JSONSyntaxError {
        JSONSyntaxError(offset: position, reason: reason)
    }
}
