// Reads what the prelude's `outgoing` gives for external messages: see `ScriptPrelude`. One text for everything,
// because each value that is fetched from the engine costs several calls into it.
import TwinspanMapping

struct PackedMessages {
    private let units: UnsafeBufferPointer<UInt16>
    /// Behind the number that was read last.
    private var head = 0
    /// Behind the text that was read last.
    private var body: Int

    init(_ units: UnsafeBufferPointer<UInt16>) {
        self.units = units
        body = (units.firstIndex(of: 0x0A) ?? units.count) + 1
    }

    /// The messages.
    /// - Parameter buffer: gives the next binary payload.
    mutating func messages(_ buffer: () -> [UInt8]) -> [MappedMessage] {
        var messages: [MappedMessage] = []
        while let length = number(), let count = number() {
            var lengths: [Int] = []
            for _ in 0..<2 * max(count, 0) { lengths.append(number() ?? 0) }
            var headers: [(name: String, value: String)] = []
            headers.reserveCapacity(lengths.count / 2)
            for index in stride(from: 0, to: lengths.count, by: 2) {
                let name = String(decoding: text(lengths[index]), as: UTF8.self)
                headers.append((name: name, value: String(decoding: text(lengths[index + 1]), as: UTF8.self)))
            }
            messages.append(
                MappedMessage(payload: length < 0 ? buffer() : text(length), headers: headers, isBinary: length < 0))
        }
        return messages
    }

    /// The next number of the first line.
    private mutating func number() -> Int? {
        var value: Int?
        var isNegative = false
        while head < units.count, units[head] != 0x0A {
            let unit = units[head]
            head += 1
            if unit == 0x20 { break }
            if unit == 0x2D { isNegative = true } else { value = (value ?? 0) &* 10 &+ Int(unit) &- 0x30 }
        }
        return value.map { isNegative ? -$0 : $0 }
    }

    private mutating func text(_ length: Int) -> [UInt8] {
        let start = min(body, units.count)
        let end = min(start + max(length, 0), units.count)
        body = end
        return UTF16Text.narrow(UnsafeBufferPointer(rebasing: units[start..<end]))
    }
}
