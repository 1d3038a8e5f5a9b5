// Ways to give the compactor its memory.

extension JSONCompactor {
    /// Keys of open objects that need no heap: as many as fit a temporary allocation on the stack (1 KiB).
    private static var scratchCapacity: Int { 1024 / MemoryLayout<JSONKeyEntry>.stride }

    /// Compacts `source` into `output`, which has room for `source.count + slack` bytes.
    /// - Returns: the number of bytes written.
    @inline(__always)
    static func compact(
        _ source: UnsafeRawBufferPointer, to output: UnsafeMutablePointer<UInt8>, limits: JSONLimits,
        member: (Range<Int>, Range<Int>) -> Void
    ) throws(JSONSyntaxError) -> Int {
        guard source.count <= limits.bytes else { throw JSONSyntaxError(offset: limits.bytes, reason: .tooLarge) }
        return try withUnsafeTemporaryAllocation(of: JSONKeyEntry.self, capacity: scratchCapacity) {
            (scratch) throws(JSONSyntaxError) in
            var compactor = JSONCompactor(
                source: source, output: output, scratch: scratch, depthLimit: limits.depth)
            try compactor.run(member: member)
            return compactor.written
        }
    }

    /// Calls `body` with the compact form of `source`, which lives only as long as the call.
    static func withCompactText<Result>(
        of source: UnsafeRawBufferPointer, limits: JSONLimits, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(JSONSyntaxError) -> Result {
        // Checked here too, so that a text that is too large allocates nothing.
        guard source.count <= limits.bytes else { throw JSONSyntaxError(offset: limits.bytes, reason: .tooLarge) }
        return try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: source.count + slack) {
            (output) throws(JSONSyntaxError) in
            // Swift gives temporary allocations of a capacity above zero an address.
            let address = output.baseAddress!
            let written = try compact(source, to: address, limits: limits) { _, _ in }
            return body(UnsafeRawBufferPointer(start: address, count: written))
        }
    }
}
