// The raw target of a request. Paths are split before they are decoded, because `%2F` belongs to a segment and `//`
// means something (spec/http.md §1.4); no URL library keeps both.
import TwinspanJSON
import TwinspanProtocol

/// A request's path and query, undecoded.
struct RequestTarget: Sendable {
    /// The longest target that is looked at.
    static let byteMaximum = 8192

    private let bytes: [UInt8]
    /// The segments behind the first slash; a trailing slash gives an empty last one.
    private let segments: [Range<Int>]
    private let pathEnd: Int

    /// Takes the target in origin form, or in the absolute form that proxies get.
    init(_ target: String) {
        bytes = Array(target.utf8)
        var start = 0
        if bytes.first != UInt8(ascii: "/") {
            // `http://host/path`: the path begins at the third slash.
            let slashes = bytes.indices.lazy.filter { [bytes] in bytes[$0] == UInt8(ascii: "/") }
            start = slashes.dropFirst(2).first ?? bytes.count
        }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(8)
        var index = start
        var segment: Int?
        while index < bytes.count, bytes[index] != UInt8(ascii: "?"), bytes[index] != UInt8(ascii: "#") {
            if bytes[index] == UInt8(ascii: "/") {
                if let segment { ranges.append(segment..<index) }
                segment = index + 1
            }
            index += 1
        }
        if let segment { ranges.append(segment..<index) }
        segments = ranges
        pathEnd = index
    }

    /// The number of segments.
    var count: Int { segments.count }

    /// The whole path as it was sent, without the query.
    var path: String { String(decoding: bytes[..<pathEnd], as: UTF8.self) }

    /// Bytes of path and query.
    var byteCount: Int { bytes.count }

    /// Whether the segment is this text; false when there is none at the index.
    func isSegment(_ index: Int, _ text: StaticString) -> Bool {
        guard index < segments.count, segments[index].count == text.utf8CodeUnitCount else { return false }
        return bytes[segments[index]].elementsEqual(
            UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Whether there is a segment at the index and it is empty.
    func isEmpty(_ index: Int) -> Bool {
        index < segments.count && segments[index].isEmpty
    }

    /// Whether the path ends before the index, but for one slash.
    func isAtEnd(_ index: Int) -> Bool {
        index == segments.count || index == segments.count - 1 && segments[index].isEmpty
    }

    /// A segment as it was sent.
    func raw(_ index: Int) -> String {
        index < segments.count ? String(decoding: bytes[segments[index]], as: UTF8.self) : ""
    }

    /// A segment with percent-encoding undone. Throws 400 for what decodes to no text.
    func segment(_ index: Int) throws(TwinspanError) -> String {
        try Self.decoded(bytes[segments[index]], plusIsSpace: false)
    }

    /// Everything from a segment to the end of the path, slashes included, with percent-encoding undone.
    func rest(from index: Int) throws(TwinspanError) -> String {
        try Self.decoded(bytes[segments[index].lowerBound..<pathEnd], plusIsSpace: false)
    }

    /// The parameters of the query in their order. Throws 400 for a bad percent escape.
    func parameters() throws(TwinspanError) -> [(name: String, value: String)] {
        guard pathEnd < bytes.count, bytes[pathEnd] == UInt8(ascii: "?") else { return [] }
        let query = bytes[(pathEnd + 1)...].prefix { $0 != UInt8(ascii: "#") }
        var parameters: [(name: String, value: String)] = []
        for part in query.split(separator: UInt8(ascii: "&")) {
            let split = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let name = try Self.decoded(part[..<split], plusIsSpace: true)
            let value = split == part.endIndex ? "" : try Self.decoded(part[(split + 1)...], plusIsSpace: true)
            parameters.append((name, value))
        }
        return parameters
    }

    /// Whether there is a query at all.
    var hasQuery: Bool { pathEnd < bytes.count }

    private static func decoded(_ raw: ArraySlice<UInt8>, plusIsSpace: Bool) throws(TwinspanError) -> String {
        let isPlain = raw.allSatisfy { byte in
            byte < 0x80 && byte != UInt8(ascii: "%") && (byte != UInt8(ascii: "+") || !plusIsSpace)
        }
        if isPlain { return String(decoding: raw, as: UTF8.self) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(raw.count)
        var index = raw.startIndex
        while index < raw.endIndex {
            let byte = raw[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < raw.endIndex, let high = hexadecimal(raw[index + 1]),
                    let low = hexadecimal(raw[index + 2])
                else { throw HTTPErrors.targetInvalid }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                index += 1
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw HTTPErrors.targetInvalid }
        return text
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
